"""The drill: charts of the Synthea patients merged and taken apart again over HTTP (M21.1).

Afterwards every record is what it was, and every ledger holds what it held, in the same order.
"""

import gzip
import os
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest

from adapters.embedded import EmbeddedPostgres
from adapters.fhir.importing import import_bundles
from adapters.postgres.trail import Trail
from api.cli.place import operator_actor
from api.house import open_house, projecting
from api.inbound.fhir import HouseIntake
from api.matching import match, matching_actor
from api.settings import Settings
from api.verifying import verification
from demo.seed import Seeded
from domain.consent import GrantProxyAccess
from domain.directory import GiveRole, ListPractitioner, Practitioner
from domain.identity import OpenAccount
from domain.kernel.values import Name
from domain.registry import ChartOpened, PersonRegistered
from tests.api.desk import done, whole_record
from tests.api.world import NAMES, Json, World, inhabited

pytestmark = [pytest.mark.anyio, pytest.mark.samples]
PATIENTS = ("ann", "bea", "cis")
LEDGER = """query ($chart: ID!, $after: String) { auditTrail(chart: $chart, first: 100,
  after: $after) { edges { node { id type at actor chart purpose basis rule operation records } }
  pageInfo { hasNextPage endCursor } } }"""
ADDED = {
    "registry.chart-merged",
    "registry.chart-absorbed",
    "registry.merge-undone",
    "registry.merge-reviewed",
    "audit.access-refused",
    "audit.records-viewed",
}


@pytest.fixture(scope="module")
async def world(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[World]:
    """Three patients of the samples with accounts, a proxy of two, and staff."""
    folder = Path(os.environ["ANAMNESIS_SAMPLES"]) / "synthea"
    files = sorted(filter(_lives, folder.glob("*.json.gz")), key=lambda path: path.stat().st_size)
    name = f"test_{uuid4().hex}"
    dsn = postgres.create_database(name, template="template_anamnesis")
    place = tmp_path_factory.mktemp("merging")
    settings = Settings.in_folder(place, dsn, profile="demo")
    async with open_house(settings) as house, projecting(house):
        intake = HouseIntake(house, operator_actor("riverside", "tester", "sample data"))
        chosen = files[len(files) // 2 :][: len(PATIENTS)]
        report = await import_bundles(chosen, intake, "urn:synthea")
        assert report.problems == ()
        seeded = Seeded(accounts={}, charts={}, reports={"riverside": report})
        async with inhabited(house, seeded, place) as made:
            await _settle(made)
            yield made
    postgres.drop_database(name)


def _lives(path: Path) -> bool:
    """Whether it is the bundle of a patient who lives: at death grants end, merged or not."""
    text = gzip.decompress(path.read_bytes())
    return b'"Patient"' in text and b"deceasedDateTime" not in text


async def _settle(world: World) -> None:
    last = await world.head()
    await world.house.progress.reach("riverside", last, NAMES, seconds=300)
    events = await world.since(0)
    charts = [e.header.stream for e in events if isinstance(e.event, ChartOpened)]
    persons = [e.header.stream for e in events if isinstance(e.event, PersonRegistered)]
    for key, chart, person in zip(PATIENTS, charts, persons, strict=True):
        world.seeded.charts[key] = chart
        account = OpenAccount(login=key, display_name=key, person=person)
        world.people[key] = ("riverside", (await world.do("riverside", account)).streams[0])
    for key, role in (("nora", "health-information"), ("priya", "compliance")):
        listing = ListPractitioner(key=key, practitioner=Practitioner(names=(Name(key),)))
        ident = (await world.do("riverside", listing)).streams[0]
        await world.do("riverside", GiveRole(practitioner=ident, role=role))
        account = OpenAccount(login=key, display_name=key, practitioner=ident)
        world.people[key] = ("riverside", (await world.do("riverside", account)).streams[0])
    for key, patient in (("friend", "ann"), ("neighbour", "bea")):
        person = await world.newcomer(key)
        grant = GrantProxyAccess(
            chart=world.seeded.charts[patient],
            grantee=person,
            kind="caregiver",
            scopes=("prescriptions", "records", "results"),
        )
        await world.do("riverside", grant)


async def ledger(world: World, patient: str) -> list[Json]:
    """What the audit trail holds about a chart, oldest first."""
    chart = await world.chart(patient, seen_by="priya")
    entries: list[Json] = []
    after = None
    while True:
        page = (await world.data("priya", LEDGER, chart=chart, after=after))["auditTrail"]
        entries += [edge["node"] for edge in page["edges"]]
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return [e for e in reversed(entries) if e["operation"] != "auditTrail"]


async def records(world: World) -> dict[str, object]:
    """The whole record of every patient, and what the proxies see of each chart."""
    found: dict[str, object] = {key: await whole_record(world, key) for key in PATIENTS}
    for who in ("friend", "neighbour"):
        for patient in PATIENTS:
            chart = await world.chart(patient, seen_by=who)
            found[f"{who} of {patient}"] = await whole_record(world, who, chart)
    return found


async def test_merged_and_taken_apart_again_record_and_ledger_are_the_same(world: World) -> None:
    ledgers = {key: await ledger(world, key) for key in PATIENTS}
    before = await records(world)
    ann, bea = before["ann"], before["bea"]
    assert isinstance(ann, dict)
    assert isinstance(bea, dict)
    assert sum(map(len, bea.values())) > 20

    await done(world, "mergeCharts", chart="bea", into="ann")
    during = await records(world)
    whole = during["ann"]
    assert isinstance(whole, dict)
    for panel, rows in whole.items():
        assert sorted(rows) == sorted(ann[panel] + bea[panel]), panel
    assert during["bea"] is None
    assert during["cis"] == before["cis"]
    proxies = {key: seen for key, seen in during.items() if " of " in key}
    assert set(proxies.values()) == {None}

    await done(world, "reviewMerge", chart="ann")
    await done(world, "reviewMerge", chart="bea")
    reviewed = await records(world)
    for who, own in (("friend", "ann"), ("neighbour", "bea")):
        for asked in ("ann", "bea"):
            assert reviewed[f"{who} of {asked}"] == before[f"{who} of {own}"], (who, asked)

    await done(world, "unmergeCharts", chart="bea")
    await done(world, "reviewMerge", chart="ann", idempotencyKey="again ann")
    await done(world, "reviewMerge", chart="bea", idempotencyKey="again bea")
    assert await records(world) == before
    for key in PATIENTS:
        after = await ledger(world, key)
        held = len(ledgers[key])
        assert after[:held] == ledgers[key], key
        assert {entry["type"] for entry in after[held:]} <= ADDED, key


async def test_the_log_of_the_drill_verifies_and_nothing_was_set_aside(world: World) -> None:
    assert (await verification(world.house, "riverside")).ok
    rows = await world.house.auditor.fetch("SELECT count(*) AS n FROM dead_letter")
    assert rows[0]["n"] == 0


async def test_matching_finds_nobody_twice_among_different_people(world: World) -> None:
    report = await match(world.house, "riverside", None, matching_actor("riverside"))
    assert (report.charts, report.linked, report.proposed) == (len(PATIENTS), 0, 0)
    assert await Trail(world.house.auditor, world.house.keys, "riverside").head() > 0
