"""Forward-only numbered SQL: each file once, in order, in one transaction, with its checksum."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg

import migrations

FOLDER = Path(migrations.__file__).parent
LOCK = 0x616E616D  # "anam": one at a time per database changes what tables there are


class MigrationChanged(Exception):
    """A migration that already ran was edited. Restore the file; add a new one for the change."""


class TenantIsReal(Exception):
    """This tenant's log is open for patients and never becomes a tool's. Choose another name."""


@dataclass(frozen=True, slots=True)
class Migration:
    """A numbered SQL file."""

    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the file's text."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations_at_hand(folder: Path = FOLDER) -> tuple[Migration, ...]:
    """The migrations of this release, in order."""
    return tuple(Migration(f.stem, f.read_text()) for f in sorted(folder.glob("[0-9]*.sql")))


def migrate(dsn: str) -> list[str]:
    """Bring the database at `dsn` (a superuser or owner) up to date; returns what was applied.

    Raises MigrationChanged when an applied file differs from the one at hand.
    """
    with psycopg.connect(dsn) as connection:
        return list(_apply(connection))


def _apply(connection: psycopg.Connection) -> Iterator[str]:
    connection.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    connection.execute(
        "CREATE TABLE IF NOT EXISTS public.migration (name text PRIMARY KEY,"
        " checksum text NOT NULL, at timestamptz NOT NULL DEFAULT clock_timestamp())"
    )
    rows = connection.execute("SELECT name, checksum FROM public.migration").fetchall()
    applied: dict[str, str] = dict(rows)
    for migration in migrations_at_hand():
        if migration.name in applied:
            if applied[migration.name] != migration.checksum:
                raise MigrationChanged(migration.name)
            continue
        connection.execute(migration.sql.encode())
        connection.execute(
            "INSERT INTO public.migration (name, checksum) VALUES (%s, %s)",
            [migration.name, migration.checksum],
        )
        yield migration.name


def add_tenant(dsn: str, tenant: str) -> None:
    """Open the log of a tenant; nothing happens when it is open already."""
    with psycopg.connect(dsn) as connection:
        connection.execute(
            "INSERT INTO log_head (tenant) VALUES (%s) ON CONFLICT DO NOTHING", [tenant]
        )


def add_tool_tenant(dsn: str, tenant: str) -> None:
    """Open the log of a tenant that tools may write; nothing happens when it is one already.

    Raises TenantIsReal for a tenant that is there already and is none.
    """
    with psycopg.connect(dsn) as connection:
        opened = connection.execute(
            "INSERT INTO log_head (tenant) VALUES (%s) ON CONFLICT DO NOTHING RETURNING tenant",
            [tenant],
        ).fetchone()
        if opened is not None:
            connection.execute("INSERT INTO tool_tenant (tenant) VALUES (%s)", [tenant])
            return
        known = "SELECT FROM tool_tenant WHERE tenant = %s"
        if connection.execute(known, [tenant]).fetchone() is None:
            raise TenantIsReal(tenant)
