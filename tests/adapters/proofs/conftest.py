"""A house whose two logs hold some hundred events, and a hand that can tamper with them."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from shutil import copytree
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from adapters.embedded import EmbeddedPostgres
from adapters.postgres.verification import verify
from adapters.proofs.findings import Verification
from api.house import House, open_house
from api.settings import Settings
from domain import records, registry
from domain.kernel.context import Actor
from domain.kernel.perform import Request
from domain.kernel.values import Concept, Identifier, Name, Source
from tests.conftest import TENANTS

CHARTS = 4
FACTS = 20
EVENTS = CHARTS * (3 + 2 * FACTS)
"""Reporting a patient takes three events; each fact is filed, and corrected in a later span."""


@dataclass(frozen=True, slots=True)
class Logs:
    """Two filled logs; `owner` is a superuser whose statements fire no triggers."""

    house: House
    owner: asyncpg.Connection

    async def verified(
        self, tenant: str = "riverside", workers: int = 1, span: int = 64
    ) -> Verification:
        """The auditor's verification of a tenant."""
        return await verify(
            self.house.settings.role_dsn("auditor"),
            tenant,
            self.house.keys,
            lambda _done, _all: None,
            workers,
            span=span,
        )

    async def found(self) -> list[tuple[int, str]]:
        """Position and code of what is wrong with riverside; lakeside must be untouched."""
        assert (await self.verified("lakeside")).ok
        return [(wrong.position, wrong.code) for wrong in (await self.verified()).wrongs]


async def open_charts(house: House, tenant: str, charts: int) -> list[str]:
    """Ids of new charts."""
    return [await _chart(house, tenant, number) for number in range(charts)]


async def file_records(
    house: House, tenant: str, charts: list[str], numbers: range, text: str = "Flu"
) -> None:
    """One record per chart and number, all at once; another text corrects it."""
    await asyncio.gather(*(_record(house, tenant, c, n, text) for c in charts for n in numbers))


def operator(tenant: str) -> Actor:
    return Actor(tenant=tenant, id="op", kind="operator", purpose="HOPERAT", reason="test")


async def _chart(house: House, tenant: str, number: int) -> str:
    command = registry.ReportPatient(
        identifier=Identifier("urn:example:mrn", str(number)),
        demographics=registry.Demographics(names=(Name("Doe", ("Jo",)),)),
    )
    receipt = await house.do(Request(command=command, actor=operator(tenant), key=f"p{number}"))
    return receipt.streams[0]


async def _record(house: House, tenant: str, chart: str, number: int, text: str) -> None:
    ident = f"{chart}-{number}"
    command = records.FileRecord(
        chart=chart,
        key=ident,
        source=Source("urn:example:ehr", "Condition", ident),
        fact=records.Fact(condition=records.Condition(concept=Concept(text=text))),
    )
    await house.do(Request(command=command, actor=operator(tenant), key=f"{ident} {text}"))


@pytest.fixture(scope="module")
async def filled(
    postgres: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Settings]:
    """A house that is closed again, with EVENTS events in the log of each tenant."""
    name = f"filled_{uuid4().hex}"
    dsn = postgres.create_database(name, template="template_anamnesis")
    settings = Settings.in_folder(tmp_path_factory.mktemp("filled"), dsn, profile="demo")
    async with open_house(settings) as house:
        for tenant in TENANTS:
            charts = await open_charts(house, tenant, CHARTS)
            await file_records(house, tenant, charts, range(FACTS))
            await file_records(house, tenant, charts, range(FACTS), "Cold")
    yield settings
    postgres.drop_database(name)


@pytest.fixture
async def logs(filled: Settings, postgres: EmbeddedPostgres, tmp_path: Path) -> AsyncIterator[Logs]:
    """A copy of the filled house, opened."""
    name = f"test_{uuid4().hex}"
    dsn = postgres.create_database(name, template=urlsplit(filled.dsn).path[1:])
    settings = Settings.in_folder(tmp_path, dsn, profile="demo")
    copytree(filled.keys, settings.keys)
    async with open_house(settings) as house:
        owner = await asyncpg.connect(dsn)
        await owner.execute("SET session_replication_role = replica")
        yield Logs(house, owner)
        await owner.close()
    postgres.drop_database(name)
