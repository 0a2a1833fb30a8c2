"""The record of an HIV patient of the samples over HTTP: what the patient sees and a proxy not."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from api.cli.place import operator_actor
from api.inbound.fhir import HouseIntake
from demo.seed import Seeded
from domain.consent import GrantProxyAccess
from domain.identity import OpenAccount
from tests.api.world import Json, World, inhabited
from tests.samples.imported import SYNTHEA, TENANT, Imported, fetch, resources

pytestmark = [pytest.mark.anyio, pytest.mark.samples]
PATIENT = "3d195286-ce77-f5b3-b64f-3eacfb9c273e"
PANELS = ("conditions", "observations", "documents", "notes", "visits")

LABELLED = ("observations", "documents", "notes")
"""What says something about HIV in the chosen file; its one condition is tuberculosis."""


@dataclass(frozen=True, slots=True)
class Served:
    """The served house with the patient and a proxy, and the resources of the patient's file."""

    world: World
    sent: list[Json]


@pytest.fixture(scope="module")
async def served(
    synthea: Imported, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Served]:
    """Accounts for one HIV patient and a proxy who may see records and results."""
    intake = HouseIntake(synthea.house, operator_actor(TENANT, "tester", "sample data"))
    (known,) = (await intake.known([(SYNTHEA, "Patient", PATIENT)])).values()
    links = await fetch(synthea.house, "SELECT chart::text, person::text FROM model.registry_link")
    person = dict(tuple(row) for row in links)[known.stream]
    seeded = Seeded(accounts={}, charts={"patient": known.stream}, reports={})
    async with inhabited(synthea.house, seeded, tmp_path_factory.mktemp("http")) as world:
        account = OpenAccount(login="patient", display_name="Patient", person=person)
        world.people["patient"] = (TENANT, (await world.do(TENANT, account)).streams[0])
        grant = GrantProxyAccess(
            chart=known.stream,
            grantee=await world.newcomer("proxy"),
            kind="caregiver",
            scopes=("records", "results"),
        )
        await world.do(TENANT, grant)
        (file,) = synthea.folder.glob(f"hiv-*{PATIENT}*")
        yield Served(world, list(resources(file)))


async def pages(served: Served, who: str, panel: str, first: int, shows: str) -> list[list[Json]]:
    """A panel page by page to its end."""
    chart, after, found = await served.world.chart("patient", seen_by=who), None, []
    while True:
        data = await served.world.data(
            who,
            f"""query ($chart: ID, $first: Int, $after: String) {{ record(chart: $chart) {{
              {panel}(first: $first, after: $after) {{ edges {{ node {{ {shows} }} }}
                pageInfo {{ hasNextPage endCursor }} }} }} }}""",
            chart=chart,
            first=first,
            after=after,
        )
        page = data["record"][panel]
        found.append([edge["node"] for edge in page["edges"]])
        after = page["pageInfo"]["endCursor"]
        if not page["pageInfo"]["hasNextPage"]:
            return found


@pytest.mark.parametrize("panel", PANELS)
async def test_a_proxy_sees_no_fact_about_hiv_and_no_gap_where_it_is(
    served: Served, panel: str
) -> None:
    own = [one for page in await pages(served, "patient", panel, 100, "id labels") for one in page]
    open_to_all = [one["id"] for one in own if not one["labels"]]
    assert own
    if panel in LABELLED:
        assert "HIV" in {label for one in own for label in one["labels"]}

    for first in (1, 7, 100):
        seen = await pages(served, "proxy", panel, first, "id labels")
        assert [one["id"] for page in seen for one in page] == open_to_all, first
        assert {len(page) for page in seen[:-1]} <= {first}
        assert all(one["labels"] == [] for page in seen for one in page)
        # The last page does not promise another one that holds only what is hidden.
        assert seen[-1] or not open_to_all


async def test_decimals_and_times_of_the_file_are_served_as_they_are_written(
    served: Served,
) -> None:
    shows = "value { value } occurred { text }"
    nodes = [
        one for page in await pages(served, "patient", "observations", 100, shows) for one in page
    ]
    seen = Counter(
        (one["value"]["value"], one["occurred"]["text"]) for one in nodes if one["value"]
    )
    sent = Counter(
        (one["valueQuantity"]["value"], one["effectiveDateTime"])
        for one in served.sent
        if one["resourceType"] == "Observation" and "valueQuantity" in one
    )
    assert seen
    assert seen <= sent
