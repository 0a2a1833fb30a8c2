"""Audit exports: a file that shows who did what, and proves offline that it is the log's.

The disclosure is on record before the file begins, and the file ends at a head that is signed for
it, so that also the newest events are proven.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from adapters.heads import HeadSigner
from adapters.heads.tiling import TileFolder
from adapters.postgres.exporting import LogUpTo, context_hash
from adapters.proofs.exports import (
    FORMAT,
    RECEIPT,
    EventReceipt,
    Exported,
    HeadLine,
    line,
)
from adapters.proofs.notes import Checkpoint, Note, NoteKey, NoteRefused, NoteUnreadable
from adapters.proofs.paths import Leaves, consistency_path
from adapters.proofs.receipts import Receipt
from api.house import House
from api.selected import TRAIL_SECONDS, positions_of, put_on_record
from api.signing import head_file, head_key, head_signer
from domain.audit import Selection
from domain.kernel.context import Actor

MOST_HEADS = 64
TURN_SECONDS = 0.05
Moved = Callable[[int, int], None]


class NothingToExport(LookupError):
    """No event is selected, or the log has none. Choose another selection."""


class ExportRefused(Exception):
    """The event is not there, or the file cannot be written. Run `anamnesis verify`."""


class SigningBusy(Exception):
    """Another process has been signing this log for a minute. Look what it does, and try again."""


@dataclass(frozen=True, slots=True)
class _Signed:
    """The log up to the head that an export ends with."""

    key: NoteKey
    head: Note
    size: int
    log: LogUpTo


async def export(
    house: House, selection: Selection | None, who: Actor, moved: Moved
) -> AsyncGenerator[bytes, None]:
    """The lines of an export of the selected events, or of all; `moved` is told how many there are.

    Raises NothingToExport, LogForked, and KeptHeadDamaged.
    """
    positions = None if selection is None else await _positions(house, selection, who)
    what, chart = (selection.text, selection.chart) if selection else ("all", None)
    await put_on_record(house, f"export {what}", positions or (), who, chart)
    signed = await _signed(house, who.tenant)
    count = signed.size if positions is None else len(positions)
    tree = None if positions is None else await signed.log.tree()
    yield line(
        Exported(
            format=FORMAT,
            tenant=who.tenant,
            keys=[signed.key.verifier().text],
            selection=what,
            whole=positions is None,
            events=count,
            made=house.log.now().isoformat(),
        )
    )
    for head in await _chain(signed, tree):
        yield line(head)
    if positions is None or tree is None:
        portions = signed.log.all()
    else:
        portions = signed.log.chosen(positions, tree)
    done = 0
    async for portion in portions:
        for entry in portion:
            yield line(entry)
        done += len(portion)
        moved(done, count)


async def receipt(house: House, position: int, who: Actor) -> bytes:
    """The receipt of one event. Raises as `export`."""
    await put_on_record(house, f"export receipt of {position}", [position], who)
    signed = await _signed(house, who.tenant)
    if not 0 < position <= signed.size:
        raise NothingToExport(str(position))
    tree = await signed.log.tree()
    found = [entry async for portion in signed.log.chosen([position], tree) for entry in portion]
    if not found:
        raise ExportRefused(f"no event at {position}")
    entry = found[0]
    return line(
        EventReceipt(
            format=RECEIPT,
            key=signed.key.verifier().text,
            position=position,
            version=entry.version,
            at=entry.at,
            header=entry.header,
            context=context_hash(entry),
            body=entry.body,
            proof=str(Receipt(position - 1, tuple(entry.path or ()), signed.head)),
        )
    )


async def tile(house: House, tenant: str, folder: Path, moved: Moved) -> int:
    """Bring a folder of tiles up to the head of this moment; how many events it has then.

    Tiles are hashes and show nothing of an event, so that there is nothing to put on record.
    Raises TilesStale, NothingToExport, LogForked and KeptHeadDamaged.
    """
    signed = await _signed(house, tenant)
    tiles = TileFolder(folder, signed.key.verifier())
    writer = await asyncio.to_thread(tiles.begin)
    async for portion in signed.log.entries(writer.size):
        await asyncio.to_thread(writer.add, portion)
        moved(writer.size, signed.size)
    await asyncio.to_thread(tiles.finish, writer, signed.head)
    return signed.size


async def _positions(house: House, selection: Selection, who: Actor) -> list[int]:
    positions = await positions_of(house, selection, who)
    if not positions:
        raise NothingToExport(who.tenant)
    return positions


async def _signed(house: House, tenant: str) -> _Signed:
    """The log up to the head of this moment, which is signed now unless it is already."""
    settings = house.settings
    key = await head_key(house.keys, settings, tenant)
    async with asyncpg.create_pool(settings.role_dsn("worker"), min_size=0, max_size=1) as pool:
        await _in_turn(await head_signer(house, pool, tenant))
    kept = head_file(settings, key, tenant).load()
    if kept is None:
        raise NothingToExport(tenant)
    size = kept.checkpoint.size
    return _Signed(key, kept.note, size, LogUpTo(house.auditor, tenant, size))


async def _in_turn(signer: HeadSigner) -> None:
    """Sign when no other process does: its head may not have the newest events."""
    until = time.monotonic() + TRAIL_SECONDS
    while time.monotonic() < until:
        if await signer.sign() is not None:
            return
        await asyncio.sleep(TURN_SECONDS)
    raise SigningBusy


async def _chain(signed: _Signed, tree: Leaves | None) -> list[HeadLine]:
    """Published heads, evenly chosen, and the last one, each with its path from the one before.

    With all entries at hand roots are worked out from these, and no paths are needed.
    """
    known = {signed.size: signed.head}
    for note in await signed.log.heads(MOST_HEADS):
        try:
            note.check([signed.key.verifier()])
            known.setdefault(Checkpoint.of(note.text).size, note)
        except (NoteRefused, NoteUnreadable):
            # Nobody signed it, so somebody put it there; `verify` tells more.
            continue
    lines, before = [], 0
    for size in sorted(known):
        since = consistency_path(tree, before, size) if tree is not None and before else ()
        lines.append(HeadLine(str(known[size]), since))
        before = size
    return lines
