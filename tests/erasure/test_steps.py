"""An erasure that is interrupted goes on; running processes forget what was destroyed."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from adapters.keys import KeyDestroyed
from adapters.postgres.revoking import DESTROYED, ERASURES, Revocations
from adapters.postgres.sealing import Sealer
from api.cli.doctor import diagnoses
from api.erasing import Wanted, erase
from api.erasing.carrying import keeping
from api.house import House, open_house, projecting
from api.settings import Settings
from domain.audit import ChartErased, ErasureCarriedOut
from domain.kernel.context import Basis
from domain.kernel.labels import Label
from domain.kernel.log import Append, Draft, Expected
from domain.kernel.perform import Request, stamp
from domain.kernel.refusal import RecordErased
from domain.kernel.rule import Permit
from domain.kernel.values import Concept, Source
from domain.records import Condition, Fact, FileRecord, Note, RecordFiled
from tests.adapters.fhir import lived
from tests.erasure.conftest import HERE, WHO, erased, lived_rows, marked
from tests.erasure.remaining import opened
from tests.erasure.test_erasing import seen

pytestmark = pytest.mark.anyio


class Interrupted(Exception):
    """Somebody pulled the plug."""


def problem(chart: str, key: str, *labels: str) -> FileRecord:
    """A problem that somebody wants to file."""
    return FileRecord(
        chart=chart,
        key=key,
        source=Source("urn:ehr", "Condition", key, digest=key),
        fact=Fact(condition=Condition(concept=Concept(text="new"))),
        labels=tuple(Label(code, "rule") for code in labels),
    )


async def filed(house: House, chart: str, key: str, *labels: str) -> None:
    await house.do(Request(command=problem(chart, key, *labels), actor=WHO, key=key))


async def erasures(settings: Settings) -> str:
    """What the doctor says of erasures."""
    return next(one.verdict for one in await diagnoses(settings) if one.check == "erasures")


@pytest.mark.parametrize("step", ["objects", "keys", "read models"])
async def test_whatever_interrupts_an_erasure_the_same_command_finishes_it(
    step: str, settings: Settings, tmp_path: Path
) -> None:
    def stops(told: str, done: int, total: int) -> None:
        if told == step and done == (total + 1) // 2:
            raise Interrupted

    async with open_house(settings) as house, projecting(house):
        people = await marked(house, tmp_path)
        wanted = Wanted(chart=people.chart)
        with pytest.raises(Interrupted):
            await erase(house, wanted, "GDPR 17", WHO, stops)
        assert (await keeping(house, HERE, people.chart)).under_way == {"everything"}
        assert await erasures(settings) == "failure"
        with pytest.raises(RecordErased):
            await filed(house, people.chart, "meanwhile")

    async with open_house(settings) as house, projecting(house):
        await erased(house, people.chart)
        assert not (await keeping(house, HERE, people.chart)).under_way
        (carried,) = await lived.events(house, ErasureCarriedOut)
        assert (carried.objects >= 7, carried.account_kept) == (True, False)
        assert await lived_rows(house, "SELECT account FROM model.identity_account") == []
    assert seen(await opened(settings)) == set()
    assert await erasures(settings) == "ok"


async def test_an_erasure_that_is_done_is_done_again_without_a_second_tombstone(
    living_house: House, tmp_path: Path
) -> None:
    people = await marked(living_house, tmp_path)
    await erased(living_house, people.chart)
    again = await erased(living_house, people.chart)
    assert again.keys > 0
    assert len(await lived.events(living_house, ChartErased)) == 1
    assert len(await lived.events(living_house, ErasureCarriedOut)) == 1


async def test_another_process_forgets_the_keys_and_files_nothing_more(
    living_house: House, settings: Settings, tmp_path: Path
) -> None:
    people = await marked(living_house, tmp_path)
    async with open_house(settings) as other:
        await filed(other, people.chart, "before")
        held = other.keys.cached_compartment(HERE, people.chart, "clinical")
        assert held is not None
        await erased(living_house, people.chart)
        for labels in ((), ("HIV",), ("NEVER-BEFORE",)):
            with pytest.raises(RecordErased):
                await filed(other, people.chart, f"after {labels}", *labels)
        async with asyncio.timeout(1):
            while True:
                if other.keys.cached(HERE, held.id) is None:
                    break
                await asyncio.sleep(0.01)
        with pytest.raises(KeyDestroyed):
            await other.keys.by_id(HERE, held.id)


@pytest.mark.parametrize("key", ["compartment", "item"])
async def test_the_log_itself_refuses_what_a_stale_cache_seals(
    key: str, living_house: House, tmp_path: Path
) -> None:
    people = await marked(living_house, tmp_path)
    wish = problem(people.chart, "stale")
    note = Note(concept=Concept(text="new"), status="final")
    fact = wish.fact if key == "compartment" else Fact(note=note)
    event = RecordFiled(item=people.chart, fact=fact)
    assert event.sealed_alone is (key == "item")
    request = Request(command=wish, actor=WHO, key="stale")
    stream = "00000000-0000-4000-8000-00000000000f"
    context = stamp(request, Permit(Basis("role", "operator")), living_house.log.now())
    append = Append(
        tenant=HERE,
        command=b"stale",
        fingerprint=b"",
        context=context,
        drafts=(Draft(stream=stream, event=event, chart=people.chart, owner=people.chart),),
        expected=(Expected(stream=stream, version=0),),
    )
    sealed = await Sealer(living_house.keys).command(append)
    await erased(living_house, people.chart)
    assert (await living_house.writer.append(sealed)).status == "destroyed-key"


async def test_a_look_for_erasures_is_one_statement_until_there_is_one(
    living_house: House, settings: Settings, tmp_path: Path
) -> None:
    people = await marked(living_house, tmp_path)
    revocations, asked = Revocations(living_house.keys), []
    listener = await asyncpg.connect(settings.role_dsn("api"))
    listener.add_query_logger(lambda one: asked.append(one.query))

    async def looked() -> list[str]:
        asked.clear()
        await revocations.look(listener)
        await asyncio.sleep(0)  # asyncpg tells what was asked in the next turn of the loop
        return list(asked)

    try:
        assert await looked() == [ERASURES]
        await erased(living_house, people.chart)
        assert DESTROYED in await looked()
        assert await looked() == [ERASURES]
    finally:
        await listener.close()
