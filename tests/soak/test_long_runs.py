"""Many commands of two processes under a projector: no gap, no double, and it all verifies."""

import asyncio
import multiprocessing

import asyncpg
import pytest

from api.cli.rebuild import rebuilt
from api.house import House, open_house
from api.settings import Settings
from api.verifying import verification
from domain.kernel.context import Actor
from domain.kernel.perform import Request
from domain.kernel.values import Concept, Identifier, Source
from domain.records import Condition, Fact, FileRecord
from domain.registry import Demographics, ReportPatient
from projections.catalogue import PROJECTIONS, projection

pytestmark = pytest.mark.anyio
CLIENTS = 32
WRITER = Actor(tenant="riverside", id="writer", kind="operator", reason="a long run")


async def _file(house: House, chart: str, writer: int, number: int) -> None:
    source = Source("urn:long", "Condition", f"{writer}-{number}", digest=str(number))
    fact = Fact(condition=Condition(concept=Concept(text=f"fact {number}")))
    wish = FileRecord(chart=chart, key=f"{writer}-{number}", source=source, fact=fact)
    await house.do(Request(command=wish, actor=WRITER, key=f"{writer}-{number}"))


async def _write(settings: Settings, chart: str, writer: int, facts: int) -> None:
    async with open_house(settings) as house:
        numbers = iter(range(facts))

        async def client() -> None:
            for number in numbers:
                await _file(house, chart, writer, number)

        await asyncio.gather(*(client() for _ in range(CLIENTS)))


def _process(settings: Settings, chart: str, writer: int, facts: int) -> None:
    asyncio.run(_write(settings, chart, writer, facts))


@pytest.mark.parametrize(
    "facts", [500, pytest.param(100_000, marks=pytest.mark.soak)], ids=["short", "long"]
)
async def test_two_writing_processes_leave_one_gapless_log_and_whole_read_models(
    facts: int, living_house: House
) -> None:
    house = living_house
    report = ReportPatient(identifier=Identifier("urn:long", "1"), demographics=Demographics())
    chart = (await house.do(Request(command=report, actor=WRITER, key="chart"))).streams[0]
    spawn = multiprocessing.get_context("spawn")
    writers = [
        spawn.Process(target=_process, args=(house.settings, chart, number, facts))
        for number in range(2)
    ]
    for process in writers:
        process.start()
    for process in writers:
        await asyncio.to_thread(process.join)
    assert [process.exitcode for process in writers] == [0, 0]

    owner = await asyncpg.connect(house.settings.dsn)
    try:
        positions = await owner.fetch("SELECT position FROM event ORDER BY position")
        head = len(positions)
        assert [row["position"] for row in positions] == list(range(1, head + 1))
        assert head == 3 + 2 * facts
        names = [known.name for known in PROJECTIONS]
        await house.progress.reach("riverside", head, names, seconds=1_800)
        before = await _rows(owner)
        assert len(before) == 2 * facts
        await rebuilt(house, projection("records"), lambda _done, _total: None)
        assert await _rows(owner) == before
    finally:
        await owner.close()
    answer = await verification(house, "riverside")
    assert (answer.ok, answer.events) == (True, head)


async def _rows(owner: asyncpg.Connection) -> set[tuple[str, int]]:
    rows = await owner.fetch('SELECT id, "position" FROM model.records_condition')
    return {(str(row["id"]), row["position"]) for row in rows}
