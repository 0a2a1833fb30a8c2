"""Events by chart, actor, stream and time: found through the trail, read from the log."""

from collections.abc import Collection, Sequence

import asyncpg

from adapters.keys.tree import KeyTree
from adapters.postgres.opening import open_events
from adapters.postgres.tenant import tenant_rows
from domain.audit import Selection
from domain.kernel.event import Recorded

EVENTS = """SELECT position, version, committed_at, header, context, body FROM event
  WHERE tenant = $1 AND position = ANY($2::bigint[])"""
_TESTS = {
    "chart": """"position" IN (
      SELECT "position" FROM model.audit_trail WHERE tenant = $1 AND chart = ${0}::uuid
      UNION ALL
      SELECT "position" FROM model.audit_listed WHERE tenant = $1 AND chart = ${0}::uuid)""",
    "actor": "actor = ${}",
    "stream": "stream = ${}::uuid",
    "since": "at >= ${}",
    "until": "at < ${}",
    "upto": '"position" <= ${}',
}


class Trail:
    """One tenant's trail, read with the auditor's role in short read-only transactions."""

    def __init__(self, pool: asyncpg.Pool, keys: KeyTree, tenant: str) -> None:
        self._pool = pool
        self._keys = keys
        self._tenant = tenant

    async def newest(
        self, selection: Selection, first: int, before: int | None
    ) -> tuple[list[Recorded], bool]:
        """Events in descending order below `before`, and whether more follow."""
        bound = selection.upto if before is None else before - 1
        narrowed = _with_bound(selection, bound)
        positions = await self.positions(narrowed, limit=first + 1, newest_first=True)
        events = await self.events(positions[:first])
        return list(reversed(events)), len(positions) > first

    async def positions(
        self,
        selection: Selection,
        *,
        limit: int | None = None,
        after: int = 0,
        newest_first: bool = False,
        types: Collection[str] | None = None,
    ) -> list[int]:
        """The positions of the selected events beyond `after`; of these types only, if given."""
        arguments: list[object] = [self._tenant, after]
        tests = ['tenant = $1 AND "position" > $2']
        for name, test in _TESTS.items():
            value = getattr(selection, name)
            if value is not None:
                arguments.append(value)
                tests.append(test.format(len(arguments)))
        if types is not None:
            arguments.append(sorted(types))
            tests.append(f"type = ANY(${len(arguments)}::text[])")
        order = "DESC" if newest_first else "ASC"
        sql = (
            f'SELECT "position" FROM model.audit_trail WHERE {" AND ".join(tests)}'
            f' ORDER BY "position" {order}'
        )
        if limit is not None:
            arguments.append(limit)
            sql += f" LIMIT ${len(arguments)}"
        return [row["position"] for row in await self._fetch(sql, arguments)]

    async def events(self, positions: Sequence[int]) -> list[Recorded]:
        """The events at these positions, in order. Raises the key tree's errors."""
        rows = await self._fetch(EVENTS, [self._tenant, list(positions)])
        return await open_events(
            self._tenant, sorted(rows, key=lambda row: row["position"]), self._keys
        )

    async def head(self) -> int:
        """The log's last position."""
        rows = await self._fetch("SELECT position FROM log_head WHERE tenant = $1", [self._tenant])
        return rows[0]["position"] if rows else 0

    async def _fetch(self, sql: str, arguments: list[object]) -> list[asyncpg.Record]:
        return await tenant_rows(self._pool, self._tenant, sql, *arguments)


def _with_bound(selection: Selection, bound: int | None) -> Selection:
    if bound is None or (selection.upto is not None and selection.upto <= bound):
        return selection
    return Selection(
        chart=selection.chart,
        actor=selection.actor,
        stream=selection.stream,
        since=selection.since,
        until=selection.until,
        upto=bound,
    )
