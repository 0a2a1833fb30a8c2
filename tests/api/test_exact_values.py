"""What a source wrote, as front ends read it: digits, moments, and who else says the same."""

import json
from pathlib import Path

import pytest

from domain.identity import OpenAccount
from domain.registry import ChartOpened
from tests.adapters.fhir import lived
from tests.adapters.fhir.bundles import bundle, observation, patient, write
from tests.api.world import Json, World

pytestmark = pytest.mark.anyio
WRITTEN = {
    "1.10": "2026-03-01T09:30:00.000Z",
    "0.000001200": "2026-03-01T09:30:00.123456+02:00",
    "12345678901234567890.0123456789": "2026-03-01",
    "-0.0": "2026-03",
    "5.0e2": "2026",
}
OBSERVED = """{ record { observations(first: 50) { edges { node {
  value { value } occurred { text } source { system }
  alsoStatedBy { source { system } } } } } } }"""


async def bring(world: World, folder: Path, source: str, **identifier: str) -> None:
    """A patient's observations in which the numbers stand exactly as above."""
    measured = [
        observation(
            f"o{n}", effectiveDateTime=when, valueQuantity={"value": f"#{value}#", "unit": "mg"}
        )
        for n, (value, when) in enumerate(WRITTEN.items())
    ]
    given = json.dumps(bundle(patient(identifier=[identifier]), *measured))
    file = write(folder, given.replace('"#', "").replace('#"', ""))
    assert (await lived.imported(world.house, [file], source)).problems == ()


async def shown(world: World) -> list[Json]:
    """The observations of the one patient beside the story people, as that patient reads them."""
    opened = [
        one for one in await lived.recorded(world.house) if isinstance(one.event, ChartOpened)
    ]
    chart = opened[-1].header.stream
    links = await lived.rows(world.house, "registry_link", "chart::text, person::text")
    person = dict(tuple(row) for row in links)[chart]
    account = OpenAccount(login="measured", display_name="Measured", person=person)
    world.people["measured"] = ("riverside", (await world.do("riverside", account)).streams[0])
    found = (await world.data("measured", OBSERVED))["record"]["observations"]["edges"]
    return [edge["node"] for edge in found]


async def test_decimals_and_moments_are_served_byte_for_byte(
    own_world: World, tmp_path: Path
) -> None:
    await bring(own_world, tmp_path, "urn:hospital", system="urn:mrn", value="77")

    seen = await shown(own_world)

    assert {one["value"]["value"]: one["occurred"]["text"] for one in seen} == WRITTEN


async def test_one_fact_of_two_sources_is_shown_once_with_the_other_beside_it(
    own_world: World, tmp_path: Path
) -> None:
    for source in ("urn:hospital", "urn:other"):
        await bring(own_world, tmp_path, source, system="urn:mrn", value="77")

    seen = await shown(own_world)

    assert len(seen) == len(WRITTEN)
    for one in seen:
        said = [one["source"]["system"], *(o["source"]["system"] for o in one["alsoStatedBy"])]
        assert sorted(said) == ["urn:hospital", "urn:other"]
