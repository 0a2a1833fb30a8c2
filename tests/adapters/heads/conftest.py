"""A log of some events, the signer of its heads, and a hand that can tamper with it."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.heads import FileOutlet, HeadFile, HeadSigner
from adapters.proofs.merkle import Frontier
from adapters.proofs.notes import Checkpoint, Note, NoteKey
from api.house import House
from tests.adapters.postgres.acts import HERE, do, patient

KEY = NoteKey("portal.example.org/riverside", Ed25519PrivateKey.from_private_bytes(b"k" * 32))


@dataclass(frozen=True, slots=True)
class Signed:
    """A log with its signer; `owner` is a superuser whose statements fire no triggers."""

    house: House
    owner: asyncpg.Connection
    pool: asyncpg.Pool
    folder: Path

    @property
    def file(self) -> HeadFile:
        return HeadFile(self.folder / "heads" / "riverside.json", KEY.verifier())

    @property
    def outlet(self) -> FileOutlet:
        return FileOutlet(self.folder / "taken.jsonl")

    def signer(self) -> HeadSigner:
        """A signer as a new process would have it."""
        return HeadSigner(self.pool, HERE, KEY, self.file, [self.outlet])

    async def grow(self, first: int, count: int) -> int:
        """So many new patients; the log's position then."""
        for number in range(first, first + count):
            await do(self.house, patient(number))
        position: int = await self.owner.fetchval(
            "SELECT position FROM log_head WHERE tenant = $1", HERE
        )
        return position

    async def published(self) -> list[Checkpoint]:
        """The heads in the database, each signed by the key."""
        rows = await self.owner.fetch(
            "SELECT position, root, note FROM signed_head WHERE tenant = $1 ORDER BY position", HERE
        )
        heads = []
        for row in rows:
            note = Note.of(row["note"].decode())
            note.check([KEY.verifier()])
            head = Checkpoint.of(note.text)
            assert (head.size, head.root) == (row["position"], row["root"])
            heads.append(head)
        return heads

    async def fit(self) -> None:
        """Make the head row fit the leaves as they are now, as an attacker would."""
        rows = await self.owner.fetch(
            "SELECT leaf FROM event WHERE tenant = $1 ORDER BY position", HERE
        )
        nodes = Frontier.of([row["leaf"] for row in rows]).nodes
        await self.owner.execute(
            "UPDATE log_head SET frontier = $2, position = $3 WHERE tenant = $1",
            HERE, nodes, len(rows),
        )  # fmt: skip


@pytest.fixture
async def signed(house: House, dsn: str, tmp_path: Path) -> AsyncIterator[Signed]:
    owner = await asyncpg.connect(dsn)
    await owner.execute("SET session_replication_role = replica")
    worker = house.settings.role_dsn("worker")
    async with asyncpg.create_pool(worker, min_size=0, max_size=2) as pool:
        yield Signed(house, owner, pool, tmp_path)
    await owner.close()
