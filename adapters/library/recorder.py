"""The log as an application recorder of the library: its streams, its positions, our tables.

originator_id is the stream, originator_version the version (counted from `first_version`),
notification id the position, topic the type. Reads and appends see one tenant. The state of a
tool tenant's event is its opened body; of any other tenant's event it is the sealed body, since
whoever opens it must be on record, which the library knows nothing of.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

import psycopg
from eventsourcing.persistence import (
    IntegrityError,
    InterfaceError,
    Notification,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
    StoredEvent,
)
from eventsourcing.postgres import PostgresApplicationRecorder, PostgresDatastore
from eventsourcing.utils import retry
from psycopg.rows import DictRow

from adapters.keys.refused import KeyDestroyed
from adapters.library.seal import ToolSeal
from adapters.postgres.sealing import COMMAND_ID_BYTES

CHANNEL = "anamnesis_log"
ALL = (1 << 63) - 1
EVENTS = """SELECT version, type, header, body FROM event
  WHERE tenant = %s AND stream = %s AND version > %s AND version <= %s
  ORDER BY version {order} LIMIT %s"""
NOTIFICATIONS = """SELECT position, stream, version, type, header, body FROM event
  WHERE tenant = %s AND position >= %s AND position <= %s AND (%s OR type = ANY(%s::text[]))
  ORDER BY position LIMIT %s"""
LAST = "SELECT nullif(position, 0) AS last FROM log_head WHERE tenant = %s"
APPEND = """SELECT status, first, last FROM tool_append(%s, %s, %s::uuid[], %s::bigint[],
  %s::uuid[], %s::text[], %s::uuid[], %s::bytea[], %s::bytea[], %s::bytea[], %s::bytea[])"""
lost = retry((InterfaceError, OperationalError), max_attempts=10, wait=0.2)


class LogIsReadOnly(NotSupportedError):
    """The library writes the logs of tool tenants only. Use a command of the house instead."""


class LogRecorder(PostgresApplicationRecorder):
    """One tenant's log; without a seal it is read-only and states stay sealed."""

    def __init__(
        self,
        datastore: PostgresDatastore,
        tenant: str,
        seal: ToolSeal | None = None,
        first_version: int = 1,
    ) -> None:
        """`first_version` is what the application's aggregates begin with: 1, or 0.

        Raises ProgrammingError for originator ids that are no UUIDs.
        """
        if datastore.originator_id_type != "uuid":
            raise ProgrammingError("streams of the log have UUIDs")
        super().__init__(datastore)
        self.sql_create_statements.clear()
        self.channel_name = CHANNEL
        self.tenant = tenant
        self._seal = seal
        self._before = first_version - 1

    def insert_events(
        self, stored_events: Sequence[StoredEvent], **kwargs: object
    ) -> Sequence[int] | None:
        """Append atomically; returns the positions, or None where there is nothing to append.

        Raises IntegrityError unless each event's version is the next one of its originator,
        LogIsReadOnly for the log of a tenant that is not a tool's, and DataError for a state that
        is too large.
        """
        if self._seal is None:
            raise LogIsReadOnly(self.tenant)
        if kwargs.get("tracking") is not None:
            raise NotSupportedError("the log keeps no tracking")
        if not stored_events:
            return None
        command = os.urandom(COMMAND_ID_BYTES)
        events = [(str(event.originator_id), event) for event in stored_events]
        heads = _heads(stored_events, self._before)
        columns = self._seal.sealed(command, events)
        first, last = self._append(command, [list(heads), list(heads.values()), *columns])
        return list(range(first, last + 1))

    @lost
    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """The events of an originator, in order of their versions."""
        after = 0 if gt is None else gt - self._before
        until = ALL if lte is None else lte - self._before
        query = EVENTS.format(order="DESC" if desc else "ASC")
        with self._tenant_cursor() as cursor:
            cursor.execute(query, [self.tenant, originator_id, after, until, limit], prepare=True)
            return [
                StoredEvent(originator_id, row["version"] + self._before, row["type"], state)
                for row, state in _with_states(cursor, self._seal)
            ]

    @lost
    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """Events from a position on, at most `limit` of these topics."""
        first = 1 if start is None else start + (not inclusive_of_start)
        last = ALL if stop is None else stop
        arguments = [self.tenant, first, last, not topics, list(topics), limit]
        with self._tenant_cursor() as cursor:
            cursor.execute(NOTIFICATIONS, arguments, prepare=True)
            return [
                _notification(row, state, self._before)
                for row, state in _with_states(cursor, self._seal)
            ]

    @lost
    def max_notification_id(self) -> int | None:
        """The head of the log, or None when it is empty."""
        with self._tenant_cursor() as cursor:
            row = cursor.execute(LAST, [self.tenant]).fetchone()
        return None if row is None else row["last"]

    @lost
    def _append(self, command: bytes, columns: list[object]) -> tuple[int, int]:
        """The first and the last position; a lost answer is found again under the same id."""
        try:
            with self._tenant_cursor() as cursor:
                row = cursor.execute(APPEND, [self.tenant, command, *columns]).fetchone()
        except ProgrammingError as error:
            if isinstance(error.__cause__, psycopg.errors.InsufficientPrivilege):
                raise LogIsReadOnly(self.tenant) from error
            raise
        if row is None:
            raise ProgrammingError(f"there is no log of tenant {self.tenant}")
        _raise_for(row["status"], self._seal)
        return row["first"], row["last"]

    @contextmanager
    def _tenant_cursor(self) -> Iterator[psycopg.Cursor[DictRow]]:
        """A transaction that sees one tenant; its setting ends with it."""
        with self.datastore.transaction(commit=True) as cursor:
            cursor.execute("SELECT set_config('anamnesis.tenant', %s, true)", [self.tenant])
            yield cursor


def _heads(stored_events: Sequence[StoredEvent], before: int) -> dict[str, int]:
    """The version that each stream must have now; raises IntegrityError for a gap."""
    heads: dict[str, int] = {}
    lasts: dict[str, int] = {}
    for event in stored_events:
        stream, version = str(event.originator_id), event.originator_version - before
        heads.setdefault(stream, version - 1)
        if version != lasts.get(stream, version - 1) + 1 or version < 1:
            raise IntegrityError(f"version {event.originator_version} is not the next one")
        lasts[stream] = version
    return heads


def _raise_for(status: str, seal: ToolSeal | None) -> None:
    """Nothing where the events are in the log, be it since an earlier call."""
    if status == "destroyed-key" and seal is not None:
        raise KeyDestroyed(seal.key.id)
    if status not in ("appended", "known"):
        raise IntegrityError("somebody was first, or a version was left out")


def _with_states(
    cursor: psycopg.Cursor[DictRow], seal: ToolSeal | None
) -> Iterator[tuple[DictRow, bytes]]:
    for row in cursor.fetchall():
        body = bytes(row["body"])
        yield row, body if seal is None else seal.opened(bytes(row["header"]), body)


def _notification(row: DictRow, state: bytes, before: int) -> Notification:
    version = row["version"] + before
    return Notification(row["stream"], version, row["type"], state, row["position"])
