"""The dashboard over HTTP: a record of about 500 leaves, beside two references in one run.

Each connection is a patient of their own with a record of their own.

Ours: verified token, rules, row-level security, sealed rows, and the look on record in a durable
commit before the answer leaves. References: constant bytes of the same size from the same server
stack, and strawberry as its documentation would have it on the same facts in plaintext tables.
"""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from statistics import median

from bench import idiomatic
from bench.asking import CLIENTS, Asking
from bench.counted import per_request
from bench.ground import Ground
from bench.load import generator
from bench.measure import Line, Pace, Run, alternate
from bench.portal import DASHBOARD, waiting_room
from bench.served import served

REQUIRED = 3.0
OURS, CONSTANT, IDIOMATIC = "dashboard query", "constant bytes", "strawberry with dataloaders"


async def lines(ground: Ground, pace: Pace) -> AsyncIterator[Line]:
    """Two lines: beside idiomatic strawberry (required: 3 times as many), beside constant bytes."""
    folder = ground.folder / "dashboard"
    async with ground.house("dashboard") as house:
        accounts = [one.account for one in await waiting_room(house, CLIENTS)]
        ours = {"kind": "house", "folder": str(folder), "dsn": house.settings.dsn}
        counted = await per_request(house, folder, accounts[0], DASHBOARD)
    plain = ground.server.create_database("idiomatic")
    await idiomatic.fill(plain, accounts)
    async with AsyncExitStack() as stack:
        load = await stack.enter_async_context(generator())
        first = Asking(load, folder, accounts, DASHBOARD)
        contenders = {
            OURS: await stack.enter_async_context(served(ours)),
            IDIOMATIC: await stack.enter_async_context(
                served({"kind": "idiomatic", "folder": str(folder), "dsn": plain})
            ),
        }
        size = await first.size(contenders[OURS])
        contenders[CONSTANT] = await stack.enter_async_context(
            served({"kind": "constant", "bytes": str(size)})
        )
        asked = {name: Asking(load, folder, accounts, DASHBOARD) for name in contenders}
        runs = await alternate(
            {name: asked[name].of(server) for name, server in contenders.items()}, pace
        )
    extra = _figures(runs, asked) | {"bytes": size} | counted
    yield _line(runs, CONSTANT, None, extra)
    yield _line(runs, IDIOMATIC, REQUIRED, extra)


def _line(
    runs: dict[str, Run], reference: str, required: float | None, extra: dict[str, object]
) -> Line:
    return Line(
        name=f"{OURS}, {CLIENTS} connections, beside {reference}",
        value=runs[OURS].rate,
        unit="requests/s",
        reference=runs[reference].rate,
        reference_name=reference,
        required=required,
        extra=extra,
    )


def _figures(runs: dict[str, Run], asked: dict[str, Asking]) -> dict[str, object]:
    return {
        **{f"p{n}_ms": round(runs[OURS].percentile(n), 2) for n in (50, 95)},
        "refused": runs[OURS].refused,
        "cpu_ms": {name: round(median(one.cpu_ms), 3) for name, one in asked.items()},
    }
