"""Planted defects: each breaks what one step of the walk promises, and mends it on leaving."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest

import adapters.fhir.importing
import api.auth.tokens
import demo.walk.keeping
from adapters.postgres.progress import Progress
from adapters.postgres.trail import Trail
from adapters.proofs.findings import Verification
from api.cli.rebuild import rebuilt
from api.context import Operation
from api.graphql import AuditUnavailable
from api.looks import Looks
from api.officer import Officer
from demo.walk.world import World
from domain.audit import RecordReplay
from domain.consent import WithdrawProxyAccess
from domain.kernel.event import Event
from domain.kernel.items import Item
from domain.records import Fact, FileRecord, RecordCorrected
from projections.catalogue import PROJECTIONS, projection

Plant = Callable[[World, pytest.MonkeyPatch], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Statements:
    """A defect in the database, made and mended by the superuser."""

    plant: str
    mend: str

    @asynccontextmanager
    async def __call__(self, world: World, _patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
        await _run(world, self.plant)
        try:
            yield
        finally:
            await _run(world, self.mend)


async def _run(world: World, statement: str) -> None:
    """As an attacker would: triggers off."""
    async with world.owner.transaction():
        await world.owner.execute("SET LOCAL session_replication_role = replica")
        await world.owner.execute(statement)


@dataclass(frozen=True, slots=True)
class Patched:
    """A defect in the code: `name` of `owner` replaced."""

    owner: Any
    name: str
    other: Any

    @asynccontextmanager
    async def __call__(self, _world: World, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
        with patch.context() as here:
            here.setattr(self.owner, self.name, self.other)
            yield


@asynccontextmanager
async def socket_gone(world: World, _patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Valkey cannot be reached."""
    path = world.demo.servers.valkey.socket_path
    path.rename(path.with_suffix(".away"))
    try:
        yield
    finally:
        path.with_suffix(".away").rename(path)


@asynccontextmanager
async def objects_gone(world: World, _patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """The received bytes are lost."""
    kept = world.demo.servers.folder / "objects" / "riverside"
    away = kept.with_name("away")
    kept.rename(away)
    try:
        yield
    finally:
        away.rename(kept)


@asynccontextmanager
async def half_a_projection(world: World, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """A projection that drops what it should keep."""
    whole = projection("results")

    def lossy(recorded: Any) -> Any:
        return iter(()) if recorded.position % 2 else whole.project(recorded)

    broken = tuple(replace(p, project=lossy) if p is whole else p for p in PROJECTIONS)
    try:
        with patch.context() as here:
            here.setattr(demo.walk.keeping, "PROJECTIONS", broken)
            yield
    finally:
        await rebuilt(world.demo.house, whole, lambda _done, _total: None)


@asynccontextmanager
async def files_again(_world: World, patch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """Neither the import knows what it filed nor the command what it decided."""
    with patch.context() as here:
        here.setattr(adapters.fhir.importing, "look_up", _know_nothing)
        here.setattr(FileRecord, "decide", _file_again)
        yield


async def _know_nothing(_desk: object, _filed: object) -> None:
    pass


async def _reach(self: Progress, *_args: object, **_named: object) -> None:
    del self


async def _settle_regardless(self: Operation) -> dict[str, object]:
    try:
        return dict(await _settle(self))
    except AuditUnavailable:
        return {}


async def _blind(_house: object, tenant: str) -> Verification:
    return Verification(tenant=tenant, events=0, root="", wrongs=(), missing_keys=(), seconds=0.0)


async def _always_now(self: Officer, _chart: str, _at: object) -> int:
    return await self._trail.head()


def _one_tenant(self: Trail, pool: Any, keys: Any, _tenant: str) -> None:
    _trail(self, pool, keys, "riverside")


def _file_again(self: FileRecord, state: Item[Fact], _now: object) -> Iterator[Event]:
    yield RecordCorrected(item=state.id, fact=self.fact, source=self.source)


def _forgetful(
    self: Looks, chart: str | None, basis: Any, rule: str, panel: str, records: list[str]
) -> None:
    _saw(self, chart, basis, rule, panel, records[1:])


_settle, _trail, _saw = Operation.settle, Trail.__init__, Looks.saw
_FLIPPED = (
    "UPDATE event SET salt = set_byte(salt, 0, get_byte(salt, 0) # 1)"
    " WHERE tenant = 'lakeside' AND position = 7"
)

DEFECTS: dict[str, Plant] = {
    "servers-run": socket_gone,
    "database-migrated": Statements(
        "UPDATE migration SET checksum = 'x' || checksum WHERE name = '0002_log'",
        "UPDATE migration SET checksum = substr(checksum, 2) WHERE name = '0002_log'",
    ),
    "stories-imported": Statements(
        "UPDATE event SET type = 'results.lost' WHERE tenant = 'lakeside' AND position ="
        " (SELECT min(position) FROM event WHERE type = 'results.result-received'"
        " AND tenant = 'lakeside')",
        "UPDATE event SET type = 'results.result-received' WHERE type = 'results.lost'",
    ),
    "second-import-changes-nothing": files_again,
    "received-bytes-kept": objects_gone,
    "tokens-verified": Patched(api.auth.tokens, "_check_signature", lambda *_: None),
    "patient-reads-record": Statements(
        "CREATE TABLE saved AS SELECT * FROM model.records_allergy;"
        " DELETE FROM model.records_allergy",
        "INSERT INTO model.records_allergy SELECT * FROM saved; DROP TABLE saved",
    ),
    "look-on-record": Patched(Looks, "saw", _forgetful),
    "no-commit-no-answer": Patched(Operation, "settle", _settle_regardless),
    "reads-wait-for-position": Patched(Progress, "reach", _reach),
    "compliance-reads-trail": Statements(
        "CREATE TABLE saved AS SELECT * FROM model.directory_role;"
        " INSERT INTO model.directory_role SELECT DISTINCT tenant, practitioner, 'compliance'"
        " FROM model.directory_role WHERE role = 'front-desk'",
        "DELETE FROM model.directory_role; INSERT INTO model.directory_role SELECT * FROM saved;"
        " DROP TABLE saved",
    ),
    "record-as-of": Patched(Officer, "position_at", _always_now),
    "stranger-gets-nothing": Patched(Looks, "refused", lambda *_: None),
    "proxy-within-scope": Statements(
        "UPDATE model.consent_grant SET scopes = scopes || '{records}'"
        " WHERE NOT scopes @> '{records}'",
        "UPDATE model.consent_grant SET scopes = array_remove(scopes, 'records')"
        " WHERE kind = 'parent' AND tenant = 'riverside'",
    ),
    "clinician-by-relationship": Statements(
        "CREATE TABLE saved AS SELECT * FROM model.care_relation; DELETE FROM model.care_relation",
        "INSERT INTO model.care_relation SELECT * FROM saved; DROP TABLE saved",
    ),
    "tenants-apart": Patched(Trail, "__init__", _one_tenant),
    "second-wall-holds": Statements(
        "ALTER TABLE model.records_condition DISABLE ROW LEVEL SECURITY",
        "ALTER TABLE model.records_condition ENABLE ROW LEVEL SECURITY",
    ),
    "withdrawal-at-once": Patched(WithdrawProxyAccess, "decide", lambda *_: iter(())),
    "replay-on-record": Patched(RecordReplay, "decide", lambda *_: iter(())),
    "log-verifies": Statements(
        _FLIPPED,
        _FLIPPED,
    ),
    "tampering-named": Patched(demo.walk.keeping, "verification", _blind),
    "rebuild-same-rows": half_a_projection,
    "events-immutable": Statements(
        "ALTER TABLE event DISABLE TRIGGER event_is_immutable",
        "ALTER TABLE event ENABLE TRIGGER event_is_immutable",
    ),
}
