"""Streams of many events, appended as `perform` does."""

import os
from uuid import uuid4

from api.house import House
from bench.wishes import reported, stamped
from domain.kernel.command import Filed, Reserved, Stream
from domain.kernel.log import Append, Appended, Draft, Expected
from tests.adapters.postgres.acts import HERE, rows

CHART = "00000000-0000-4000-8000-0000000000c1"


async def opened(
    house: House, count: int, value: Reserved | None = None, tenant: str = HERE
) -> str:
    """A new stream of so many events about one chart; its id."""
    stream = str(uuid4())
    reservations = () if value is None else ((value, stream),)
    await _append(house, stream, count, 0, reservations, tenant)
    return stream


async def appended(house: House, stream: str, count: int) -> None:
    """So many events more."""
    if count:
        wanted = [Stream(fold=Filed, id=stream)]
        version = (await house.log.recall(HERE, b"", b"", wanted, whole=True)).streams[0].version
        await _append(house, stream, count, version, (), HERE)


async def _append(
    house: House,
    stream: str,
    count: int,
    version: int,
    reservations: tuple[tuple[Reserved, str], ...],
    tenant: str,
) -> None:
    answer = await house.log.append(
        Append(
            tenant=tenant,
            command=os.urandom(16),
            fingerprint=os.urandom(32),
            context=stamped(),
            drafts=tuple(
                Draft(stream=stream, event=reported(), chart=CHART, owner=CHART)
                for _ in range(count)
            ),
            expected=(Expected(stream=stream, version=version),),
            reservations=reservations,
        )
    )
    assert isinstance(answer, Appended)


async def ids(house: House) -> set[str]:
    """The keys that the log's bodies are sealed with."""
    found = await rows(
        house.settings.dsn,
        "SELECT DISTINCT convert_from(header, 'UTF8')::json->>'key' FROM event WHERE tenant = $1",
        HERE,
    )
    return {key for (key,) in found}
