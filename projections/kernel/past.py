"""The past: read models folded in memory from a run of events, by the same projections."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import cast

from domain.kernel.event import Recorded
from domain.kernel.readmodel import Drop, Page, Projection, Put, Row, Select


class Past:
    """The rows that projections would have written after these events, and nothing later."""

    def __init__(self, projections: Sequence[Projection], events: Iterable[Recorded]) -> None:
        self._rows: dict[str, dict[tuple[object, ...], Put]] = {}
        for recorded in events:
            for projection in projections:
                if recorded.header.type in projection.types:
                    for write in projection.project(recorded):
                        self._apply(write)

    def _apply(self, write: Put | Drop) -> None:
        table = self._rows.setdefault(write.table.name, {})
        if isinstance(write, Put):
            table[tuple(write.values[column.name] for column in write.table.key)] = write
            return
        for key, put in list(table.items()):
            if all(put.values[name] == value for name, value in write.where.items()):
                del table[key]

    def page(self, select: Select) -> Page:
        """What a panel showed, newest first."""
        puts = [
            put
            for put in self._rows.get(select.panel.table.name, {}).values()
            if put.values["chart"] in select.charts
            and put.values["state"] not in select.panel.hidden
        ]
        rows = [_row(put, puts) for put in puts if _wanted(put, select) and not _older(put, puts)]
        ordered = sorted(rows, key=lambda row: (row.at, row.id), reverse=True)
        later = [r for r in ordered if select.after is None or (r.at, r.id) < select.after]
        return Page(tuple(later[: select.first]), len(later) > select.first)


def _wanted(put: Put, select: Select) -> bool:
    wanted = (("kind", select.kind), *select.matching)
    return all(value is None or put.values[column] == value for column, value in wanted)


def _older(put: Put, puts: Sequence[Put]) -> bool:
    """Whether another source stated the same fact later."""
    place = cast(int, put.values["position"])
    return any(cast(int, twin.values["position"]) > place for twin in _twins(put, puts))


def _twins(put: Put, puts: Sequence[Put]) -> list[Put]:
    mine = put.values
    return [
        other
        for other in puts
        if mine["alike"]
        and other.values["alike"] == mine["alike"]
        and other.values["source"] != mine["source"]
    ]


def _row(put: Put, puts: Sequence[Put] = ()) -> Row:
    values = put.values
    return Row(
        id=str(values["id"]),
        chart=str(values["chart"]),
        at=cast(datetime, values["at"]),
        state=str(values["state"]),
        kind=str(values["kind"]),
        position=cast(int, values["position"]),
        body=put.body,
        alike=tuple(_row(twin) for twin in _twins(put, puts)),
    )
