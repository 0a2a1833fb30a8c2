"""The SQL of panel reads: keyset pages over clear columns, newest first.

Of the rows that several sources sent about one fact, the newest is shown and the others come with
it; they are looked for only where a shown row can have any (OFFSET keeps that order). Rows of a
sensitive category are read only for whom the permit says so.
"""

from collections.abc import Mapping

from domain.kernel.readmodel import Select

_COLUMNS = 'id, chart, at, state, kind, "position", item, alike, key, body'
_HERE = "tenant = current_setting('anamnesis.tenant')"
FIRST_ROWS = f"""SELECT DISTINCT ON (chart) {_COLUMNS}, true AS shown
  FROM model.{{table}} WHERE {_HERE}
    AND chart = ANY($1::uuid[]) ORDER BY chart, at DESC, id DESC"""

# Charts without a row sort last, as undated rows do.
LISTED = f"""SELECT v.id, c.chart, coalesce(v.at, '-infinity') AS at, v.state, v.kind, v."position",
    v.item, v.alike, v.key, v.body, true AS shown
  FROM unnest($1::uuid[]) AS c (chart) LEFT JOIN LATERAL (
    SELECT {_COLUMNS} FROM model.{{table}} r WHERE r.{_HERE} AND r.chart = c.chart AND r.at <= $2
      AND r.state <> ALL($6::text[]) AND ($7::boolean OR r.label = '')
    ORDER BY at DESC, id DESC LIMIT 1) AS v ON true
  WHERE $3::timestamptz IS NULL
    OR (coalesce(v.at, '-infinity'), c.chart) < ($3::timestamptz, $4::uuid)
  ORDER BY at DESC, chart DESC LIMIT $5"""


def page_sql(
    select: Select, *, sensitive: bool, matching: Mapping[str, bytes]
) -> tuple[str, list[object]]:
    """The page: `first` shown rows and one more, then the rows that are alike to them.

    `matching` are blind columns with the hashes that rows must have there.
    """
    # Of one chart the index has the rows in the order of the page, so that a page costs the same
    # in a long record.
    one = len(select.charts) == 1
    charts = "$1::uuid" if one else "ANY($1::uuid[])"
    arguments: list[object] = [
        select.chart if one else list(select.charts), select.first + 1, list(select.panel.hidden)
    ]  # fmt: skip
    about = f"{{0}}.{_HERE} AND {{0}}.chart = {charts} AND {{0}}.state <> ALL($3::text[])"
    if not sensitive:
        about += " AND {0}.label = ''"
    conditions = about.format("r")
    if select.kind is not None:
        arguments.append(select.kind)
        conditions += f" AND r.kind = ${len(arguments)}"
    for column, value in matching.items():
        arguments.append(value)
        conditions += f" AND r.{column} = ${len(arguments)}"
    if select.after is not None:
        arguments.extend(select.after)
        place = len(arguments)
        conditions += f" AND (r.at, r.id) < (${place - 1}::timestamptz, ${place}::uuid)"
    table = select.panel.table.name
    twin = f"""SELECT FROM model.{table} o WHERE {about.format("o")} AND o.alike = r.alike
        AND o.alike <> '' AND o.source <> r.source AND o."position" > r."position\""""
    return (
        f"""WITH page AS (
      SELECT {_COLUMNS}, source FROM model.{table} r
      WHERE {conditions} AND (r.alike = '' OR NOT EXISTS ({twin}))
      ORDER BY at DESC, id DESC LIMIT $2)
    SELECT {_COLUMNS}, true AS shown FROM page
    UNION ALL
    SELECT DISTINCT {_prefixed("o")}, false FROM page r CROSS JOIN LATERAL (
      SELECT {_COLUMNS} FROM model.{table} o
      WHERE {about.format("o")} AND o.alike = r.alike AND o.alike <> ''
        AND o.source <> r.source OFFSET 0) AS o
    WHERE r.alike <> ''
    ORDER BY shown DESC, at DESC, id DESC""",
        arguments,
    )


def _prefixed(alias: str) -> str:
    return ", ".join(f"{alias}.{name.strip()}" for name in _COLUMNS.split(","))
