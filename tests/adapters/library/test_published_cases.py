"""The recorder cases that the library publishes, on the log of a tool tenant.

Those that cannot apply are named in docs/adr/0011 with the reason, and shown here not to apply.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest import TestCase

import pytest
from eventsourcing.persistence import IntegrityError, NotSupportedError, StoredEvent
from eventsourcing.postgres import PostgresTrackingRecorder
from eventsourcing.utils import Environment

from adapters.library import LogFactory
from adapters.library.recorder import LogRecorder
from api.settings import Settings
from tests.adapters.library.published import published
from tests.adapters.library.tool import datastore, environment, prepared, recorder, verified

CASES: Any = published()
ADR = Path(__file__).resolve().parents[3] / "docs/adr/0011-the-library-reads-our-log.md"


class OnTheLog(TestCase):
    """Construction: a recorder of a fresh tool tenant, whose log verifies in the end."""

    first_version = 0
    kind = LogRecorder

    @pytest.fixture(autouse=True)
    def _on_the_log(self, settings: Settings) -> Iterator[None]:
        prepared(settings)
        self.settings = settings
        yield
        assert verified(settings).ok

    def create_recorder(self) -> Any:
        """The recorder that every published case asks for."""
        connections = datastore(self.settings)
        self.addCleanup(connections.close)
        return recorder(
            self.settings, connections, first_version=self.first_version, kind=self.kind
        )


class WithoutPositions(LogRecorder):
    """An aggregate recorder has no positions to return."""

    def insert_events(self, stored_events: Sequence[StoredEvent], **kwargs: object) -> None:
        """Append."""
        super().insert_events(stored_events, **kwargs)


class TestAsAggregateRecorder(OnTheLog, CASES.AggregateRecorderTestCase):
    """Versions that begin with 0, as the published case has them."""

    INITIAL_VERSION = 0
    kind = WithoutPositions


class TestAsApplicationRecorder(OnTheLog, CASES.ApplicationRecorderTestCase[Any]):
    """Versions that begin with 0, as most published cases have them."""

    INITIAL_VERSION = 0

    def test_insert_subscribe(self) -> None:
        """The published case that a recorder opts in to."""
        self.optional_test_insert_subscribe()


class TestAsApplicationRecorderFromOne(OnTheLog, CASES.ApplicationRecorderTestCase[Any]):
    """Versions that begin with 1, the library's default."""

    first_version = 1

    def test_insert_subscribe(self) -> None:
        """The published case that a recorder opts in to."""
        self.optional_test_insert_subscribe()

    def test_concurrent_no_conflicts(self) -> None:
        """Does not apply: it begins with version 0 whatever INITIAL_VERSION is."""
        with pytest.raises(IntegrityError, match="version 0 is not the next one"):
            super().test_concurrent_no_conflicts()

    def test_concurrent_throughput(self) -> None:
        """Does not apply: it begins with version 0 whatever INITIAL_VERSION is."""
        with pytest.raises(AssertionError, match="There were errors"):
            super().test_concurrent_throughput()


class TestPositionsDoNotInterleave(OnTheLog, CASES.NonInterleavingNotificationIDsBaseCase):
    """1,000 events each of two writers."""


class TestFactory(CASES.InfrastructureFactoryTestCase[LogFactory]):
    """The factory; it makes one kind of recorder."""

    @pytest.fixture(autouse=True)
    def _on_the_log(self, settings: Settings) -> None:
        prepared(settings)
        self.settings = settings

    def setUp(self) -> None:
        """The environment comes with the fixture."""
        self.env = Environment(env=environment(self.settings))
        super().setUp()

    def expected_factory_class(self) -> type[LogFactory]:
        """Ours."""
        return LogFactory

    def expected_aggregate_recorder_class(self) -> Any:
        """None: see test_create_aggregate_recorder."""

    def expected_application_recorder_class(self) -> type[LogRecorder]:
        """Ours."""
        return LogRecorder

    def expected_tracking_recorder_class(self) -> Any:
        """None: see test_create_tracking_recorder."""

    def tracking_recorder_subclass(self) -> Any:
        """None: see test_create_tracking_recorder."""
        return PostgresTrackingRecorder

    def expected_process_recorder_class(self) -> Any:
        """None: see test_create_process_recorder."""

    def test_create_aggregate_recorder(self) -> None:
        """Does not apply."""
        with pytest.raises(NotSupportedError):
            super().test_create_aggregate_recorder()

    def test_create_tracking_recorder(self) -> None:
        """Does not apply."""
        with pytest.raises(NotSupportedError):
            super().test_create_tracking_recorder()

    def test_create_process_recorder(self) -> None:
        """Does not apply."""
        with pytest.raises(NotSupportedError):
            super().test_create_process_recorder()


RUN = (
    TestAsAggregateRecorder,
    TestAsApplicationRecorder,
    TestAsApplicationRecorderFromOne,
    TestPositionsDoNotInterleave,
    TestFactory,
)


def test_every_published_case_is_run_or_named_with_the_reason() -> None:
    cases = {
        name: case
        for name, case in vars(CASES).items()
        if isinstance(case, type)
        and issubclass(case, TestCase)
        and case.__module__ == CASES.__name__
        and any(method.startswith("test") for method in vars(case))
    }
    run = {name for name, case in cases.items() if any(issubclass(mine, case) for mine in RUN)}
    assert len(run) == 4
    named = ADR.read_text(encoding="utf-8")
    assert [name for name in cases.keys() - run if f"`{name}`" not in named] == []
    replaced = {
        method
        for mine in RUN
        for method in vars(mine)
        if method.startswith("test") and any(hasattr(base, method) for base in mine.__mro__[1:])
    }
    assert len(replaced) == 5
    assert [method for method in replaced if f"`{method}`" not in named] == []
