"""The dashboard over HTTP: a record of about 500 leaves, beside two references in one run.

Ours: verified token, rules, row-level security, sealed rows, and the look on record in a durable
commit before the answer leaves. References: constant bytes of the same size from the same server
stack, and strawberry as its documentation would have it on the same facts in plaintext tables.
"""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from api.auth.tokens import DemoIssuer
from bench import idiomatic
from bench.ground import TENANT, Ground
from bench.load import Load, generator, request_bytes
from bench.measure import Contender, Line, Pace, Run, alternate
from bench.portal import DASHBOARD, one_patient
from bench.served import Served, served

CLIENTS = 8
REQUIRED = 3.0
OURS, CONSTANT, IDIOMATIC = "dashboard query", "constant bytes", "strawberry with dataloaders"


async def lines(ground: Ground, pace: Pace) -> AsyncIterator[Line]:
    """Two lines: beside idiomatic strawberry (required: 3 times as many), beside constant bytes."""
    folder = ground.folder / "dashboard"
    async with ground.house("dashboard") as house:
        resident = await one_patient(house)
        ours = {"kind": "house", "folder": str(folder), "dsn": house.settings.dsn}
    plain = ground.server.create_database("idiomatic")
    await idiomatic.fill(plain, resident.account)
    async with AsyncExitStack() as stack:
        load = await stack.enter_async_context(generator())
        first = Asking(load, folder, resident.account)
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
        asked = {name: Asking(load, folder, resident.account) for name in contenders}
        runs = await alternate(
            {name: asked[name].of(server) for name, server in contenders.items()}, pace
        )
    extra = _figures(runs, asked) | {"bytes": size}
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


def _figures(runs: dict[str, Run], asked: "dict[str, Asking]") -> dict[str, object]:
    return {
        **{f"p{n}_ms": round(runs[OURS].percentile(n), 2) for n in (50, 95)},
        "cpu_ms": {name: round(median(one.cpu_ms), 3) for name, one in asked.items()},
    }


@dataclass(slots=True)
class Asking:
    """One contender's requests: the same operation with a fresh token each turn."""

    load: Load
    folder: Path
    account: str
    document: str = DASHBOARD
    cpu_ms: list[float] = field(default_factory=list)
    """Of the server process per request, one figure per turn."""

    def request(self) -> bytes:
        issuer = DemoIssuer.load_or_create(self.folder / "issuer.pem")
        token = issuer.mint(self.account, TENANT, "bench")
        return request_bytes("/graphql", json.dumps({"query": self.document}).encode(), token)

    async def size(self, server: Served) -> int:
        """Bytes of one answer's body."""
        return await self.load.size(server.port, self.request())

    def of(self, server: Served) -> Contender:
        """The contender."""

        async def work(seconds: float) -> Run:
            before = server.child.cpu_seconds
            run = await self.load.turn(server.port, self.request(), CLIENTS, seconds)
            spent = server.child.cpu_seconds - before
            self.cpu_ms.append(spent * 1000 / max(len(run.milliseconds), 1))
            return run

        return work
