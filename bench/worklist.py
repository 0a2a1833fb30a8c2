"""A clinician's list of 50 charts in one operation, beside reading the same charts one by one."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

from api.app import ids_of
from bench.asking import CLIENTS, Asking
from bench.counted import per_request
from bench.ground import TENANT, Ground
from bench.load import generator
from bench.measure import Contender, Line, Pace, Run, alternate
from bench.portal import clinic
from bench.served import served

CHARTS = 50
SHOWN = "patient { id name birthDate { text } gender }"
LIST = f"""query Worklist {{ worklist(first: {CHARTS}) {{
  edges {{ node {{ chart {SHOWN} lastVisit {{ start {{ text }} }} }} }} }} }}"""
SINGLE = f"""query Single($chart: ID!) {{ record(chart: $chart) {{ {SHOWN}
  visits(first: 1) {{ edges {{ node {{ start {{ text }} }} }} }} }} }}"""
TOGETHER, APART = f"worklist of {CHARTS} charts", f"{CHARTS} single reads"


async def lines(ground: Ground, pace: Pace) -> AsyncIterator[Line]:
    """Charts a second, either way."""
    folder = ground.folder / "worklist"
    async with ground.house("worklist") as house:
        account, patients = await clinic(house, CHARTS)
        chart = (await ids_of(house, TENANT)).hide("chart", patients[0].chart)
        spec = {"kind": "house", "folder": str(folder), "dsn": house.settings.dsn}
        counted = await per_request(house, folder, account, LIST)
    async with AsyncExitStack() as stack:
        load = await stack.enter_async_context(generator())
        server = await stack.enter_async_context(served(spec))
        together = Asking(load, folder, [account], LIST).of(server)
        apart = Asking(load, folder, [account], SINGLE, {"chart": chart}).of(server)
        runs = await alternate({TOGETHER: _times(together), APART: apart}, pace)
    yield Line(
        name=f"{TOGETHER}, {CLIENTS} connections",
        value=runs[TOGETHER].rate,
        unit="charts/s",
        reference=runs[APART].rate,
        reference_name=APART,
        extra={
            "p50_ms": round(runs[TOGETHER].percentile(50), 2),
            "p95_ms": round(runs[TOGETHER].percentile(95), 2),
            "reference_p50_ms": round(runs[APART].percentile(50), 2),
            "refused": [runs[name].refused for name in (TOGETHER, APART)],
            **counted,
        },
    )


def _times(asking: Contender) -> Contender:
    """Each answer counts for all of its charts."""

    async def work(seconds: float) -> Run:
        run = await asking(seconds)
        return replace(run, rate=run.rate * CHARTS)

    return work
