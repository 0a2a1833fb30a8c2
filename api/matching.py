"""Matching of charts: candidates by shared tokens, compared in memory, decided by commands.

A strong identifier links by itself; everything else is proposed to the people who keep the
registry. Running it again changes nothing, so an interrupted run is simply started again.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from adapters.postgres.desk import Tokens
from api.house import House
from domain.kernel.command import Command, Stream
from domain.kernel.context import Actor
from domain.kernel.log import fold
from domain.kernel.perform import Request
from domain.registry import Chart, LinkCharts, ProposeMatch, Verdict, compare

Moved = Callable[[int, int], None]


@dataclass(slots=True)
class Matched:
    """What a run did: charts looked at, pairs compared, proposals made, links made."""

    charts: int = 0
    compared: int = 0
    proposed: int = 0
    linked: int = 0
    last_position: int | None = None
    last_chart: str | None = None


def matching_actor(tenant: str) -> Actor:
    """Who matches when nobody is named."""
    return Actor(tenant=tenant, id="matching", kind="system", client="matching")


async def match(
    house: House,
    tenant: str,
    charts: Sequence[str] | None,
    who: Actor,
    *,
    after: str | None = None,
    moved: Moved = lambda _done, _total: None,
) -> Matched:
    """Compare charts (all of the tenant's beyond `after` when None) with those like them.

    Waits until the read models have reached the head of the log.
    """
    await house.log.settle(tenant)
    desk = _Desk(house, tenant, who)
    chosen = list(charts) if charts is not None else await desk.tokens.charts(after)
    for done, chart in enumerate(chosen, 1):
        await desk.look_at(chart)
        moved(done, len(chosen))
    return desk.report


class _Desk:
    """One run of matching."""

    def __init__(self, house: House, tenant: str, who: Actor) -> None:
        self._house = house
        self._who = who
        self._tenant = tenant
        self._seen: set[tuple[str, str]] = set()
        self.tokens = Tokens(house.api, tenant)
        self.report = Matched()

    async def look_at(self, chart: str) -> None:
        """Compare a chart with its candidates; each pair once in a run."""
        self.report.charts += 1
        self.report.last_chart = chart
        others = await self.tokens.candidates(chart)
        fresh = [other for other in others if _pair(chart, other) not in self._seen]
        if not fresh:
            return
        states = await self._states([chart, *fresh])
        for other in fresh:
            self._seen.add(_pair(chart, other))
            await self._compare(states[chart], states[other])

    async def _states(self, charts: Sequence[str]) -> dict[str, tuple[int, Chart]]:
        """The position that each chart was opened at, and the chart."""
        streams = [Stream(fold=Chart, id=chart, chart=chart) for chart in charts]
        recall = await self._house.log.recall(self._tenant, b"", b"", streams, whole=True)
        states = {}
        for stream, loaded in zip(streams, recall.streams, strict=True):
            state = fold(stream, loaded)
            if isinstance(state, Chart) and loaded.events:
                states[loaded.id] = (loaded.events[0].position, state)
        return states

    async def _compare(self, one: tuple[int, Chart], other: tuple[int, Chart]) -> None:
        (_, older), (_, newer) = sorted((one, other), key=lambda state: state[0])
        if older.demographics is None or newer.demographics is None:
            return
        self.report.compared += 1
        verdict = compare(older.demographics, newer.demographics)
        if not verdict.proposed or older.into == newer.id or newer.into == older.id:
            return
        if verdict.decided_by is not None and await self._link(older, newer, verdict):
            return
        proposal = ProposeMatch(
            chart=newer.id,
            candidate=older.id,
            score=round(verdict.score * 100),
            evidence=verdict.evidence,
        )
        self.report.proposed += await self._do(proposal)

    async def _link(self, older: Chart, newer: Chart, verdict: Verdict) -> bool:
        """Link the chart whose person does not sign in; where both do, people decide."""
        signing_in = await self.tokens.with_accounts([older.id, newer.id])
        if {older.id, newer.id} <= signing_in:
            return False
        chart, beside = (older, newer) if newer.id in signing_in else (newer, older)
        evidence = (verdict.decided_by or "",)
        wish = LinkCharts(chart=chart.id, beside=beside.id, evidence=evidence, automatic=True)
        linked = await self._do(wish)
        self.report.linked += linked
        if linked:
            await self._house.log.settle(self._tenant)
        return bool(linked)

    async def _do(self, command: Command[Any]) -> int:
        """1 where the command changed something."""
        key = sha256(repr(command).encode()).hexdigest()
        receipt = await self._house.do(Request(command=command, actor=self._who, key=key))
        if receipt.last is None or receipt.repeated:
            return 0
        self.report.last_position = receipt.last
        return 1


def _pair(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one < other else (other, one)
