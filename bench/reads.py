"""What it costs that every read is on record, and how long one's own write takes to be seen."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from api.house import House, open_house
from api.settings import Settings
from bench.asking import CLIENTS, Asking
from bench.ground import TENANT, Ground
from bench.load import generator
from bench.measure import Line, Pace, Run, alternate
from bench.portal import DASHBOARD, NAMES, OPERATOR, Resident, one_patient
from bench.served import Served, served
from bench.wishes import fresh_id
from domain.consent import GrantProxyAccess
from domain.kernel.perform import Request

AUDITED, UNAUDITED = "dashboard on record", "dashboard without its looks"
LOADED, IDLE = "under load", "without other load"
AT_MOST_MS = 10.0
LOADING = 2
PAUSE_SECONDS = 0.01


async def lines(ground: Ground, pace: Pace) -> AsyncIterator[Line]:
    """One line for the audit of reads, one for reading one's own write."""
    folder = ground.folder / "reads"
    async with ground.house("reads") as house:
        resident = await one_patient(house)
        dsn = house.settings.dsn
    spec = {"folder": str(folder), "dsn": dsn}
    async with AsyncExitStack() as stack:
        load = await stack.enter_async_context(generator())
        asking = Asking(load, folder, [resident.account], DASHBOARD)
        ours = await stack.enter_async_context(served(spec | {"kind": "house"}))
        yield await _beside_own_write(folder, dsn, resident, asking, ours, pace)
        bare = await stack.enter_async_context(served(spec | {"kind": "unaudited house"}))
        runs = await alternate({AUDITED: asking.of(ours), UNAUDITED: asking.of(bare)}, pace)
    yield Line(
        name=f"{AUDITED}, {CLIENTS} connections",
        value=runs[AUDITED].rate,
        unit="requests/s",
        reference=runs[UNAUDITED].rate,
        reference_name=UNAUDITED,
        extra={
            "p50_ms": round(runs[AUDITED].percentile(50), 2),
            "reference_p50_ms": round(runs[UNAUDITED].percentile(50), 2),
            "refused": runs[AUDITED].refused,
        },
    )


async def _beside_own_write(
    folder: Path, dsn: str, resident: Resident, asking: Asking, ours: Served, pace: Pace
) -> Line:
    """Writes of another process than the one that projects, which answers dashboards meanwhile."""
    few = Asking(asking.load, folder, [resident.account], DASHBOARD, clients=LOADING)
    async with open_house(Settings.in_folder(folder, dsn)) as house:

        async def idle(seconds: float) -> Run:
            return await _waits(house, resident, seconds)

        async def loaded(seconds: float) -> Run:
            async with _loading(few, ours, seconds):
                return await _waits(house, resident, seconds)

        runs = await alternate({LOADED: loaded, IDLE: idle}, pace)
    return Line(
        name=f"read-your-writes wait, {LOADING} connections of dashboards meanwhile",
        value=runs[LOADED].percentile(95),
        unit="ms (p95)",
        reference=runs[IDLE].percentile(95),
        reference_name=IDLE,
        extra={
            "at_most_ms": AT_MOST_MS,
            "p50_ms": round(runs[LOADED].percentile(50), 2),
            "reference_p50_ms": round(runs[IDLE].percentile(50), 2),
        },
    )


@asynccontextmanager
async def _loading(few: Asking, ours: Served, seconds: float) -> AsyncIterator[None]:
    work = asyncio.create_task(_forget(few, ours, seconds))
    try:
        yield
    finally:
        await work


async def _forget(few: Asking, ours: Served, seconds: float) -> None:
    await few.of(ours)(seconds)


async def _waits(house: House, resident: Resident, seconds: float) -> Run:
    """A grant, then the wait until every read model shows it; again and again."""
    took: list[float] = []
    began = time.perf_counter()
    while time.perf_counter() < began + seconds:
        wish = GrantProxyAccess(
            chart=resident.chart, grantee=fresh_id(), kind="helper", scopes=("messaging",)
        )
        receipt = await house.do(Request(command=wish, actor=OPERATOR, key=fresh_id()))
        before = time.perf_counter()
        await house.progress.reach(TENANT, receipt.last or 0, NAMES, seconds=30)
        took.append((time.perf_counter() - before) * 1000)
        with contextlib.suppress(TimeoutError):
            await asyncio.sleep(PAUSE_SECONDS)
    return Run(len(took) / (time.perf_counter() - began), tuple(took))
