"""The story people behind the real API: who asks, what is answered, and what the log says of it."""

import shutil
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
from starlette.types import ASGIApp

from adapters.embedded import EmbeddedPostgres
from adapters.postgres.trail import Trail
from api.app import Door, application
from api.auth.tokens import DEMO_ISSUER, DemoIssuer, TokenVerifier
from api.house import House, open_house, projecting
from api.lane import LaneLimits
from api.opaque import OpaqueIds
from api.settings import Settings
from demo.people import PEOPLE
from demo.seed import TOLD_ON, Seeded, seed, seeding_actor
from domain.audit import AccessRefused, RecordsViewed
from domain.identity import OpenAccount
from domain.kernel.command import Command
from domain.kernel.event import Recorded
from domain.kernel.perform import Receipt, Request
from domain.registry import RegisterPerson
from projections.catalogue import PROJECTIONS

URL = "http://anamnesis.test/graphql"
TENANTS = {person.key: person.tenant for person in PEOPLE}
Json = dict[str, Any]
TODAY = datetime.now(UTC).date()
"""The day as of which the stories of every seedbed are told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seedbed:
    """A seeded database that nobody is connected to, and the folder with its keys."""

    postgres: EmbeddedPostgres
    database: str
    folder: Path
    seeded: Seeded


@dataclass(slots=True, kw_only=True)
class World:
    """An open house with its story people, a client, and somebody to look into the log."""

    house: House
    seeded: Seeded
    issuer: DemoIssuer
    door: Door
    app: ASGIApp
    client: httpx2.AsyncClient
    people: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Tenant and account by key; tests add theirs."""

    def token(self, person: str) -> str:
        """A fresh token of somebody; their session is named after them."""
        tenant, account = self.people[person]
        return self.issuer.mint(account, tenant, f"session-{person}")

    async def ask(
        self,
        person: str | None,
        document: str,
        variables: Mapping[str, object] | None = None,
        position: str | None = None,
    ) -> httpx2.Response:
        """The answer to an operation; nobody asks without a token."""
        headers = {"accept": "application/graphql-response+json"}
        if person is not None:
            headers["authorization"] = f"Bearer {self.token(person)}"
        body: Json = {"query": document, "variables": dict(variables or {})}
        if position is not None:
            body["extensions"] = {"position": position}
        return await self.client.post(URL, json=body, headers=headers)

    async def data(self, person: str, document: str, **variables: object) -> Json:
        """The data of an answer without errors."""
        answer = await self.ask(person, document, variables)
        body: Json = answer.json()
        assert answer.status_code == 200, body
        assert "errors" not in body, body
        data: Json = body["data"]
        return data

    async def ids(self, person: str) -> OpaqueIds:
        """The opaque ids of somebody's tenant."""
        return await self.door.ids(self.people[person][0])

    async def chart(self, patient: str, seen_by: str | None = None) -> str:
        """The opaque id of a patient's chart in the tenant of whoever sees it."""
        return (await self.ids(seen_by or patient)).hide("chart", self.seeded.charts[patient])

    async def do(self, tenant: str, command: Command[Any], key: str | None = None) -> Receipt:
        """An operator's command, waited for by every read model."""
        wish = Request(command=command, actor=seeding_actor(tenant), key=key or uuid4().hex)
        receipt = await self.house.do(wish)
        if receipt.last is not None:
            await self.house.progress.reach(tenant, receipt.last, NAMES, seconds=30)
        return receipt

    async def newcomer(self, key: str, tenant: str = "riverside") -> str:
        """An account under this key for a new person; returns the person."""
        person = (await self.do(tenant, RegisterPerson(key=key))).streams[0]
        account = OpenAccount(login=key, display_name=key.title(), person=person)
        self.people[key] = (tenant, (await self.do(tenant, account)).streams[0])
        return person

    async def head(self, tenant: str = "riverside") -> int:
        """The log's last position."""
        return await self.trail(tenant).head()

    def trail(self, tenant: str) -> Trail:
        """The events of a tenant."""
        return Trail(self.house.auditor, self.house.keys, tenant)

    async def since(self, position: int, tenant: str = "riverside") -> list[Recorded]:
        """Every event beyond a position, in order, from the log itself."""
        head = await self.head(tenant)
        return await self.trail(tenant).events(range(position + 1, head + 1))


PATIENT = LaneLimits(
    in_service=8,
    per_caller=8,
    dear=8,
    new=8,
    waiting_per_caller=256,
    patience_s=60,
    overload_s=60,
)
"""A gate at which nobody is refused for a busy machine's sake: it has tests of its own."""
NAMES = [projection.name for projection in PROJECTIONS]


def looks(events: list[Recorded]) -> list[RecordsViewed]:
    """The looks among events."""
    return [event.event for event in events if isinstance(event.event, RecordsViewed)]


def refusals(events: list[Recorded]) -> list[AccessRefused]:
    """The refusals among events."""
    return [event.event for event in events if isinstance(event.event, AccessRefused)]


def shown_ids(answer: object) -> list[str]:
    """Every `id` of an answer, in its order."""
    if isinstance(answer, dict):
        own = [value for name, value in answer.items() if name == "id"]
        return own + [ident for value in answer.values() for ident in shown_ids(value)]
    if isinstance(answer, list):
        return [ident for value in answer for ident in shown_ids(value)]
    return []


def revealed(ids: OpaqueIds, shown: list[str]) -> list[str]:
    """What opaque ids stand for; each names its own kind."""
    return [ids.reveal(ident.partition("_")[0], ident) for ident in shown]


async def sow(postgres: EmbeddedPostgres, folder: Path) -> Seedbed:
    """A database with every story patient, all read models at the head."""
    database = f"seeded_{uuid4().hex}"
    dsn = postgres.create_database(database, template="template_anamnesis")
    settings = Settings.in_folder(folder / "house", dsn, profile="demo")
    (folder / "stories").mkdir()
    (folder / "stories" / TOLD_ON).write_text(TODAY.isoformat())
    async with open_house(settings) as house, projecting(house):
        seeded = await seed(house, folder / "stories", lambda _tenant, _progress: None)
        for tenant in await house.tenants():
            head = await Trail(house.auditor, house.keys, tenant).head()
            await house.progress.reach(tenant, head, NAMES, seconds=60)
    return Seedbed(postgres=postgres, database=database, folder=folder / "house", seeded=seeded)


@contextmanager
def planted(bed: Seedbed, folder: Path) -> Iterator[Settings]:
    """The settings of a copy of the seeded database with its keys, dropped in the end."""
    database = f"world_{uuid4().hex}"
    dsn = bed.postgres.create_database(database, template=bed.database)
    shutil.copytree(bed.folder, folder / "house")
    try:
        yield Settings.in_folder(folder / "house", dsn, profile="demo")
    finally:
        bed.postgres.drop_database(database)


@asynccontextmanager
async def inhabited(house: House, seeded: Seeded, folder: Path) -> AsyncIterator[World]:
    """The API over an open house that already has its people."""
    issuer = DemoIssuer.load_or_create(folder / "issuer.pem")
    verifier = TokenVerifier({DEMO_ISSUER: issuer.issuer}, "anamnesis", profile="demo")
    app = application(house, verifier, limits=PATIENT)
    async with httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app)) as client:
        yield World(
            house=house,
            seeded=seeded,
            issuer=issuer,
            door=Door(house, verifier),
            app=app,
            client=client,
            people={key: (TENANTS[key], ident) for key, ident in seeded.accounts.items()},
        )


@asynccontextmanager
async def living_world(
    bed: Seedbed, folder: Path, low_water: Mapping[Path, int] | None = None
) -> AsyncIterator[World]:
    """A copy of the seeded house with a projector, served."""
    with planted(bed, folder) as settings:
        async with (
            open_house(
                replace(settings, low_water={} if low_water is None else low_water)
            ) as house,
            projecting(house),
            inhabited(house, bed.seeded, folder) as world,
        ):
            yield world
