"""Measuring beside a reference: contenders alternate, medians are compared, a line is JSON."""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from statistics import median

Act = Callable[[], Awaitable[int]]
"""Does one piece of work and says how many units it was."""


@dataclass(frozen=True, slots=True)
class Run:
    """One contender's turn: units per second, the milliseconds that each act took, and how often
    one was told to come again later.
    """

    rate: float
    milliseconds: tuple[float, ...] = ()
    refused: int = 0

    def percentile(self, percent: int) -> float:
        """The duration that `percent` of the acts did not exceed."""
        ordered = sorted(self.milliseconds)
        return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]

    @property
    def durations(self) -> dict[str, object]:
        """The median and the 99th percentile, as members of a line."""
        return {f"p{n}_ms": round(self.percentile(n), 2) for n in (50, 99)}


Contender = Callable[[float], Awaitable[Run]]
"""Works for so many seconds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One figure beside its reference, both taken in one run."""

    name: str
    value: float
    unit: str
    reference: float
    reference_name: str
    required: float | None = None
    extra: Mapping[str, object] = field(default_factory=dict)

    @property
    def json(self) -> str:
        """One JSON object; `ratio` is value over reference, `required` the least allowed one."""
        members: dict[str, object] = {
            "name": self.name,
            "value": round(self.value, 1),
            "unit": self.unit,
            "reference": round(self.reference, 1),
            "reference_name": self.reference_name,
            # Three digits, however small it is: a bulk INSERT is thousands of times a full import.
            "ratio": float(f"{self.value / self.reference:.3g}"),
        }
        if self.required is not None:
            members["required"] = self.required
        return json.dumps(members | dict(self.extra))


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How long to measure: every contender works `rounds` times for `seconds`."""

    seconds: float
    rounds: int


def say(text: str) -> None:
    """Progress, for people."""
    sys.stderr.write(f"{text}\n")


async def alternate(contenders: Mapping[str, Contender], pace: Pace) -> dict[str, Run]:
    """Each contender's median run. One turn each comes first and does not count."""
    runs: dict[str, list[Run]] = {name: [] for name in contenders}
    for turn in range(pace.rounds + 1):
        for name, contender in contenders.items():
            run = await contender(pace.seconds if turn else min(pace.seconds, 1.0))
            say(f"  {'round ' + str(turn) if turn else 'warm-up'}: {name}: {run.rate:,.0f}/s")
            if turn:
                runs[name].append(run)
    return {name: _median_run(taken) for name, taken in runs.items()}


def _median_run(taken: list[Run]) -> Run:
    middle = median(run.rate for run in taken)
    together = [took for run in taken for took in run.milliseconds]
    return Run(middle, tuple(together), sum(run.refused for run in taken))


async def closed_loop(acts: list[Act], seconds: float) -> Run:
    """Every act again and again, all at once, until the time is over."""
    took: list[float] = []
    began = time.perf_counter()

    async def client(act: Act) -> int:
        units, before = 0, began
        while before < began + seconds:
            units += await act()
            now = time.perf_counter()
            took.append((now - before) * 1000)
            before = now
        return units

    units = sum(await asyncio.gather(*(client(act) for act in acts)))
    return Run(units / (time.perf_counter() - began), tuple(took))
