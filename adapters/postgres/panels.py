"""The SQL of panel reads: keyset pages over clear columns, newest first.

Of the rows that several sources sent about one fact, the newest is shown and names the others,
which are read in a statement of their own: few pages have any. Rows of a sensitive category are
read only for whom the permit says so.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from domain.kernel.readmodel import Select

_COLUMNS = 'id, chart, at, state, kind, "position", key, body'
_ALONE = f"{_COLUMNS}, NULL::uuid[] AS others"
_HERE = "tenant = current_setting('anamnesis.tenant')"
FIRST_ROWS = f"""SELECT DISTINCT ON (chart) {_ALONE}
  FROM model.{{table}} WHERE {_HERE}
    AND chart = ANY($1::uuid[]) ORDER BY chart, at DESC, id DESC"""

# Charts without a row sort last, as undated rows do.
LISTED = f"""SELECT v.id, c.chart, coalesce(v.at, '-infinity') AS at, v.state, v.kind, v."position",
    v.key, v.body, v.others
  FROM unnest($1::uuid[]) AS c (chart) LEFT JOIN LATERAL (
    SELECT {_ALONE} FROM model.{{table}} r WHERE r.{_HERE} AND r.chart = c.chart AND r.at <= $2
      AND r.state <> ALL($6::text[]) AND ($7::boolean OR r.label = '')
    ORDER BY at DESC, id DESC LIMIT 1) AS v ON true
  WHERE $3::timestamptz IS NULL
    OR (coalesce(v.at, '-infinity'), c.chart) < ($3::timestamptz, $4::uuid)
  ORDER BY at DESC, chart DESC LIMIT $5"""


def page_sql(
    select: Select, *, sensitive: bool, matching: Mapping[str, bytes]
) -> tuple[str, list[object]]:
    """The page: `first` rows and one more, each with the ids of those alike in `others`.

    `matching` are blind columns with the hashes that rows must have there.
    """
    arguments = _about(select)
    arguments.append(select.first + 1)
    if select.kind is not None:
        arguments.append(select.kind)
    arguments.extend(matching.values())
    arguments.extend(select.after or ())
    sql = _page(
        select.panel.table.name,
        one=len(select.charts) == 1,
        sensitive=sensitive,
        narrowed=(*(("kind",) if select.kind is not None else ()), *matching),
        later=select.after is not None,
    )
    return sql, arguments


def others_sql(select: Select, ids: Sequence[str], *, sensitive: bool) -> tuple[str, list[object]]:
    """The rows with these ids, as far as the panel shows them."""
    about = _conditions("r", one=len(select.charts) == 1, sensitive=sensitive)
    table = select.panel.table.name
    sql = f"SELECT {_ALONE} FROM model.{table} r WHERE {about} AND r.id = ANY($3::uuid[])"
    return sql, [*_about(select), list(ids)]


def _about(select: Select) -> list[object]:
    charts = select.charts
    return [charts[0] if len(charts) == 1 else list(charts), list(select.panel.hidden)]


def _conditions(alias: str, *, one: bool, sensitive: bool) -> str:
    # Of one chart the index has the rows in the order of the page, so that a page costs the same
    # in a long record.
    charts = "$1::uuid" if one else "ANY($1::uuid[])"
    about = f"{alias}.{_HERE} AND {alias}.chart = {charts} AND {alias}.state <> ALL($2::text[])"
    return about if sensitive else f"{about} AND {alias}.label = ''"


@lru_cache(maxsize=1_024)
def _page(table: str, *, one: bool, sensitive: bool, narrowed: tuple[str, ...], later: bool) -> str:
    conditions = _conditions("r", one=one, sensitive=sensitive)
    for place, column in enumerate(narrowed, 4):
        conditions += f" AND r.{column} = ${place}"
    if later:
        place = 4 + len(narrowed)
        conditions += f" AND (r.at, r.id) < (${place}::timestamptz, ${place + 1}::uuid)"
    return f"""SELECT {_COLUMNS}, same.others FROM model.{table} r
      CROSS JOIN LATERAL (
        SELECT array_agg(o.id) AS others,
          coalesce(bool_or(o."position" > r."position"), false) AS newer
        FROM model.{table} o WHERE {_conditions("o", one=one, sensitive=sensitive)}
          AND r.alike <> '' AND o.alike = r.alike AND o.alike <> '' AND o.source <> r.source
      ) AS same
      WHERE {conditions} AND NOT same.newer
      ORDER BY at DESC, id DESC LIMIT $3"""
