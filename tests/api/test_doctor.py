"""The doctor: a healthy house passes, and each ailment is named with what to do about it."""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import psycopg
import pytest

from api.cli.doctor import as_words, diagnoses
from api.doctor import Diagnosis
from api.doctor.database import DATABASE
from api.doctor.machine import MACHINE
from api.house import open_house, projecting
from api.keystore import create_root
from api.settings import Settings

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Ailment:
    """What is wrong: done to the database as its owner, to the folder, or to the settings."""

    check: str
    statement: str = ""
    folder: Callable[[Settings], None] = lambda _: None
    settings: Callable[[Settings], Settings] = lambda given: given


@pytest.fixture
async def healthy(settings: Settings) -> Settings:
    """The settings of a house that was open once and has its read models."""
    create_root(settings)
    settings.objects.mkdir(parents=True)
    async with open_house(settings) as house, projecting(house) as projector:
        for tenant in await house.tenants():
            await house.keys.tenant_secret(tenant, "doctor")
            await projector.advance(tenant)
    return settings


def _without_role(role: str) -> Callable[[Settings], Settings]:
    return lambda given: replace(given, roles={role: given.dsn.replace("/test_", "/gone_")})


AILMENTS = [
    Ailment("profile", settings=lambda given: replace(given, profile="prodution")),
    Ailment("keys-folder", folder=lambda at: at.keys.chmod(0o755)),
    Ailment("root-key", folder=lambda at: (at.keys / "root.key").unlink()),
    Ailment("root-key", folder=lambda at: (at.keys / "root.key").chmod(0o644)),
    Ailment("key-store", folder=lambda at: (at.keys / "keys.sqlite3").unlink()),
    Ailment("key-store-private", folder=lambda at: (at.keys / "keys.sqlite3").chmod(0o644)),
    Ailment("key-store-opens", folder=lambda at: _overwrite(at.keys / "keys.sqlite3")),
    Ailment("apart", settings=lambda given: replace(given, objects=given.keys.parent)),
    Ailment("disk-space", settings=lambda given: replace(given, objects=Path("/proc"))),
    Ailment("migrations", "DELETE FROM public.migration WHERE name LIKE '0004%'"),
    Ailment("migrations-unchanged", "UPDATE public.migration SET checksum = 'other'"),
    Ailment("append-only", "GRANT DELETE ON event TO anamnesis_api"),
    Ailment("immutability", "ALTER TABLE event DISABLE TRIGGER event_is_immutable"),
    Ailment("row-policies", "ALTER TABLE model.care_relation NO FORCE ROW LEVEL SECURITY"),
    Ailment("tenants", "DELETE FROM log_head"),
    Ailment("tenant-keys", folder=lambda at: (at.keys / "root.key").write_bytes(os.urandom(32))),
    Ailment("read-models", "UPDATE checkpoint SET version = 0 WHERE projection = 'care'"),
    Ailment("projector-lag", "UPDATE log_head SET position = 1000000"),
    Ailment(
        "signed-heads",
        "UPDATE log_head SET position = 5, committed_at = now() - interval '2 minutes'",
    ),
    Ailment(
        "set-aside",
        "INSERT INTO dead_letter (tenant, consumer, position, type, error)"
        " VALUES ('riverside', 'care', 1, 'care.encounter-reported', 'KeyError')",
    ),
    Ailment("replica", settings=lambda given: replace(given, replica=given.dsn)),
    Ailment("sign-in", settings=_without_role("worker")),
    Ailment("database", settings=lambda given: replace(given, dsn="postgresql://x@/x?host=/nope")),
    Ailment("transport", settings=lambda given: replace(given, dsn="postgresql://db.example/x")),
]


def _overwrite(path: Path) -> None:
    path.write_bytes(b"no database at all" * 100)


async def _found(settings: Settings) -> dict[str, Diagnosis]:
    return {one.check: one for one in await diagnoses(settings)}


async def test_a_healthy_house_fails_in_nothing_and_warns_with_a_hint(healthy: Settings) -> None:
    found = await _found(healthy)
    assert len(found) == len(MACHINE) + len(DATABASE) + 1 >= 20
    assert [one for one in found.values() if one.verdict in ("failure", "unknown")] == []
    assert all(bool(one.fix) == (one.verdict != "ok") for one in found.values())


@pytest.mark.parametrize("ailment", AILMENTS, ids=lambda one: one.check)
async def test_an_ailment_is_named_with_what_to_do(ailment: Ailment, healthy: Settings) -> None:
    assert (await _found(healthy))[ailment.check].verdict == "ok"
    if ailment.statement:
        await asyncio.to_thread(_as_owner, healthy.dsn, ailment.statement)
    ailment.folder(healthy)
    one = (await _found(ailment.settings(healthy)))[ailment.check]
    assert one.verdict != "ok"
    assert one.fix
    assert one.fix in as_words(one)


async def test_no_check_prints_a_password(healthy: Settings) -> None:
    told = replace(healthy, dsn="postgresql://owner:hunter2@localhost:1/none")
    assert "hunter2" not in repr(await diagnoses(told))


def test_every_check_has_a_name_of_its_own_and_a_hint() -> None:
    every = [*MACHINE, *DATABASE]
    assert len({check.name for check in every}) == len(every)
    assert all(check.fix.endswith(".") for check in every)


def _as_owner(dsn: str, statement: str) -> None:
    with psycopg.connect(dsn) as connection:
        connection.execute(statement.encode())
