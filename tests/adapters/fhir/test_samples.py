"""The mapping of the real sample input; what an import makes of it is in tests/samples."""

import json
import os
from pathlib import Path
from time import process_time

import pytest

from adapters.fhir import resources
from adapters.fhir.files import bundles_at, read_bundle
from adapters.fhir.mapping import records

pytestmark = [pytest.mark.anyio, pytest.mark.samples]


@pytest.fixture(scope="module")
def folder() -> Path:
    return Path(os.environ["ANAMNESIS_SAMPLES"]) / "synthea"


async def test_written_numbers_survive(folder: Path) -> None:
    """Every valueQuantity stands in the received bytes as the domain holds it."""
    for path in bundles_at([folder]):
        if "Information" in path.name or path.name == "EXPECTED.json":
            continue
        for entry in read_bundle(path).entries:
            if entry.resource_type != "Observation":
                continue
            fact, _ = records.observation(entry.decode(resources.Observation), None)
            assert fact.observation is not None
            if fact.observation.quantity and fact.observation.quantity.value:
                plain = json.loads(entry.content, parse_float=str, parse_int=str)
                assert plain["valueQuantity"]["value"] == fact.observation.quantity.value


async def test_mapping_takes_less_than_100_microseconds_a_resource(folder: Path) -> None:
    entries = [
        one
        for path in bundles_at([folder])
        if path.name.startswith("v3-")
        for one in read_bundle(path).entries
        if one.resource_type == "Observation"
    ]

    started = process_time()
    for entry in entries:
        records.observation(entry.decode(resources.Observation), None)

    assert (process_time() - started) / len(entries) < 100e-6
