"""The verifier that officers are given, on an export of many events, beside reading its lines.

The file is written with a key of its own, not by the product, so that its length is no matter of
how fast a log is filled; header and context are as long as those of a look at a record.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.proofs.exports import FORMAT, Entry, Exported, head_line, line
from adapters.proofs.merkle import Frontier, leaf_hash
from adapters.proofs.notes import Checkpoint, NoteKey
from bench.ground import TENANT, Ground
from bench.measure import Line, Pace, Run, alternate, say

KIT = Path(__file__).parents[1] / "docs" / "kit" / "verify.py"
MILLION = 1_000_000
MOST_SECONDS = 60.0
HEADS = 64
KEY = NoteKey("bench.invalid/log", Ed25519PrivateKey.from_private_bytes(bytes(32)))
NAME, REFERENCE = "offline verification", "json.loads of every line, one process"
FIRST_MICROS = 1_767_225_600_000_000


class NotVerified(Exception):
    """The export that was just written does not verify: nothing was measured."""


async def lines(ground: Ground, pace: Pace) -> AsyncIterator[Line]:
    """One line, in events per second; a million takes at most 60 s."""
    count = int(100_000 * pace.seconds)
    path = ground.folder / "export.jsonl"
    say(f"  writing {count:,} events")
    await asyncio.to_thread(_write, path, count)

    async def verifying(_seconds: float) -> Run:
        began = time.perf_counter()
        words = (sys.executable, "-I", str(KIT), str(path), "--key", KEY.verifier().text)
        process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.DEVNULL)
        if await process.wait():
            raise NotVerified
        return Run(count / (time.perf_counter() - began))

    async def reading(_seconds: float) -> Run:
        began = time.perf_counter()
        await asyncio.to_thread(_read, path)
        return Run(count / (time.perf_counter() - began))

    runs = await alternate({NAME: verifying, REFERENCE: reading}, pace)
    size = await asyncio.to_thread(os.path.getsize, path)
    yield Line(
        name=NAME,
        value=runs[NAME].rate,
        unit="events/s",
        reference=runs[REFERENCE].rate,
        reference_name=REFERENCE,
        extra={
            "events": count,
            "bytes_per_event": size // count,
            "seconds_per_million": round(MILLION / runs[NAME].rate, 1),
            "at_most_seconds": MOST_SECONDS,
        },
    )


def _write(path: Path, count: int) -> None:
    """Heads stand before the entries, so the entries are made twice rather than kept."""
    frontier, heads = Frontier(), []
    for position in range(1, count + 1):
        frontier.append(_entry(position).leaf)
        if position % (count // HEADS) == 0 or position == count:
            heads.append(Checkpoint(KEY.name, position, frontier.root()).signed(KEY))
    first = Exported(
        format=FORMAT,
        tenant=TENANT,
        keys=[KEY.verifier().text],
        selection="all",
        whole=True,
        events=count,
        made="2026-01-01T00:00:00+00:00",
    )
    with path.open("wb") as file:
        file.write(line(first))
        file.writelines(map(head_line, heads))
        file.writelines(line(_entry(position)) for position in range(1, count + 1))


def _entry(position: int) -> Entry:
    made = sha256(str(position).encode()).digest()
    name = made.hex()[:36]
    header = json.dumps(
        {"chart": name, "command": name, "event": name, "key": name, "stream": name,
         "tenant": TENANT, "type": "audit.records-viewed", "version": 1}
    )  # fmt: skip
    context = json.dumps(
        {"actor": name, "actor_kind": "account", "basis": "own-record", "client": "portal",
         "correlation": name[:16], "policy": "2026-11", "purpose": "PATRQT", "rule": "records.view",
         "session": name, "subject": name}
    )  # fmt: skip
    at = FIRST_MICROS + position
    leaf = leaf_hash(position, 1, at, header.encode(), made[:16], context.encode(), made)
    return Entry(
        position=position,
        version=1,
        at=at,
        header=header,
        context=context,
        salt=made[:16],
        body=sha256(made).digest(),
        leaf=leaf,
    )


def _read(path: Path) -> None:
    with path.open(encoding="utf-8") as file:
        for text in file:
            json.loads(text)
