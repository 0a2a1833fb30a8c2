"""M0.7: destroyed keys make it unreadable everywhere, the log still verifies (F9)."""

from pathlib import Path
from uuid import UUID

import anyio
import asyncpg
import psycopg
import pytest

from adapters.embedded import EmbeddedPostgres
from api.erasing import certified
from api.house import House, open_house, projecting
from api.settings import Settings
from api.signing import head_key
from api.verifying import verification
from domain.audit import ErasureCarriedOut
from domain.kernel.refusal import NotFound
from projections.catalogue import PROJECTIONS
from tests.adapters.fhir import lived
from tests.erasure.conftest import (
    HERE,
    OTHER,
    WORDS,
    Backups,
    erased,
    lived_rows,
    look,
    marked,
)
from tests.erasure.remaining import bytes_below, opened

pytestmark = pytest.mark.anyio


def seen(plain: bytes) -> set[str]:
    """The marks that are in there, by name."""
    return {name for name, word in WORDS.items() if word.encode() in plain}


async def test_nothing_of_an_erased_patient_opens_here_or_in_a_backup(
    settings: Settings, tmp_path: Path, backups: Backups
) -> None:
    async with open_house(settings) as house, projecting(house):
        people = await marked(house, tmp_path)
    before = backups.take(settings)
    for place in (settings, before):
        assert seen(await opened(place)) == set(WORDS)

    async with open_house(settings) as house, projecting(house):
        done = await erased(house, people.chart)
        assert done.objects >= 7
        checked = await verification(house, HERE)
        assert (checked.wrongs, checked.erased_later) == ((), ())
        assert checked.erased_keys > 0
    for place in (settings, before):
        plain = await opened(place)
        assert seen(plain) == set()
        assert OTHER.encode() in plain

    async with open_house(before) as restored:
        checked = await verification(restored, HERE)
    assert (checked.ok, checked.erased_keys > 0, len(checked.erased_later) > 0) == (
        True,
        True,
        True,
    )


async def test_no_word_of_the_patient_lies_in_files_write_ahead_log_or_dumps(
    living_house: House, settings: Settings, postgres: EmbeddedPostgres, tmp_path: Path
) -> None:
    people = await marked(living_house, tmp_path)
    await erased(living_house, people.chart)
    with psycopg.connect(settings.dsn, autocommit=True) as owner:
        owner.execute("CHECKPOINT")
        data = Path(owner.execute("SHOW data_directory").fetchone()[0])
    program = [postgres.binaries / "pg_dump", settings.dsn]
    dump = (await anyio.run_process(program)).stdout
    raw = dump + bytes_below(data, settings.keys, settings.objects)
    assert b"anamnesis" in raw
    assert seen(raw) == set()


async def tables_naming(settings: Settings, chart: str) -> set[str]:
    """The read models, but for the audit's, that have a row with this id."""
    told = set()
    owner = await asyncpg.connect(settings.dsn)
    for table in (table for one in PROJECTIONS for table in one.tables):
        columns = [column.name for column in table.columns if column.type == "uuid"]
        if table.name.startswith("audit") or not columns:
            continue
        test = " OR ".join(f'"{name}" = $1' for name in columns)
        found = f"SELECT EXISTS (SELECT FROM model.{table.name} WHERE {test})"
        if await owner.fetchval(found, UUID(chart)):
            told.add(table.name)
    await owner.close()
    return told


async def test_read_models_have_no_row_of_the_erased_chart(
    living_house: House, settings: Settings, tmp_path: Path
) -> None:
    people = await marked(living_house, tmp_path)
    before = await tables_naming(settings, people.chart)
    assert {"records_condition", "registry_link", "registry_stream"} <= before
    await erased(living_house, people.chart)
    # That a chart of this id was there, and under review since nobody can read whose it is.
    left = await tables_naming(settings, people.chart)
    assert left <= {"registry_stream", "registry_review"}
    accounts = await lived_rows(living_house, "SELECT account FROM model.identity_account")
    assert accounts == []


async def test_reservations_of_names_and_numbers_are_gone_and_the_patient_can_come_again(
    living_house: House, settings: Settings, tmp_path: Path
) -> None:
    people = await marked(living_house, tmp_path)
    await erased(living_house, people.chart)
    again = await marked(living_house, tmp_path)
    assert (again.chart != people.chart, again.person != people.person) == (True, True)
    assert seen(await opened(settings)) == set(WORDS)
    await erased(living_house, again.chart)
    assert seen(await opened(settings)) == set()


async def test_a_certificate_says_what_remains_and_is_signed_by_the_log(
    living_house: House, settings: Settings, tmp_path: Path
) -> None:
    people = await marked(living_house, tmp_path)
    await look(living_house, people.chart)
    done = await erased(living_house, people.chart)
    note = await certified(living_house, done)
    key = await head_key(living_house.keys, settings, HERE)
    note.check([key.verifier()])
    assert note.text.startswith("anamnesis erasure certificate v1\nlog: riverside\n")
    assert "remains: who looked at the chart, by law at least until" in note.text
    assert "remains: copies of the key store" in note.text
    assert "account" not in note.text
    assert seen(note.text.encode()) == set()
    (carried,) = await lived.events(living_house, ErasureCarriedOut)
    assert (carried.keys, carried.objects) == (done.keys, done.objects)


async def test_a_person_with_another_chart_keeps_their_account(
    living_house: House, tmp_path: Path
) -> None:
    people = await marked(living_house, tmp_path)
    other = await lived_rows(
        living_house,
        "SELECT person FROM model.registry_link WHERE chart = $1",
        UUID(people.other),
    )
    assert len(other) == 1
    await erased(living_house, people.other)
    accounts = await lived_rows(living_house, "SELECT account FROM model.identity_account")
    assert len(accounts) == 1


async def test_a_chart_that_is_not_there_is_not_found(living_house: House) -> None:
    with pytest.raises(NotFound):
        await erased(living_house, "00000000-0000-4000-8000-000000000000")
