"""What a tool writes, sealed as every event is: header, context, and a body under one key.

The key is the compartment (tenant, tenant, "tool") of the key tree; `tool_key` opens it.
"""

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from eventsourcing.persistence import DataError, StoredEvent

from adapters import codec
from adapters.keys import KeyTree, RootFiles, SqliteKeyStore
from adapters.keys.seal import DataKey
from adapters.postgres.sealing import ID_BYTES, MAX_SEALED, SALT_BYTES, random_id
from domain.kernel.context import Context
from domain.kernel.event import Header
from domain.kernel.rule import POLICY_VERSION

KEY_CLASS = "tool"
RULE = "library.record"
TYPE_VERSION = 1


@dataclass(frozen=True, slots=True)
class ToolSeal:
    """Seals what one application writes to a tool tenant, and opens it again."""

    tenant: str
    application: str
    key: DataKey

    def sealed(
        self, command: bytes, events: Sequence[tuple[str, StoredEvent]]
    ) -> tuple[list[object], ...]:
        """The columns of `tool_append` from stream to body, for (stream, event).

        Raises DataError for a state that does not fit into an event.
        """
        context = codec.encode_context(self._context())
        rows = [self._row(command, stream, event, context) for stream, event in events]
        return tuple(list(column) for column in zip(*rows, strict=True))

    def opened(self, header: bytes, body: bytes) -> bytes:
        """The state. Raises KeyCommitmentMismatch and BodyTampered."""
        return self.key.open(body, header)

    def _row(
        self, command: bytes, stream: str, event: StoredEvent, context: bytes
    ) -> tuple[object, ...]:
        header = codec.encode_header(
            Header(
                event=random_id(os.urandom(ID_BYTES)),
                command=command.hex(),
                tenant=self.tenant,
                stream=stream,
                type=event.topic,
                version=TYPE_VERSION,
                key=self.key.id,
            )
        )
        body = self.key.seal(event.state, header)
        if len(body) > MAX_SEALED:
            raise DataError(f"an event has at most {MAX_SEALED} bytes sealed, not {len(body)}")
        return (stream, event.topic, self.key.id, header, context, os.urandom(SALT_BYTES), body)

    def _context(self) -> Context:
        now = datetime.now(UTC).isoformat()
        return Context(
            actor=self.application,
            actor_kind="system",
            purpose="HOPERAT",
            basis="system",
            rule=RULE,
            policy=POLICY_VERSION,
            received=now,
            occurred=now,
        )


def tool_key(folder: Path, tenant: str) -> DataKey:
    """The key of a tool tenant from the house's key folder. Raises the key tree's errors.

    The key tree belongs to an event loop: a thread of its own lends one, wherever this is called.
    """
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="tool-key") as thread:
        return thread.submit(asyncio.run, _tool_key(folder, tenant)).result()


async def _tool_key(folder: Path, tenant: str) -> DataKey:
    root = RootFiles(folder / "root.key")
    store = SqliteKeyStore(folder / "keys.sqlite3")
    try:
        return await KeyTree(root, store).compartment(tenant, tenant, KEY_CLASS)
    finally:
        await store.close()
