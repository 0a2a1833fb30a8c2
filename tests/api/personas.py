"""Everybody who may stand before Rosa's record, and what they may wish."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import pytest

from demo.people import EVERYTHING, TEEN
from domain.care import JoinCareTeam, LeaveCareTeam
from domain.consent import GrantProxyAccess, WithdrawProxyAccess
from domain.directory import EndRole, GiveRole, ListPractitioner, Practitioner
from domain.identity import CloseAccount, OpenAccount
from domain.kernel.values import Name
from tests.api.world import World

PANELS = {
    "patient": "patient { id }",
    "conditions": "conditions { edges { node { id } } }",
    "allergies": "allergies { edges { node { id } } }",
    "medications": "medications { edges { node { id } } }",
    "immunizations": "immunizations { edges { node { id } } }",
    "labReports": "labReports { edges { node { id } } }",
    "observations": "observations { edges { node { id } } }",
    "visits": "visits { edges { node { id } } }",
    "proxies": "proxies { edges { node { id } } }",
}
CHANGED = "{ __typename ... on Problem { code } }"
OPERATIONS = {
    "me": "{ me { id name } }",
    "record-own": "{ record { patient { id } } }",
    "record-other": "query ($chart: ID!) { record(chart: $chart) { __typename } }",
    **{
        f"record.{name}": f"query ($chart: ID!) {{ record(chart: $chart) {{ {panel} }} }}"
        for name, panel in PANELS.items()
    },
    "worklist": "{ worklist { edges { node { chart } } } }",
    "auditTrail": "query ($chart: ID!) { auditTrail(chart: $chart) { pageInfo { endCursor } } }",
    "recordAsOf": "query ($chart: ID!) { recordAsOf(chart: $chart) { patient { id } } }",
    "matches": "{ matches { pageInfo { hasNextPage } } }",
    "reviewMerge": f"""mutation ($chart: ID!, $key: String!) {{ reviewMerge(input: {{
      idempotencyKey: $key, chart: $chart, reason: "the matrix"}}) {CHANGED} }}""",
    "grantProxyAccess": f"""mutation ($chart: ID!, $grantee: ID!, $key: String!) {{
      grantProxyAccess(input: {{idempotencyKey: $key, chart: $chart, grantee: $grantee,
        kind: HELPER, scopes: [MESSAGING]}}) {CHANGED} }}""",
    "withdrawProxyAccess": f"""mutation ($chart: ID!, $grantee: ID!, $key: String!) {{
      withdrawProxyAccess(input: {{idempotencyKey: $key, chart: $chart, grantee: $grantee}})
        {CHANGED} }}""",
}  # fmt: skip
PERSONAS: dict[str, str | None] = {
    "anonymous": None,
    "patient": "rosa",
    "other patient": "omar",
    "proxy with every scope": "proxy-all",
    "proxy with records only": "proxy-records",
    "proxy with results only": "proxy-results",
    "proxy with prescriptions only": "proxy-prescriptions",
    "proxy with messaging and scheduling": "proxy-teen",
    "proxy after withdrawal": "proxy-withdrawn",
    "proxy after the end of the grant": "proxy-ended",
    "person with a closed account": "closed",
    "clinician treating": "adeyemi",
    "clinician in the care team": "teammate",
    "clinician not treating": "stranger",
    "clinician who left the care team": "leaver",
    "clinician whose role ended": "retired",
    "front desk": "sam",
    "compliance": "priya",
    "health information management": "nora",
    "other tenant: patient": "noor",
    "other tenant: proxy": "aoife",
    "other tenant: clinician": "lindgren",
    "other tenant: front desk": "june",
    "other tenant: compliance": "marcus",
}
NOBODY = "00000000-0000-4000-8000-00000000000a"


async def settle_in(world: World) -> None:
    """Give the world every persona beyond the story people, around Rosa's chart."""
    soon = datetime.now(UTC) + timedelta(hours=1)
    await _proxy(world, "proxy-all", EVERYTHING)
    await _proxy(world, "proxy-records", ("records",))
    await _proxy(world, "proxy-results", ("results",))
    await _proxy(world, "proxy-prescriptions", ("prescriptions",))
    await _proxy(world, "proxy-teen", TEEN)
    await _proxy(world, "proxy-ended", EVERYTHING, until=soon)
    gone = await _proxy(world, "proxy-withdrawn", EVERYTHING)
    rosa = world.seeded.charts["rosa"]
    await world.do("riverside", WithdrawProxyAccess(chart=rosa, grantee=gone))
    await _proxy(world, "closed", EVERYTHING)
    await world.do("riverside", CloseAccount(account=world.people["closed"][1], reason="moved"))
    await clinician(world, "stranger", treats=False)
    await clinician(world, "teammate")
    leaver = await clinician(world, "leaver")
    await world.do("riverside", LeaveCareTeam(chart=rosa, practitioner=leaver))
    retired = await clinician(world, "retired")
    await world.do("riverside", EndRole(practitioner=retired, role="clinician"))


async def _proxy(
    world: World, key: str, scopes: tuple[str, ...], until: datetime | None = None
) -> str:
    person = await world.newcomer(key)
    chart = world.seeded.charts["rosa"]
    grant = GrantProxyAccess(chart=chart, grantee=person, kind="helper", scopes=scopes, until=until)
    await world.do("riverside", grant)
    return person


async def clinician(world: World, key: str, *, treats: bool = True) -> str:
    """A new clinician, in Rosa's care team if they treat her; returns the practitioner."""
    listing = ListPractitioner(key=key, practitioner=Practitioner(names=(Name(key),)))
    ident = (await world.do("riverside", listing)).streams[0]
    await world.do("riverside", GiveRole(practitioner=ident, role="clinician"))
    account = OpenAccount(login=key, display_name=key, practitioner=ident)
    world.people[key] = ("riverside", (await world.do("riverside", account)).streams[0])
    if treats:
        rosa = world.seeded.charts["rosa"]
        team = JoinCareTeam(chart=rosa, practitioner=ident, function="nurse")
        await world.do("riverside", team)
    return ident


@contextmanager
def later(world: World, hours: int) -> Iterator[None]:
    """The clock of the house is this much ahead."""
    with pytest.MonkeyPatch.context() as patch:
        ahead = timedelta(hours=hours)
        patch.setattr(world.house.log, "now", lambda: datetime.now(UTC) + ahead)
        yield


async def verdict(world: World, persona: str, operation: str) -> str:
    """allow, deny, or the status of an answer that is none; about Rosa's chart.

    Somebody of another organisation asks with its own name for the very same chart.
    """
    person = PERSONAS[persona]
    ids = await world.ids(person or "rosa")
    variables = {
        "chart": ids.hide("chart", world.seeded.charts["rosa"]),
        "grantee": ids.hide("person", NOBODY),
        "key": f"{persona} {operation}",
    }
    document = OPERATIONS[operation]
    taken = {name: value for name, value in variables.items() if f"${name}:" in document}
    with later(world, 2 if person == "proxy-ended" else 0):
        answer = await world.ask(person, document, taken)
    if answer.status_code != 200:
        return str(answer.status_code)
    body = answer.json()
    return "allow" if "errors" not in body and _granted(body["data"]) else "deny"


def _granted(data: object) -> bool:
    """Whether something is at the end of every branch; a list may be empty."""
    if isinstance(data, dict):
        if str(data.get("__typename", "")).endswith("Problem"):
            return False
        return all(map(_granted, data.values()))
    return data is not None
