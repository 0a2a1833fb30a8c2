"""Every look and every refusal of random operations is on record, and nothing else is."""

import os
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
from graphql import GraphQLObjectType, build_schema

from api.looks import Looks
from api.serving import listen, serving
from domain.kernel.context import Basis
from tests.api.personas import settle_in
from tests.api.world import Seedbed, World, living_world
from tests.oracle.answers import COMMANDS, READS
from tests.oracle.asking import KINDS, Asker, Planner
from tests.oracle.judging import Judge, shares, trail

pytestmark = [pytest.mark.anyio, pytest.mark.minutes]
OPERATIONS = [2_000, pytest.param(50_000, marks=pytest.mark.soak)]
SEED = int(os.environ.get("ANAMNESIS_SEED", "20261122"))
ROOT = Path(__file__).resolve().parents[2]
OF_THE_DESK = "an act of health information staff: tests/api/test_registry_over_http.py"
OF_AN_ENTRY_TOO = "a change of an entry: tests/api/test_amending.py"
OF_WHAT_CAME_IN = "received resources: tests/api/test_repairs.py"
ELSEWHERE = {
    "Record": {"trend": "results and observations at once: tests/api/test_whole_record.py"},
    "Query": {
        "matches": "pairs of charts, no entry of a record: tests/api/test_merging.py",
        "setAside": OF_WHAT_CAME_IN,
    },
    "Mutation": {
        **dict.fromkeys(("correctRecord", "relabelRecord", "withdrawRecord"), OF_AN_ENTRY_TOO),
        **dict.fromkeys(("repairResource", "dismissResource"), OF_WHAT_CAME_IN),
        **dict.fromkeys(
            (
                "linkCharts", "undoLink", "dismissMatch", "mergeCharts", "unmergeCharts",
                "reviewMerge", "reportDeath", "correctDeath",
            ),
            OF_THE_DESK,
        ),
    },
}  # fmt: skip
"""What random operations leave out, and where its audit is proven."""
OFFICERS = {"riverside": "priya", "lakeside": "marcus"}


@asynccontextmanager
async def asking(world: World, tenant: str, seed: int) -> AsyncIterator[Asker]:
    """Somebody who asks as everybody of a tenant, over a real socket."""
    people = sorted(key for key, (own, _) in world.people.items() if own == tenant)
    async with serving(world.app, listen(0)) as url, httpx2.AsyncClient(timeout=30) as client:
        planner = Planner(people, random.Random(seed))
        yield Asker(client, f"{url}/graphql", world.token, planner)


async def judged(asker: Asker, officer: str, count: int) -> Judge:
    """The verdict on so many operations; the trail is read when nothing moves any more."""
    (base,) = await trail(asker, officer, None)
    await asker.census()
    wish = 'query Nobody { record(chart: "no id at all") { __typename } }'
    await asker.ask(officer, wish, "Nobody", {"record": ("record", "no id at all", {})})
    await asker.wander(count)
    asked = list(asker.asked)
    entries = await trail(asker, officer, base["id"])
    judge = Judge(asker.planner.known.accounts)
    judge.nobody = next((e["chart"] for e in entries if e["operation"] == "Nobody"), None)
    judge.compare(asked, entries, await shares(asker, officer, base["id"], entries))
    return judge


@pytest.mark.parametrize("count", OPERATIONS)
async def test_what_people_saw_and_what_is_on_record_are_the_same(
    count: int, seedbed: Seedbed, tmp_path: Path
) -> None:
    print(f"ANAMNESIS_SEED={SEED}")
    async with living_world(seedbed, tmp_path) as world:
        await settle_in(world)
        del world.people["closed"]
        for tenant, share in (("riverside", 0.8), ("lakeside", 0.2)):
            async with asking(world, tenant, SEED) as asker:
                judge = await judged(asker, OFFICERS[tenant], int(count * share))
            doubts = sum(each.in_doubt for each in asker.asked)
            refused = sum(len(each.refused) + len(each.denied) for each in asker.asked)
            looks = sum(len(each.looks) for each in asker.asked)
            print(
                f"{tenant}: {len(asker.asked)} operations, {looks} looks with {judge.ids} ids,"
                f" {refused} refusals, {doubts} in doubt"
            )
            assert judge.wrong == []
            assert judge.ids > count * share / 2
            assert refused > count * share / 20


async def test_a_look_that_forgets_a_record_is_found(
    seedbed: Seedbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saw, forgotten = Looks.saw, []

    def forgetful(
        looks: Looks,
        chart: str | None,
        basis: Basis,
        rule: str,
        panel: str,
        records: list[str],
        as_of: int | None = None,
    ) -> None:
        if len(records) > 2:
            forgotten.append(records.pop())
        saw(looks, chart, basis, rule, panel, records, as_of)

    async with living_world(seedbed, tmp_path) as world, asking(world, "riverside", SEED) as asker:
        monkeypatch.setattr(Looks, "saw", forgetful)
        judge = await judged(asker, "priya", 60)
    # What the same operation showed twice is on record once more; a client may have hung up.
    assert 0 < len(judge.wrong) <= len(forgotten)
    assert all(wrong.endswith("was shown and is not on record") for wrong in judge.wrong)


async def test_a_refusal_that_is_not_put_on_record_is_found(
    seedbed: Seedbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with living_world(seedbed, tmp_path) as world, asking(world, "riverside", SEED) as asker:
        monkeypatch.setattr(Looks, "refused", lambda _looks, _chart, _rule: None)
        judge = await judged(asker, "priya", 60)
    refused = [each for each in asker.asked if each.refused]
    assert refused != []
    assert len(judge.wrong) == len(refused)


async def test_a_look_on_record_that_nobody_took_is_found(
    seedbed: Seedbed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saw, invented = Looks.saw, []

    def boastful(
        looks: Looks,
        chart: str | None,
        basis: Basis,
        rule: str,
        panel: str,
        records: list[str],
        as_of: int | None = None,
    ) -> None:
        saw(looks, chart, basis, rule, panel, records, as_of)
        if panel == "registry.demographics":
            invented.append("records.goals")
            saw(looks, chart, basis, rule, "records.goals", [], as_of)

    async with living_world(seedbed, tmp_path) as world, asking(world, "riverside", SEED) as asker:
        monkeypatch.setattr(Looks, "saw", boastful)
        judge = await judged(asker, "priya", 60)
    assert 0 < len(judge.wrong) <= len(invented)
    assert all("records.goals" in wrong for wrong in judge.wrong)


def test_the_oracle_asks_for_everything_that_shows_something_of_a_record() -> None:
    schema = build_schema((ROOT / "schema" / "schema.graphql").read_text())
    asked = {"Record": {*READS}, "Query": {*KINDS} - {"own"}, "Mutation": {*COMMANDS}}
    for name, fields in asked.items():
        known = schema.type_map[name]
        assert isinstance(known, GraphQLObjectType)
        assert fields | ELSEWHERE[name].keys() == known.fields.keys()
        assert not fields & ELSEWHERE[name].keys()
