"""The whole demo in one process: embedded servers, migrations, story people, API, projector."""

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from adapters.embedded import EmbeddedPostgres, EmbeddedValkey, start_postgres, start_valkey
from adapters.fhir.report import ImportReport, Progress
from adapters.postgres.migrate import add_tenant, migrate
from adapters.postgres.trail import Trail
from api.apart import projecting_apart
from api.app import application
from api.auth.tokens import DEMO_ISSUER, DemoIssuer, TokenVerifier
from api.cli.place import RUNNING
from api.dispatch import dispatching
from api.house import House, open_house
from api.serving import listen, serving
from api.settings import Mail, Settings
from api.signing import signing
from demo.people import ORGANIZATIONS, PEOPLE, Person
from demo.seed import Seeded, seed
from projections.catalogue import PROJECTIONS

SEEDED = "seeded.json"
SEED_VERSION = 1
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """The embedded servers of a demo folder."""

    folder: Path
    postgres: EmbeddedPostgres
    valkey: EmbeddedValkey
    applied: list[str]

    @property
    def settings(self) -> Settings:
        """The settings of the house on these servers."""
        return replace(
            Settings.in_folder(self.folder, self.postgres.dsn(), profile="demo"),
            redis=self.valkey.url(),
            mail=Mail(folder=self.folder / "mail", compliance=("compliance@riverside.example",)),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedIn:
    """A person who can act now: a short-lived token of the demo's own issuer."""

    name: str
    role: str
    tenant: str
    token: str
    key: str


class Stored(msgspec.Struct):
    """What is kept between starts: who has which account and chart."""

    version: int
    accounts: dict[str, str]
    charts: dict[str, str]
    counts: dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """A running demo."""

    url: str
    house: House
    servers: Servers
    issuer: DemoIssuer
    stored: Stored
    seconds: float
    reports: dict[str, ImportReport]

    @property
    def graphql(self) -> str:
        """Where to POST operations."""
        return f"{self.url}/graphql"

    def sign_in(self, key: str) -> SignedIn:
        """A fresh token of somebody."""
        person = next(person for person in PEOPLE if person.key == key)
        return _signed_in(person, self.issuer, self.stored)

    def people(self) -> list[SignedIn]:
        """Everybody, with fresh tokens."""
        return [_signed_in(person, self.issuer, self.stored) for person in PEOPLE]


def fresh_token(folder: Path, key: str) -> str:
    """A new token of somebody of a demo folder. Raises LookupError for nobody's key."""
    stored = msgspec.json.decode((folder / SEEDED).read_bytes(), type=Stored)
    for person in PEOPLE:
        if person.key == key:
            return _signed_in(
                person, DemoIssuer.load_or_create(folder / "issuer.pem"), stored
            ).token
    raise LookupError(key)


def _signed_in(person: Person, issuer: DemoIssuer, stored: Stored) -> SignedIn:
    session = f"demo-{person.key}"
    token = issuer.mint(stored.accounts[person.key], person.tenant, session)
    return SignedIn(
        name=person.name, role=person.role, tenant=person.tenant, token=token, key=person.key
    )


@contextmanager
def embedded_servers(folder: Path, tell: Tell) -> Iterator[Servers]:
    """PostgreSQL, migrated, and Valkey; stopped on leaving."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with start_postgres(folder / "postgres") as postgres, start_valkey(folder / "valkey") as valkey:
        tell("embedded PostgreSQL and Valkey run")
        applied = migrate(postgres.dsn())
        for tenant in ORGANIZATIONS:
            add_tenant(postgres.dsn(), tenant)
        tell(f"database migrated ({len(applied)} new migrations)")
        yield Servers(folder=folder, postgres=postgres, valkey=valkey, applied=applied)


@asynccontextmanager
async def running(servers: Servers, port: int, tell: Tell) -> AsyncIterator[Demo]:
    """The demo while it runs; requests under way finish before it stops."""
    started = time.monotonic()
    folder = servers.folder
    listener = listen(port)
    issuer = DemoIssuer.load_or_create(folder / "issuer.pem")
    verifier = TokenVerifier({DEMO_ISSUER: issuer.issuer}, "anamnesis", profile="demo")
    async with (
        open_house(servers.settings) as house,
        projecting_apart(house) as projector,
        signing(house),
        dispatching(house),
    ):
        stored, reports = await _people(house, folder, tell)
        app = application(house, verifier, development=True, projector=projector)
        async with serving(app, listener) as url:
            with _noted(folder, servers):
                yield Demo(
                    url=url,
                    house=house,
                    servers=servers,
                    issuer=issuer,
                    stored=stored,
                    seconds=time.monotonic() - started,
                    reports=reports,
                )


@contextmanager
def _noted(folder: Path, servers: Servers) -> Iterator[None]:
    """The running demo's DSN in a file of mode 0600, for the other commands."""
    file = folder / RUNNING
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as out:
        out.write(msgspec.json.encode({"dsn": servers.postgres.dsn(), "pid": os.getpid()}))
    try:
        yield
    finally:
        file.unlink(missing_ok=True)


async def _people(house: House, folder: Path, tell: Tell) -> tuple[Stored, dict[str, ImportReport]]:
    """The seeded people: from the file of an earlier start, or seeded now."""
    file = folder / SEEDED
    with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
        stored = msgspec.json.decode(await asyncio.to_thread(file.read_bytes), type=Stored)
        if stored.version == SEED_VERSION:
            tell("story people are here from an earlier start")
            return stored, {}

    def moved(tenant: str, progress: Progress) -> None:
        if progress.files == progress.of_files:
            tell(f"{tenant}: {progress.resources} resources, {progress.events_written} events")

    seeded = await seed(house, folder / "stories", moved)
    await _wait(house)
    stored = Stored(SEED_VERSION, seeded.accounts, seeded.charts, _counts(seeded))
    await asyncio.to_thread(file.write_bytes, msgspec.json.encode(stored))
    return stored, seeded.reports


def _counts(seeded: Seeded) -> dict[str, dict[str, int]]:
    return {tenant: report.resources for tenant, report in seeded.reports.items()}


async def _wait(house: House) -> None:
    names = [projection.name for projection in PROJECTIONS]
    for tenant in ORGANIZATIONS:
        head = await Trail(house.auditor, house.keys, tenant).head()
        await house.progress.reach(tenant, head, names, seconds=120)
