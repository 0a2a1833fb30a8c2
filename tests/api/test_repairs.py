"""What is set aside over HTTP: seen and settled by health information staff, by nobody else."""

import json
from pathlib import Path

import pytest

from domain.directory import GiveRole, ListPractitioner, Practitioner
from domain.identity import OpenAccount
from domain.kernel.values import Name
from domain.records import RecordFiled, ResourceDismissed, ResourceRepaired
from tests.adapters.fhir import lived
from tests.adapters.fhir.bundles import concept, of_patient, patient
from tests.api.world import Json, World, looks

pytestmark = pytest.mark.anyio
LIST = """query Waiting($reason: String) { setAside(reason: $reason) { edges { node {
  id type reason at identifier version } } pageInfo { hasNextPage } } }"""
RESULT = """{ __typename ... on ResourceSettled { repeated }
  ... on Problem { code path } }"""
REPAIR = f"mutation R($input: RepairResourceInput!) {{ repairResource(input: $input) {RESULT} }}"
DISMISS = f"mutation D($input: DismissResourceInput!) {{ dismissResource(input: $input) {RESULT} }}"
BROKEN = of_patient("Condition", "c1", code=5)
MENDED = of_patient("Condition", "c1", code=concept("1")) | {"subject": {"reference": "Patient/p1"}}


async def keeper(world: World) -> str:
    """Somebody of health information."""
    listing = ListPractitioner(
        key="keeper", practitioner=Practitioner(names=(Name(family="Keeper"),))
    )
    who = (await world.do("riverside", listing)).streams[0]
    await world.do("riverside", GiveRole(practitioner=who, role="health-information"))
    account = OpenAccount(login="keeper", display_name="Keeper", practitioner=who)
    world.people["keeper"] = ("riverside", (await world.do("riverside", account)).streams[0])
    return "keeper"


async def waiting(world: World, person: str, reason: str | None = None) -> list[Json]:
    found = (await world.data(person, LIST, reason=reason))["setAside"]
    return [edge["node"] for edge in found["edges"]]


async def settled(world: World, person: str, document: str, name: str, **given: object) -> Json:
    result: Json = (await world.data(person, document, input={"idempotencyKey": "k"} | given))[name]
    return result


async def test_staff_see_what_is_set_aside_and_the_look_is_on_record(
    own_world: World, tmp_path: Path
) -> None:
    who = await keeper(own_world)
    await lived.brought(own_world.house, tmp_path, patient(), BROKEN)
    before = await own_world.head()

    (one,) = await waiting(own_world, who)

    assert (one["type"], one["reason"], one["at"], one["identifier"]) == (
        "Condition",
        "malformed",
        "$.code",
        "c1",
    )
    assert await waiting(own_world, who, "no-patient") == []
    first, *_ = looks(await own_world.since(before))
    assert first.panels == ("records.set-aside",)


@pytest.mark.parametrize("person", ["rosa", "adeyemi", "sam"])
async def test_nobody_else_sees_or_settles_it(
    own_world: World, tmp_path: Path, person: str
) -> None:
    who = await keeper(own_world)
    await lived.brought(own_world.house, tmp_path, patient(), BROKEN)
    (one,) = await waiting(own_world, who)

    answer = (await own_world.ask(person, LIST)).json()
    repair = await settled(
        own_world, person, REPAIR, "repairResource", id=one["id"], reason="x",
        resource=json.dumps(MENDED),
    )  # fmt: skip
    dismiss = await settled(own_world, person, DISMISS, "dismissResource", id=one["id"], reason="x")

    assert (answer.get("data") or {}).get("setAside") is None
    assert repair["__typename"] == dismiss["__typename"] == "NotFoundProblem"
    assert await waiting(own_world, who) == [one]


async def test_a_corrected_resource_is_filed_and_set_aside_no_more(
    own_world: World, tmp_path: Path
) -> None:
    who = await keeper(own_world)
    await lived.brought(own_world.house, tmp_path, patient(), BROKEN)
    (one,) = await waiting(own_world, who)
    before = await own_world.head()
    given = {"id": one["id"], "reason": "typing error", "expectedVersion": one["version"]}

    still = await settled(own_world, who, REPAIR, "repairResource", **given)
    done = await settled(
        own_world, who, REPAIR, "repairResource", **given, resource=json.dumps(MENDED)
    )
    await own_world.house.progress.reach_head("riverside", lived.NAMES, seconds=30)

    assert (still["__typename"], still["path"]) == (
        "InputProblem",
        ["resource", "malformed", "$.code"],
    )
    assert done == {"__typename": "ResourceSettled", "repeated": False}
    events = await own_world.since(before)
    (filed,) = [one for one in events if isinstance(one.event, RecordFiled)]
    (repaired,) = [one for one in events if isinstance(one.event, ResourceRepaired)]
    assert filed.context.actor_kind == "system"
    assert repaired.context.actor == own_world.people["keeper"][1]
    assert await waiting(own_world, who) == []
    again = await settled(
        own_world, who, REPAIR, "repairResource", **given, resource=json.dumps(MENDED)
    )
    assert again == {"__typename": "ResourceSettled", "repeated": True}


async def test_a_dismissed_resource_stays_away_until_its_source_sends_another(
    own_world: World, tmp_path: Path
) -> None:
    who = await keeper(own_world)
    await lived.brought(own_world.house, tmp_path, patient(), BROKEN)
    (one,) = await waiting(own_world, who)

    done = await settled(own_world, who, DISMISS, "dismissResource", id=one["id"], reason="noise")
    await lived.brought(own_world.house, tmp_path, patient(), BROKEN)

    assert done["__typename"] == "ResourceSettled"
    assert await waiting(own_world, who) == []
    (event,) = await lived.events(own_world.house, ResourceDismissed)
    assert event.reason == "noise"
    await lived.brought(own_world.house, tmp_path, patient(), BROKEN | {"code": 6})
    assert [one["reason"] for one in await waiting(own_world, who)] == ["malformed"]
