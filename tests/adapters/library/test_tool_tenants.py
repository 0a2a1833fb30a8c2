"""An application of the library in a tool tenant; and what the library cannot do elsewhere."""

import asyncio
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from click.testing import CliRunner
from eventsourcing.application import AggregateNotFoundError, Application
from eventsourcing.domain import Aggregate, event
from eventsourcing.persistence import (
    DataError,
    InfrastructureFactoryError,
    IntegrityError,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    StoredEvent,
    Tracking,
)
from eventsourcing.postgres import PostgresDatastore

from adapters.keys.refused import BodyTampered, KeyCommitmentMismatch, KeyDestroyed
from adapters.library.loggers import LOGGERS
from adapters.library.recorder import LogIsReadOnly, LogRecorder
from adapters.library.seal import KEY_CLASS
from adapters.postgres.migrate import TenantIsReal, add_tenant, add_tool_tenant
from adapters.postgres.sealing import MAX_SEALED
from api.cli.migrate import migrate
from api.house import House, open_house, projecting
from api.settings import Settings
from projections.catalogue import PROJECTIONS
from tests.adapters.library.tool import (
    TOOL,
    datastore,
    environment,
    prepared,
    recorder,
    verified,
)
from tests.adapters.postgres.acts import HERE, ROOT, assert_sound, book, damage, do, patient, rows

LIBRARY_SAYS = "import adapters.library, logging; print(logging.getLogger('psycopg').level)"


class Loan(Aggregate):
    """A device that is lent out: what a tool might keep."""

    @event("Lent")
    def __init__(self, device: str) -> None:
        self.device, self.back = device, False

    @event("Returned")
    def give_back(self) -> None:
        """It is here again."""
        self.back = True


@pytest.fixture
def workbench(settings: Settings) -> Settings:
    """A house with a tool tenant."""
    prepared(settings)
    return settings


@pytest.fixture
def connections(workbench: Settings) -> Iterator[PostgresDatastore]:
    """The library's connections under the role of tools."""
    with datastore(workbench) as opened:
        yield opened


@contextmanager
def lending(settings: Settings, **more: str) -> Iterator[Application[UUID]]:
    """An application of the library, configured as the library is."""
    application = Application[UUID](env=environment(settings) | more)
    try:
        yield application
    finally:
        application.close()


def in_house(settings: Settings, act: Any) -> Any:
    """What an act with an open house gives, on an event loop of its own."""

    async def acting() -> Any:
        async with open_house(settings) as house:
            return await act(house)

    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, acting()).result()


def stored(originator: UUID, version: int = 1, state: bytes = b"{}") -> StoredEvent:
    """An event of nobody in particular."""
    return StoredEvent(originator, version, "tests:Noted", state)


def test_an_application_writes_and_reads_its_aggregates_and_its_log_verifies(
    workbench: Settings,
) -> None:
    with lending(workbench) as application:
        pump, lamp = Loan("breast pump"), Loan("UV lamp")
        saved = application.save(pump, lamp)
        assert [recording.notification.id for recording in saved] == [1, 2]
        pump.give_back()
        application.save(pump)
        found: Any = application.repository.get(pump.id)
        assert (found.device, found.back, found.version) == ("breast pump", True, 2)
        assert not application.repository.get(pump.id, version=1).back
        log = application.notification_log.select(start=1, limit=10)
        assert [(n.id, n.originator_id, n.originator_version) for n in log] == [
            (1, pump.id, 1),
            (2, lamp.id, 1),
            (3, pump.id, 2),
        ]
        with pytest.raises(AggregateNotFoundError):
            application.repository.get(uuid4())
    answer = verified(workbench)
    assert (answer.ok, answer.events) == (True, 3)


def test_the_projector_passes_by_what_tools_write(workbench: Settings, dsn: str) -> None:
    with lending(workbench) as application:
        application.save(Loan("lamp"))

    async def project(house: House) -> None:
        async with projecting(house):
            await house.progress.reach(TOOL, 1, [one.name for one in PROJECTIONS], seconds=30)

    in_house(workbench, project)
    assert asyncio.run(rows(dsn, "SELECT count(*) FROM dead_letter")) == [(0,)]


def test_of_two_changes_of_one_version_the_second_is_a_conflict(workbench: Settings) -> None:
    with lending(workbench) as application:
        loan = Loan("lamp")
        application.save(loan)
        first, second = (application.repository.get(loan.id) for _ in range(2))
        for change in (first, second):
            change.give_back()
        application.save(first)
        with pytest.raises(IntegrityError):
            application.save(second)
    assert verified(workbench).events == 2


def test_what_a_tool_writes_is_sealed_and_says_who_wrote_it(workbench: Settings, dsn: str) -> None:
    with lending(workbench) as application:
        application.save(Loan("a secret device"))
    read = "SELECT body, convert_from(header, 'utf8')::jsonb, convert_from(context, 'utf8')::jsonb"
    [(body, header, context)] = asyncio.run(rows(dsn, f"{read} FROM event"))
    assert b"secret" not in body
    assert f'"tenant": "{TOOL}"' in header
    assert '"actor": "Application"' in context
    assert asyncio.run(book(dsn, TOOL)).total() == 4
    assert asyncio.run(assert_sound(dsn, TOOL)) == 1


def test_a_state_that_was_changed_or_moved_is_noticed(
    workbench: Settings, connections: PostgresDatastore, dsn: str
) -> None:
    tool, one, two = recorder(workbench, connections), uuid4(), uuid4()
    tool.insert_events([stored(one, state=b"1"), stored(two, state=b"2")])
    swap = "UPDATE event SET body = (SELECT body FROM event WHERE position = 2) WHERE position = 1"
    asyncio.run(damage(dsn, swap))
    with pytest.raises(BodyTampered):
        tool.select_events(one)
    other = replace(tool._seal, key=recorder(workbench, connections, HERE)._seal.key)
    with pytest.raises(KeyCommitmentMismatch):
        LogRecorder(connections, TOOL, other).select_events(two)
    assert not verified(workbench).ok


def test_the_log_of_a_real_tenant_is_read_with_its_states_sealed(
    workbench: Settings, dsn: str
) -> None:
    in_house(workbench, lambda house: do(house, patient(1, "Byron")))
    with lending(workbench, ANAMNESIS_TENANT=HERE) as application:
        read = application.recorder.select_notifications(start=1, limit=10)
        kinds = "SELECT position::int, stream, version::int, type FROM event ORDER BY position"
        assert [
            (n.id, n.originator_id, n.originator_version, n.topic) for n in read
        ] == asyncio.run(rows(dsn, kinds))
        assert application.recorder.max_notification_id() == 3
        kept = asyncio.run(rows(dsn, "SELECT body FROM event ORDER BY position"))
        assert [(n.state,) for n in read] == kept
        [first] = application.recorder.select_events(read[0].originator_id, lte=1)
        assert first.state == read[0].state


def test_the_log_of_a_real_tenant_is_not_written(
    workbench: Settings, connections: PostgresDatastore, dsn: str
) -> None:
    in_house(workbench, lambda house: do(house, patient(1)))
    before = asyncio.run(book(dsn))
    with lending(workbench, ANAMNESIS_TENANT=HERE) as application, pytest.raises(LogIsReadOnly):
        application.save(Loan("lamp"))
    forced = recorder(workbench, connections, HERE)
    with pytest.raises(LogIsReadOnly, match=HERE):
        forced.insert_events([stored(uuid4())])
    with pytest.raises(LogIsReadOnly):
        recorder(workbench, connections, "nowhere").insert_events([stored(uuid4())])
    assert asyncio.run(book(dsn)) == before


def test_the_role_of_tools_reads_one_tenant_and_no_context_and_writes_nothing_by_itself(
    workbench: Settings,
) -> None:
    in_house(workbench, lambda house: do(house, patient(1)))
    with psycopg.connect(workbench.role_dsn("tool"), autocommit=True) as connection:
        count = "SELECT count(*) FROM event"
        assert connection.execute(count).fetchone() == (0,)
        connection.execute("SELECT set_config('anamnesis.tenant', 'lakeside', false)")
        assert connection.execute(count).fetchone() == (0,)
        connection.execute("SELECT set_config('anamnesis.tenant', 'riverside', false)")
        assert connection.execute(count).fetchone() == (3,)
        for refused in (
            "SELECT context FROM event",
            "SELECT * FROM command",
            "SELECT * FROM reservation",
            "SELECT frontier FROM log_head",
            "INSERT INTO tool_tenant VALUES ('riverside')",
            "UPDATE log_head SET position = 0",
            "SELECT model.authority('riverside', gen_random_uuid(), NULL)",
            "SELECT log_recall('riverside', '', '{}', '{}', '{}')",
            "SELECT log_append('{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',"
            " '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',"
            " '{}', '{}')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(refused.encode())


def test_a_tenant_never_becomes_a_tools(workbench: Settings, dsn: str) -> None:
    add_tool_tenant(dsn, TOOL)
    add_tenant(dsn, TOOL)
    with pytest.raises(TenantIsReal):
        add_tool_tenant(dsn, HERE)
    names = {
        "ANAMNESIS_DSN": dsn,
        "ANAMNESIS_KEYS": str(workbench.keys),
        "ANAMNESIS_OBJECTS": str(workbench.objects),
    }
    ran = CliRunner().invoke(migrate, ["--tool-tenant", "bench", "--tool-tenant", HERE], env=names)
    assert (ran.exit_code, "never becomes a tool's" in ran.output) == (1, True)
    found = asyncio.run(rows(dsn, "SELECT tenant FROM tool_tenant ORDER BY 1"))
    assert found == [("bench",), (TOOL,)]


class Forgetful(PostgresDatastore):
    """Connections that are lost once, after a commit and before its answer."""

    lost = 0

    @contextmanager
    def transaction(self, *, commit: bool = False) -> Any:
        """The library's, whose first answer of an append never arrives."""
        with super().transaction(commit=commit) as cursor:
            yield cursor
        if cursor._query is not None and b"tool_append" in cursor._query.query and not self.lost:
            self.lost += 1
            raise OperationalError("the answer was lost")


def test_an_append_whose_answer_is_lost_is_repeated_and_counts_once(workbench: Settings) -> None:
    with datastore(workbench, Forgetful) as connections:
        tool = recorder(workbench, connections)
        assert tool.insert_events([stored(uuid4()), stored(uuid4())]) == [1, 2]
        assert connections.lost == 1
        assert tool.max_notification_id() == 2
    assert verified(workbench).ok


@pytest.mark.parametrize("versions", [(2,), (1, 3), (2, 1), (0,), (1, 1)])
def test_versions_without_gaps_or_nothing(
    workbench: Settings, connections: PostgresDatastore, versions: tuple[int, ...]
) -> None:
    tool, one = recorder(workbench, connections), uuid4()
    with pytest.raises(IntegrityError):
        tool.insert_events([stored(uuid4()), *(stored(one, version) for version in versions)])
    assert tool.max_notification_id() is None


def test_what_the_log_cannot_keep_is_said(
    workbench: Settings, connections: PostgresDatastore, dsn: str
) -> None:
    tool = recorder(workbench, connections)
    with pytest.raises(DataError):
        tool.insert_events([stored(uuid4(), state=bytes(MAX_SEALED))])
    with pytest.raises(NotSupportedError):
        tool.insert_events([stored(uuid4())], tracking=Tracking("upstream", 1))
    connections.originator_id_type = "text"
    with pytest.raises(ProgrammingError):
        LogRecorder(connections, TOOL)
    with pytest.raises(InfrastructureFactoryError, match="ANAMNESIS_TENANT"):
        Application[UUID](env=environment(workbench, tenant=""))
    key = in_house(workbench, _tool_key_of)
    asyncio.run(damage(dsn, "INSERT INTO destroyed_key VALUES ($1, $2, 1)", TOOL, key))
    with pytest.raises(KeyDestroyed):
        tool.insert_events([stored(uuid4())])
    assert tool.max_notification_id() is None


async def _tool_key_of(house: House) -> str:
    return (await house.keys.compartment(TOOL, TOOL, KEY_CLASS)).id


@pytest.mark.parametrize("level", [logging.WARNING, logging.NOTSET])
def test_importing_the_library_leaves_the_loggers_of_the_driver_alone(level: int) -> None:
    before = f"import logging; [logging.getLogger(n).setLevel({level}) for n in {LOGGERS}]; "
    run = subprocess.run(
        [sys.executable, "-c", before + LIBRARY_SAYS],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split() == [str(level)]
