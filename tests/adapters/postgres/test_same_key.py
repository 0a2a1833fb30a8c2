"""Several callers under one idempotency key at once: one outcome, and the same ids for all."""

import asyncio

import pytest

from adapters.fhir.importing import import_bundles
from api.house import House
from api.inbound.fhir import HouseIntake
from tests.adapters.fhir.bundles import SOURCE, bundle, of_patient, patient, write
from tests.adapters.postgres.acts import do, operator, rows
from tests.adapters.postgres.acts import patient as report

pytestmark = pytest.mark.anyio


async def test_callers_of_one_key_get_the_streams_that_were_written(house: House, dsn: str) -> None:
    receipts = await asyncio.gather(*(do(house, report(1), key="one") for _ in range(12)))
    [chart] = await rows(dsn, "SELECT stream::text FROM event WHERE type = 'registry.chart-opened'")
    assert {receipt.streams[0] for receipt in receipts} == {chart[0]}
    assert {(receipt.first, receipt.last) for receipt in receipts} == {(1, 3)}
    assert sum(not receipt.repeated for receipt in receipts) == 1


async def test_a_file_imported_twice_at_once_is_filed_once(
    living_house: House, dsn: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    condition = of_patient("Condition", "c1", code={"text": "Flu"})
    path = write(tmp_path_factory.mktemp("in"), bundle(patient(), condition))
    intake = HouseIntake(living_house, operator())
    reports = await asyncio.gather(*(import_bundles([path], intake, SOURCE) for _ in range(4)))
    assert [report.problems for report in reports] == [()] * 4
    charts = await rows(
        dsn,
        "SELECT DISTINCT convert_from(header, 'utf8')::jsonb->>'chart'"
        " FROM event WHERE type IN ('registry.chart-opened',"
        " 'records.record-filed')",
    )
    assert len(charts) == 1
    assert await rows(dsn, "SELECT count(*) FROM event WHERE type = 'records.record-filed'") == [
        (1,)
    ]


async def test_a_fact_that_is_too_large_is_set_aside_and_the_rest_goes_in(
    living_house: House, dsn: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    large = of_patient("Condition", "c1", code={"text": "x" * 70_000})
    small = of_patient("Condition", "c2", code={"text": "Flu"})
    path = write(tmp_path_factory.mktemp("in"), bundle(patient(), large, small))
    report = await import_bundles([path], HouseIntake(living_house, operator()), SOURCE)
    assert [problem.reason for problem in report.problems] == ["kernel.event_too_large"]
    assert await rows(dsn, "SELECT count(*) FROM event WHERE type = 'records.record-filed'") == [
        (1,)
    ]
