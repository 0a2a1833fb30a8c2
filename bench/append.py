"""The append: its function, its group commit, `perform`, and all beside the library's `save()`."""

from collections.abc import AsyncIterator
from contextlib import closing

from bench import function, library, performing, transactions
from bench.clients import Clients
from bench.ground import Ground
from bench.measure import Contender, Line, Pace, alternate

CLIENTS = (1, 8, 64, 256)
REQUIRED = 10.0


async def lines(ground: Ground, pace: Pace) -> AsyncIterator[Line]:
    """Every line; the last one is 256 clients beside the library, required: 10 times as many."""
    for part in (function, transactions, performing):
        for line in await part.lines(ground, pace):
            yield line
    for line in await _beside_library(ground, pace):
        yield line


async def _beside_library(ground: Ground, pace: Pace) -> list[Line]:
    async with ground.house("appending") as house:
        clients = await Clients.of(house, max(CLIENTS))
        with closing(library.Library(ground.server.create_database("library"))) as reference:
            contenders: dict[str, Contender] = {library.NAME: reference.save}
            for count in CLIENTS:
                contenders[_name(count)] = clients.appending(count)
            runs = await alternate(contenders, pace)
    return [
        Line(
            name=_name(count),
            value=runs[_name(count)].rate,
            unit="events/s",
            reference=runs[library.NAME].rate,
            reference_name=library.NAME,
            required=REQUIRED if count == max(CLIENTS) else None,
            extra=runs[_name(count)].durations,
        )
        for count in CLIENTS
    ]


def _name(clients: int) -> str:
    return f"append, {clients} client{'s' if clients > 1 else ''}"
