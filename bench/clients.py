"""Clients of one house: coroutines that append through `PostgresLog`, sealed, each in its chart."""

from collections.abc import Iterator
from dataclasses import dataclass

from adapters.keys.seal import DataKey
from api.house import House
from bench.ground import TENANT
from bench.measure import Act, Contender, Run, closed_loop
from bench.wishes import fresh_id, wishes
from domain.kernel.log import Append, Appended


class NotAppended(Exception):
    """An append was answered with something else: the measurement would be of refusals."""


@dataclass(frozen=True, slots=True)
class Clients:
    """Charts whose keys are open, one for each client."""

    house: House
    charts: tuple[str, ...]

    @classmethod
    async def of(cls, house: House, count: int) -> "Clients":
        """Open the keys of so many charts."""
        charts = tuple(fresh_id() for _ in range(count))
        for chart in charts:
            await house.keys.compartment(TENANT, chart, "clinical")
        return cls(house, charts)

    def appending(self, count: int) -> Contender:
        """The first `count` clients at once, each with one append under way at any time."""
        acts = [self._act(wishes(TENANT, chart)) for chart in self.charts[:count]]

        async def work(seconds: float) -> Run:
            return await closed_loop(acts, seconds)

        return work

    def _act(self, mine: Iterator[Append]) -> Act:
        async def append_one() -> int:
            answer = await self.house.log.append(next(mine))
            if not isinstance(answer, Appended):
                raise NotAppended(answer)
            return 1

        return append_one

    async def keys(self) -> list[DataKey]:
        """The keys of the charts."""
        return [await self.house.keys.compartment(TENANT, c, "clinical") for c in self.charts]
