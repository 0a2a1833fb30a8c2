"""Has kept heads cosigned by witnesses, beside the signing and never in its way.

Source: C2SP tlog-witness v1. For each log and witness the head that was cosigned last is kept with
its frontier, so that the path to the next one is made from that and the leaves since; a witness
that says another size gets a path from all leaves.
"""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

import asyncpg
import httpx2
import structlog

from adapters.heads.kept import HeadFile, KeptHead
from adapters.heads.outlets import Outlet
from adapters.heads.witness import SIZE_TYPE, request_of
from adapters.postgres.exporting import LogUpTo
from adapters.proofs.grown import Grown
from adapters.proofs.merkle import Frontier
from adapters.proofs.notes import Note, NoteRefused, NoteUnreadable, VerifierKey
from adapters.proofs.paths import Leaves, consistency_path

PAUSE_S = 5.0
SECONDS = 10.0
MOST_SECONDS = 60.0
"""For one head and one witness in all, however slowly it answers."""
MOST_ANSWERED = 64 * 1024
_SIZE = re.compile(r"[0-9]{1,18}\n?")
_log = structlog.get_logger("anamnesis.heads")


class WitnessRefused(Exception):
    """The witness did not cosign a head; the argument is the status of its answer, or 200 where its
    key did not sign. 409 and 422 mean that it knows another history: compare both."""


@dataclass(frozen=True, slots=True)
class WitnessPlace:
    """Where a witness takes heads, and the key that it cosigns with."""

    url: str
    key: VerifierKey


@dataclass(frozen=True, slots=True)
class Cosigner:
    """Has the heads of one log cosigned by one witness."""

    client: httpx2.AsyncClient
    pool: asyncpg.Pool
    tenant: str
    kept: HeadFile
    place: WitnessPlace
    outlets: Sequence[Outlet] = ()

    @property
    def file(self) -> HeadFile:
        """The head that this witness has cosigned last."""
        of = sha256(self.place.key.text.encode()).hexdigest()[:16]
        return self.kept.beside(f"witness-{of}")

    async def cosign(self) -> bool:
        """Whether the newest kept head is cosigned by now.

        Raises WitnessRefused, KeptHeadDamaged, and what client, disk and database raise.
        """
        newest, before = await asyncio.to_thread(lambda: (self.kept.load(), self.file.load()))
        if newest is None or newest.frontier.size == 0:
            return False
        if before is not None and before.frontier.size >= newest.frontier.size:
            return True
        old = before.frontier if before is not None else Frontier()
        note = await self._asked(old.size, await self._path(old, newest), newest)
        # Taken outside first: what fails there is brought to the witness once more.
        for outlet in self.outlets:
            await outlet.put(self.tenant, note)
        await asyncio.to_thread(self.file.keep, KeptHead(note, newest.frontier))
        return True

    async def _path(self, old: Frontier, newest: KeptHead) -> list[bytes]:
        if old.size == 0:
            return []
        size = newest.frontier.size
        leaves = await LogUpTo(self.pool, self.tenant, size).leaves(old.size)
        return await asyncio.to_thread(consistency_path, Grown(old, leaves), old.size, size)

    async def _asked(self, old: int, path: list[bytes], newest: KeptHead) -> Note:
        """The note with the witness's line."""
        status, kind, text = await self._post(request_of(old, path, newest.note))
        known = int(text) if status == 409 and kind == SIZE_TYPE and _SIZE.fullmatch(text) else 0
        size = newest.frontier.size
        if 0 < known <= size and known != old:
            # It has another memory than ours of it: a path from whatever it knows.
            leaves = await LogUpTo(self.pool, self.tenant, size).leaves()
            path = await asyncio.to_thread(lambda: consistency_path(Leaves(leaves), known, size))
            status, kind, text = await self._post(request_of(known, path, newest.note))
        if status != 200:
            raise WitnessRefused(status)
        return self._cosigned(newest.note, text)

    def _cosigned(self, note: Note, lines: str) -> Note:
        """The note with those of the lines that the witness's own key signed, and no others."""
        key = self.place.key
        try:
            said = Note.of(f"{note.text}\n{lines}")
            own = tuple(one for one in said.signatures if (one.name, one.key) == (key.name, key.id))
            both = Note(note.text, (*note.signatures, *own))
            if said.text != note.text or key not in both.check([key]):
                raise WitnessRefused(200)
        except (NoteUnreadable, NoteRefused):
            raise WitnessRefused(200) from None
        return both

    async def _post(self, body: str) -> tuple[int, str, str]:
        """Status, media type and text of the answer, which is short."""
        url, text = f"{self.place.url.rstrip('/')}/add-checkpoint", bytearray()
        async with self.client.stream("POST", url, content=body.encode(), timeout=SECONDS) as got:
            async for chunk in got.aiter_bytes():
                text += chunk
                if len(text) > MOST_ANSWERED:
                    raise WitnessRefused(got.status_code)
            kind = got.headers.get("content-type", "").partition(";")[0]
            return got.status_code, kind, text.decode("utf-8", "replace")


async def cosigning(
    cosigners: Callable[[], Awaitable[Mapping[str, Cosigner]]],
    stop: asyncio.Event,
    pause_s: float = PAUSE_S,
) -> None:
    """Ask the witnesses again and again until stopped; what fails is told once until it works."""
    failing: set[str] = set()
    while not stop.is_set():
        try:
            found = await cosigners()
        except Exception as error:  # without database or keys there is nothing to bring to anybody
            _log.warning("heads.unwitnessed", error=type(error).__name__)
            found = {}
        for name, cosigner in found.items():
            try:
                async with asyncio.timeout(MOST_SECONDS):
                    await cosigner.cosign()
                failing.discard(name)
            except Exception as error:  # one witness must not keep heads from the others
                if name not in failing:
                    _log.error("heads.uncosigned", witness=name, error=type(error).__name__)
                failing.add(name)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause_s):
                await stop.wait()
