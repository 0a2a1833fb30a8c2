"""M15.5: the breach report lists the affected patients and fields, and is on record itself."""

import asyncio
import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.breach import FIELDS, Affected, Breach, Suspect, breach
from api.cli import main
from api.cli.breach import COLUMNS, _csv_lines, _row
from domain.audit import AuditReplayed, ListViewed, Selection
from domain.kernel.context import Actor
from domain.kernel.refusal import NotFound
from projections.catalogue import PANELS
from tests.api.world import World, looks, revealed, shown_ids

pytestmark = pytest.mark.anyio
OLGA = Actor(tenant="riverside", id="olga", kind="operator", client="cli", reason="an incident")
RECORD = """query R($chart: ID) { record(chart: $chart) {
  conditions(first: 3) { edges { node { id } } }
  labReports(first: 2) { edges { node { id } } } } }"""
CONDITIONS = "{ record { conditions(first: 3) { edges { node { id } } } } }"


def unmoved(_done: int, _total: int) -> None:
    """Nobody watches."""


async def of(world: World, person: str, **more: str) -> Breach:
    """The report about somebody's account."""
    suspect = Suspect(selection=Selection(actor=world.people[person][1]), **more)
    return await breach(world.house, suspect, OLGA, unmoved)


async def test_it_names_each_patient_whose_record_was_in_an_answer_and_nobody_else(
    own_world: World,
) -> None:
    world = own_world
    assert (await of(world, "adeyemi")).affected == []
    shown: dict[str, set[str]] = {}
    for patient in ("rosa", "omar"):
        chart = await world.chart(patient, "adeyemi")
        data = await world.data("adeyemi", RECORD, chart=chart)
        if data["record"] is not None:
            ids = revealed(await world.ids("adeyemi"), shown_ids(data))
            shown[world.seeded.charts[patient]] = set(ids)
    assert shown
    await world.data("walter", CONDITIONS)
    found = await of(world, "adeyemi")
    assert {one.chart: one.records for one in found.affected} == shown
    for one in found.affected:
        assert one.panels == {"records.conditions", "results.reports"}
        assert one.fields == [FIELDS["records.conditions"], FIELDS["results.reports"]]
        assert (one.looks, one.first) == (1, one.last)
        assert one.demographics is not None
        assert one.demographics.names


async def test_it_is_on_record_before_and_in_the_ledger_of_each_patient_it_names(
    own_world: World,
) -> None:
    world = own_world
    await world.data("rosa", CONDITIONS)
    before = await world.head()
    found = await of(world, "rosa", session="session-rosa")
    asked, *seen = await world.since(before)
    assert isinstance(asked.event, AuditReplayed)
    assert asked.event.selection.startswith("breach actor=")
    assert asked.event.selection.endswith("session=session-rosa")
    assert (asked.context.actor, asked.context.reason) == ("olga", "an incident")
    charts = [one.chart for one in found.affected]
    assert [look.chart for look in looks(seen)] == charts == [world.seeded.charts["rosa"]]
    # Whose names are given together is one list.
    await world.data("jun", CONDITIONS)
    suspect = Suspect(selection=Selection(since=asked.committed_at))
    before = await world.head()
    await breach(world.house, suspect, replace(OLGA, tenant=world.people["rosa"][0]), unmoved)
    manifests = [e.event for e in await world.since(before) if isinstance(e.event, ListViewed)]
    named = {entry.chart for manifest in manifests for entry in manifest.entries}
    assert named == {world.seeded.charts["rosa"], world.seeded.charts["jun"]}


async def test_session_client_and_period_narrow_it(own_world: World) -> None:
    world = own_world
    await world.data("rosa", CONDITIONS)
    assert len((await of(world, "rosa", session="session-rosa")).affected) == 1
    assert (await of(world, "rosa", session="another")).affected == []
    assert (await of(world, "rosa", client="another")).affected == []
    later = (await of(world, "rosa")).affected[0].last
    suspect = Suspect(selection=Selection(actor=world.people["rosa"][1], until=later))
    assert (await breach(world.house, suspect, OLGA, unmoved)).affected == []


async def test_who_may_not_see_the_trail_gets_no_report(own_world: World) -> None:
    world = own_world
    tenant, account = world.people["rosa"]
    rosa = Actor(tenant=tenant, id=account, kind="account")
    head = await world.head()
    with pytest.raises(NotFound):
        await breach(world.house, Suspect(selection=Selection(actor=account)), rosa, unmoved)
    assert await world.head() == head


async def test_looks_that_name_no_patient_are_counted(own_world: World) -> None:
    world = own_world
    trail = "{ auditTrail(first: 1) { edges { node { id } } } }"
    answers = {key: (await world.ask(key, trail)).json()["data"] for key in world.people}
    officers = [key for key, data in answers.items() if data["auditTrail"]]
    here = [key for key in officers if world.people[key][0] == "riverside"]
    assert here
    for key in here:
        assert (await of(world, key)).elsewhere == {"audit.trail": 1}


def test_what_a_named_read_shows_is_said_of_every_one() -> None:
    assert {panel.name for panel in PANELS} <= FIELDS.keys()


async def test_no_cell_is_a_formula_and_who_is_unknown_has_no_name(world: World) -> None:
    assert _row(["=1+1", "-x", "a,b"]) == b"'=1+1,'-x,\"a,b\"\r\n"
    gone = Affected(world.seeded.charts["rosa"], *(2 * [world.house.log.now()]))
    lines = [line async for line in _csv_lines(Breach([gone], 1, {}), await world.ids("rosa"))]
    assert b",(unknown),,,," in lines[1]


async def test_the_command_writes_a_line_per_patient(own_world: World, tmp_path: Path) -> None:
    world = own_world
    await world.data("rosa", CONDITIONS)
    settings = world.house.settings
    environment = {
        "ANAMNESIS_DSN": settings.dsn,
        "ANAMNESIS_KEYS": str(settings.keys),
        "ANAMNESIS_OBJECTS": str(settings.objects),
        "ANAMNESIS_PROFILE": "demo",
    }

    def run(*words: str) -> tuple[int, str]:
        named = ("--tenant", "riverside", "--operator", "olga", "--reason", "an incident")
        done = CliRunner().invoke(main, ["audit", "breach", *words, *named], env=environment)
        return done.exit_code, done.output

    file, account = tmp_path / "breach.csv", world.people["rosa"][1]
    shown = (await world.ids("rosa")).hide("account", account)
    code, said = await asyncio.to_thread(run, str(file), "--actor", shown)
    assert (code, "1 charts in 1 looks" in said) == (0, True), said
    (line,) = csv.DictReader(file.read_text().splitlines())
    assert tuple(line) == COLUMNS
    assert line["chart"] == await world.chart("rosa")
    assert line["name"]
    assert line["fields"] == FIELDS["records.conditions"]
    assert file.stat().st_mode & 0o777 == 0o600
    lines = tmp_path / "breach.jsonl"
    code, said = await asyncio.to_thread(run, str(lines), "--actor", account, "--json")
    assert (code, json.loads(said)["charts"]) == (0, 1)
    assert json.loads(lines.read_text())["panels"] == ["records.conditions"]
    assert (await asyncio.to_thread(run, str(tmp_path / "all")))[0] == 2
