"""Who may do what: every persona at every door, as approved in tests/contracts/policy.csv.

ANAMNESIS_APPROVE=1 writes the file anew from the run; read its difference like code.
"""

import asyncio
import csv
import io
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from demo.people import EVERYTHING
from demo.seed import seeding_actor
from domain.consent import GrantProxyAccess, WithdrawProxyAccess
from domain.directory import EndRole
from domain.kernel.context import Basis
from domain.kernel.perform import Request
from domain.kernel.rule import Asking, Permit, Rule
from tests.api.personas import NOBODY, OPERATIONS, PANELS, PERSONAS, clinician, settle_in, verdict
from tests.api.world import Seedbed, World, living_world, looks, revealed, shown_ids

pytestmark = pytest.mark.anyio
POLICY = Path(__file__).parents[1] / "contracts" / "policy.csv"
WHOLE = f"query ($chart: ID!) {{ record(chart: $chart) {{ {' '.join(PANELS.values())} }} }}"
PEEK = "query ($chart: ID!) { record(chart: $chart) { patient { id } } }"


@pytest.fixture(scope="module")
async def crowd(seedbed: Seedbed, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A house with every persona."""
    async with living_world(seedbed, tmp_path_factory.mktemp("crowd")) as made:
        await settle_in(made)
        yield made


async def test_every_persona_gets_at_every_door_what_the_approved_policy_says(
    crowd: World,
) -> None:
    rows = [
        [persona, *[await verdict(crowd, persona, operation) for operation in OPERATIONS]]
        for persona in PERSONAS
    ]
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([["persona", *OPERATIONS], *rows])
    if os.environ.get("ANAMNESIS_APPROVE"):
        POLICY.write_text(out.getvalue())
    assert out.getvalue() == POLICY.read_text()


def test_the_approved_policy_denies_what_must_never_be_allowed() -> None:
    with POLICY.open(newline="") as file:
        policy = {row["persona"]: row for row in csv.DictReader(file)}
    assert list(policy) == list(PERSONAS)
    assert set(policy["anonymous"].values()) == {"anonymous", "401"}
    outsiders = [name for name in PERSONAS if name.startswith("other tenant") or name in (
        "other patient", "proxy with messaging and scheduling", "proxy after withdrawal",
        "proxy after the end of the grant", "person with a closed account",
        "clinician not treating", "clinician who left the care team",
        "clinician whose role ended", "front desk",
    )]  # fmt: skip
    for name in outsiders:
        about_rosa = {door: policy[name][door] for door in OPERATIONS if door not in _OWN_DOORS}
        if name == "other tenant: compliance":
            # It may ask its own organisation's log, where that chart has never been heard of.
            del about_rosa["auditTrail"], about_rosa["recordAsOf"]
        assert set(about_rosa.values()) == {"deny"}, name
    for name in PERSONAS:
        if policy[name]["auditTrail"] == "allow" or policy[name]["recordAsOf"] == "allow":
            assert name.endswith("compliance")
        if policy[name]["matches"] == "allow" or policy[name]["reviewMerge"] == "allow":
            assert name == "health information management"


_OWN_DOORS = ("me", "record-own", "worklist")


@pytest.mark.parametrize(
    "persona",
    ["other patient", "proxy after withdrawal", "person with a closed account",
     "clinician not treating", "clinician who left the care team", "clinician whose role ended",
     "front desk", "compliance", "health information management", "other tenant: patient",
     "other tenant: proxy", "other tenant: clinician", "other tenant: front desk",
     "other tenant: compliance"],
)  # fmt: skip
async def test_with_every_rule_saying_yes_the_database_shows_no_foreign_row(
    crowd: World, monkeypatch: pytest.MonkeyPatch, persona: str
) -> None:
    def yes(_rule: Rule, _asking: Asking) -> Permit:
        return Permit(Basis("system"))

    monkeypatch.setattr(Rule, "permit", yes)
    person = PERSONAS[persona]
    assert person is not None
    chart = (await crowd.ids(person)).hide("chart", crowd.seeded.charts["rosa"])
    assert shown_ids(await crowd.data("rosa", WHOLE, chart=await crowd.chart("rosa")))
    body = (await crowd.ask(person, WHOLE, {"chart": chart})).json()
    assert "errors" not in body
    assert shown_ids(body["data"]) == []
    assert set(body["data"]["record"]) == set(PANELS)
    mine = await crowd.data(person, "{ me { records { edges { node { patient { id } } } } } }")
    assert chart not in shown_ids(mine)


@pytest.mark.parametrize("person", ["noor", "lindgren", "marcus"])
async def test_with_every_rule_saying_yes_no_row_of_another_tenant_is_shown(
    crowd: World, monkeypatch: pytest.MonkeyPatch, person: str
) -> None:
    def yes(_rule: Rule, _asking: Asking) -> Permit:
        return Permit(Basis("system"))

    monkeypatch.setattr(Rule, "permit", yes)
    document = f"""query ($chart: ID!) {{
      recordAsOf(chart: $chart) {{ {" ".join(PANELS.values())} }}
      auditTrail(first: 100) {{ edges {{ node {{ id }} }} }} }}"""
    ids = await crowd.ids(person)
    chart = ids.hide("chart", crowd.seeded.charts["rosa"])
    data = await crowd.data(person, document, chart=chart)
    assert shown_ids(data["recordAsOf"]) == []
    here = {event.header.event for event in await crowd.since(0, "lakeside")}
    seen = set(revealed(ids, shown_ids(data["auditTrail"])))
    assert len(seen) == 100
    assert seen <= here


async def test_a_withdrawal_holds_from_the_very_next_request(own_world: World) -> None:
    chart = await own_world.chart("jun")
    grantee = (await own_world.data("mei", "{ me { person } }"))["me"]["person"]
    start = """mutation ($chart: ID!, $grantee: ID!, $key: String!) { grantProxyAccess(input: {
      idempotencyKey: $key, chart: $chart, grantee: $grantee, kind: CAREGIVER,
      scopes: [RECORDS]}) { __typename } }"""
    end = """mutation ($chart: ID!, $grantee: ID!, $key: String!) { withdrawProxyAccess(input: {
      idempotencyKey: $key, chart: $chart, grantee: $grantee}) { __typename } }"""
    for turn in range(5):
        wish = {"chart": chart, "grantee": grantee, "key": f"turn {turn}"}
        assert (await own_world.data("mei", PEEK, chart=chart))["record"] is not None
        reading = [asyncio.create_task(own_world.data("mei", PEEK, chart=chart)) for _ in range(8)]
        ended = await own_world.data("jun", end, **wish)
        assert ended["withdrawProxyAccess"]["__typename"] == "ProxyAccessChanged"
        after = await asyncio.gather(*(own_world.data("mei", PEEK, chart=chart) for _ in range(8)))
        assert [answer["record"] for answer in after] == [None] * 8
        await asyncio.gather(*reading)
        await own_world.data("jun", start, **wish)


async def test_a_withdrawal_holds_although_nobody_waited_for_the_read_models(
    own_world: World,
) -> None:
    chart = own_world.seeded.charts["rosa"]
    practitioner = await clinician(own_world, "nurse")
    person = await own_world.newcomer("helper")
    actor = seeding_actor("riverside")
    grant = GrantProxyAccess(chart=chart, grantee=person, kind="helper", scopes=EVERYTHING)
    await own_world.do("riverside", grant)
    for who, wish in (
        ("nurse", EndRole(practitioner=practitioner, role="clinician")),
        ("helper", WithdrawProxyAccess(chart=chart, grantee=person)),
    ):
        opaque = await own_world.chart("rosa")
        assert (await own_world.data(who, PEEK, chart=opaque))["record"] is not None
        await own_world.house.do(Request(command=wish, actor=actor, key=who))
        assert (await own_world.data(who, PEEK, chart=opaque))["record"] is None


async def test_a_grant_of_one_chart_opens_no_other(crowd: World) -> None:
    before = await crowd.head()
    for patient in ("omar", "jun", "tess"):
        answer = await crowd.data("proxy-all", PEEK, chart=await crowd.chart(patient))
        assert answer["record"] is None
    assert looks(await crowd.since(before)) == []
    assert NOBODY not in crowd.seeded.charts.values()
