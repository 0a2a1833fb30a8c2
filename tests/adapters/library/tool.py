"""A tool tenant in a database of the test, as the library is told of it, and its verification."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlsplit

from eventsourcing.postgres import PostgresDatastore

from adapters.library.recorder import LogRecorder
from adapters.library.seal import ToolSeal, tool_key
from adapters.postgres.migrate import add_tool_tenant
from adapters.proofs.findings import Verification
from api.house import open_house
from api.keystore import create_root
from api.settings import Settings
from api.verifying import verification

TOOL = "workbench"


def prepared(settings: Settings) -> None:
    """The tool tenant and a root key."""
    create_root(settings)
    add_tool_tenant(settings.dsn, TOOL)


def environment(settings: Settings, tenant: str = TOOL) -> dict[str, str]:
    """The variables that an application of the library is configured with."""
    parts = urlsplit(settings.role_dsn("tool"))
    address = parse_qs(parts.query)
    return {
        "PERSISTENCE_MODULE": "adapters.library",
        "POSTGRES_DBNAME": parts.path.removeprefix("/"),
        "POSTGRES_HOST": address["host"][0],
        "POSTGRES_PORT": address["port"][0],
        "POSTGRES_USER": parts.username or "",
        "POSTGRES_PASSWORD": "",
        "ANAMNESIS_TENANT": tenant,
        "ANAMNESIS_KEYS": str(settings.keys),
    }


def datastore(
    settings: Settings, kind: type[PostgresDatastore] = PostgresDatastore
) -> PostgresDatastore:
    """The library's connections, under the role of tools."""
    env = environment(settings)
    names = ("DBNAME", "HOST", "PORT", "USER", "PASSWORD")
    return kind(**{name.lower(): env[f"POSTGRES_{name}"] for name in names}, max_overflow=20)


def recorder(
    settings: Settings,
    connections: PostgresDatastore,
    tenant: str = TOOL,
    first_version: int = 1,
    kind: type[LogRecorder] = LogRecorder,
) -> LogRecorder:
    """A recorder with a key, whoever the tenant is."""
    seal = ToolSeal(tenant, "tests", tool_key(settings.keys, tenant))
    return kind(connections, tenant, seal, first_version)


def verified(settings: Settings, tenant: str = TOOL) -> Verification:
    """What `anamnesis verify` finds in the log of a tenant."""

    async def verify() -> Verification:
        async with open_house(settings) as house:
            return await verification(house, tenant)

    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, verify()).result()
