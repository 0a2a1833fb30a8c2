"""Signs the heads of one log, each only after it was found to go on from the one before.

The order is: read what came since the kept head, compare, keep, take outside, publish. A crash
anywhere leaves a kept head that the next signature goes on from, and Ed25519 signs the same head
in the same bytes, so nothing is ever said in two ways.
"""

import asyncio
from collections.abc import Sequence

import asyncpg
import structlog

from adapters.heads.kept import HeadFile, KeptHead
from adapters.heads.outlets import Outlet
from adapters.postgres.exporting import LogForked
from adapters.postgres.tenant import SET_TENANT
from adapters.proofs.merkle import Frontier, root_of
from adapters.proofs.notes import Checkpoint, NoteKey

PORTION = 8_192
HEAD = "SELECT position, frontier FROM log_head WHERE tenant = $1"
LEAVES = """SELECT position, leaf FROM event
  WHERE tenant = $1 AND position > $2 AND position <= $3 ORDER BY position LIMIT $4"""
PUBLISH = """INSERT INTO signed_head (tenant, position, root, note) VALUES ($1, $2, $3, $4)
  ON CONFLICT (tenant, position) DO NOTHING"""
_log = structlog.get_logger("anamnesis.heads")


class HeadSigner:
    """The signer of one tenant's log; the name of its key is the log's origin."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        tenant: str,
        key: NoteKey,
        file: HeadFile,
        outlets: Sequence[Outlet] = (),
    ) -> None:
        """`pool` has connections of the worker's role."""
        self._pool = pool
        self._tenant = tenant
        self._key = key
        self._file = file
        self._outlets = outlets
        self._told = 0

    async def sign(self) -> int | None:
        """Sign the head of this moment if there is a new one; the position that is signed by then.

        None while another process signs. Raises LogForked, KeptHeadDamaged, and what the database
        raises; nothing was published then.
        """
        with self._file.held() as alone:
            if not alone:
                return None
            kept = await asyncio.to_thread(self._file.load)
            grown = await self._grown(kept)
            if kept is None or grown.size > kept.frontier.size:
                checkpoint = Checkpoint(self._key.name, grown.size, grown.root())
                kept = KeptHead(checkpoint.signed(self._key), grown)
                await asyncio.to_thread(self._file.keep, kept)
            # Also one that a process before this one kept and perhaps told nobody.
            if grown.size > self._told:
                await self._take_outside(kept)
                await self._publish(kept)
                self._told = grown.size
            return grown.size

    async def _grown(self, kept: KeptHead | None) -> Frontier:
        """The kept frontier with the leaves since, which has the root of the database's head."""
        frontier = Frontier()
        if kept is not None:
            frontier.extend(kept.frontier)
        async with (
            self._pool.acquire() as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await connection.execute(SET_TENANT, self._tenant)
            head = await connection.fetchrow(HEAD, self._tenant)
            position, theirs = (head[0], head[1]) if head else (0, [])
            if position < frontier.size:
                raise LogForked(f"{self._tenant}: signed {frontier.size}, has {position}")
            while frontier.size < position:
                await self._extend(connection, frontier, position)
        if frontier.root() != root_of(theirs):
            raise LogForked(f"{self._tenant}: another root at {position}")
        return frontier

    async def _extend(
        self, connection: asyncpg.Connection, frontier: Frontier, position: int
    ) -> None:
        """The next portion of leaves, none of them missing."""
        since = frontier.size
        rows = await connection.fetch(LEAVES, self._tenant, since, position, PORTION)
        for expected, (found, leaf) in enumerate(rows, since + 1):
            if found != expected:
                break
            frontier.append(leaf)
        if frontier.size < min(position, since + PORTION):
            raise LogForked(f"{self._tenant}: no event at {frontier.size + 1}")

    async def _take_outside(self, head: KeptHead) -> None:
        """To every outlet; one that fails is told of, and the next head goes there again."""
        for outlet in self._outlets:
            try:
                await outlet.put(self._tenant, head.note)
            except OSError as error:
                _log.error("heads.outlet-failed", outlet=outlet.name, error=type(error).__name__)

    async def _publish(self, head: KeptHead) -> None:
        told = head.checkpoint
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(SET_TENANT, self._tenant)
            note = str(head.note).encode()
            await connection.execute(PUBLISH, self._tenant, told.size, told.root, note)
