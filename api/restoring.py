"""Backup and restore of a house: what is copied, and what is done before a copy goes on.

A restored log sends nothing until somebody lets it, forgets again what was erased after the backup,
and is held to what was signed.
"""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import asyncpg
import msgspec

from adapters.backup import Manifest, base_backup, copy_objects, prune_keys
from adapters.backup.manifest import Root
from adapters.dispatch import Effects
from adapters.heads import head_line, heads_in
from adapters.keys.files import replace
from adapters.postgres.trail import Trail
from adapters.postgres.verification import anchors_now
from adapters.proofs.notes import Checkpoint
from api.erasing.again import by_chart, erase_again
from api.house import House
from api.keystore import copy_store
from api.rebuilding import Moved
from api.settings import Settings
from api.signing import signed_anchors, taken_heads
from api.verifying import verification
from domain.audit import RecordRestore, SwitchDispatch, trail_of
from domain.kernel.context import Actor
from domain.kernel.perform import Request

MODELS_SECONDS = 600.0
STAMP = "%Y-%m-%dT%H-%M-%SZ"


class KeysBeside(Exception):
    """A backup that holds both database and keys undoes every erasure. Name a folder elsewhere."""


class EventsLost(Exception):
    """Events that were signed are not in this copy. Restore a newer one, or accept the loss."""


@dataclass(frozen=True, slots=True)
class Places:
    """Where a backup goes: the database and received bytes, and, apart, the keys."""

    folder: Path
    keys: Path | None
    key_days: int

    def check(self) -> None:
        """Raises KeysBeside."""
        if self.keys is not None and self.keys.resolve().is_relative_to(self.folder.resolve()):
            raise KeysBeside(str(self.keys))


@dataclass(frozen=True, slots=True, kw_only=True)
class BackedUp:
    """What was backed up: where, objects that were new, copies of keys that were too old."""

    folder: Path
    logs: dict[str, Root]
    objects: int
    keys_pruned: int


class Standing(msgspec.Struct, frozen=True):
    """A restored log before anything was written to it.

    `head` is its last position, `signed` the last one that was signed, `later` are the keys whose
    erasures are not in it, by their charts.
    """

    head: int
    signed: int
    later: dict[str, list[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Restored:
    """A tenant's log after a restore: `lost` signed events are not in it."""

    tenant: str
    events: int
    root: str
    lost: int
    charts_erased_again: int
    ok: bool


async def back_up(
    settings: Settings, tenants: list[str], binaries: Path, places: Places, moved: Moved
) -> BackedUp:
    """Copy everything. Raises KeysBeside and BackupFailed; an interrupted one has no manifest."""
    places.check()
    stamp = datetime.now(UTC).strftime(STAMP)
    folder = places.folder / stamp
    folder.mkdir(mode=0o700, parents=True)
    anchors = await anchors_now(settings.role_dsn("auditor"), tenants)
    logs = {one.tenant: Root(one.position, one.root) for one in anchors}
    database = folder / "database"
    await base_backup(
        binaries, settings.dsn, database, lambda done, total: moved("database", done, total)
    )
    new = await asyncio.to_thread(
        copy_objects,
        settings.objects,
        places.folder / "objects",
        lambda done, total: moved("received files", done, total),
    )
    # Keys last: what the database has at its end was sealed by keys that are in the copy.
    copy = None
    if places.keys is not None:
        copy = await copy_store(settings, places.keys, stamp)
    pruned = prune_keys(places.keys, places.key_days) if places.keys is not None else []
    Manifest(stamp, version("anamnesis"), logs, copy.name if copy else None).write(folder)
    return BackedUp(folder=folder, logs=logs, objects=new, keys_pruned=len(pruned))


class CopyDiverged(Exception):
    """This copy is not what was signed, or something wrote to it after the restore. Lay the backup
    out again, let nothing else start, and finish first."""


async def assess(house: House, tenant: str, *, accept_lost: bool) -> Standing:
    """How a restored log stands before anything is written to it; kept until it is finished.

    Raises EventsLost unless the loss is accepted, and CopyDiverged.
    """
    file = house.settings.kept_heads / f"{tenant}.restore"
    if file.exists():
        return msgspec.json.decode(file.read_bytes(), type=Standing)
    anchors = await signed_anchors(house, tenant, taken_heads(house.settings))
    head = await Trail(house.auditor, house.keys, tenant).head()
    signed = max((one.position for one in anchors), default=0)
    if signed > head and not accept_lost:
        raise EventsLost(f"{tenant}: {signed} were signed, {head} are here")
    checked = await verification(house, tenant, [one for one in anchors if one.position <= head])
    if any(wrong.code in ("anchor", "root", "leaf") for wrong in checked.wrongs):
        raise CopyDiverged(tenant)
    later = await by_chart(house, tenant, checked.erased_later)
    standing = Standing(head, signed, later)
    replace(file, msgspec.json.encode(standing))
    return standing


async def finish(
    house: House, tenant: str, standing: Standing, who: Actor, moved: Moved
) -> Restored:
    """Make a restored log ready to go on; interrupted, it is finished by the same call."""
    lost = max(0, standing.signed - standing.head)
    await house.progress.reach_head(tenant, ("audit",), seconds=MODELS_SECONDS)
    await _hold_back(house, who, standing)
    later = standing.later
    charts = await erase_again(house, who, later, moved) if later else 0
    wish = RecordRestore(
        trail=trail_of(who, house.log.now()),
        position=standing.head,
        signed=standing.signed,
        erased_again=sum(map(len, later.values())),
        reason=who.reason or "",
    )
    await house.do(Request(command=wish, actor=who, key=f"restored at {standing.head}"))
    if lost:
        await _set_heads_aside(house, tenant, standing.head)
    (house.settings.kept_heads / f"{tenant}.restore").unlink(missing_ok=True)
    checked = await verification(house, tenant)
    return Restored(
        tenant=tenant,
        events=checked.events,
        root=checked.root,
        lost=lost,
        charts_erased_again=charts,
        ok=checked.ok,
    )


async def _hold_back(house: House, who: Actor, standing: Standing) -> None:
    """Nothing of what was due is sent: perhaps it was sent after the backup."""
    trail = trail_of(who, house.log.now())
    wish = SwitchDispatch(trail=trail, paused=True, reason=who.reason or "")
    await house.do(Request(command=wish, actor=who, key=f"held back at {standing.head}"))
    dsn = house.settings.role_dsn("worker")
    async with asyncpg.create_pool(dsn, min_size=0, max_size=1) as pool:
        await Effects(pool).pause(who.tenant, paused=True)


async def _set_heads_aside(house: House, tenant: str, head: int) -> None:
    """The heads of the lost events stay as evidence, beside those that are signed from now on."""
    stamp = datetime.now(UTC).strftime(STAMP)
    for file in house.settings.kept_heads.glob(f"{tenant}.*json"):
        file.rename(file.with_name(f"{file.name}.before-{stamp}"))
    taken = house.settings.heads_file
    if taken is None or not taken.exists():
        return
    kept, aside = "", ""
    for whose, note in heads_in(taken.read_text("utf-8")):
        if whose == tenant and Checkpoint.of(note.text).size > head:
            aside += head_line(whose, note)
        else:
            kept += head_line(whose, note)
    if aside:
        replace(taken.with_name(f"{taken.name}.before-{stamp}"), aside.encode())
        replace(taken, kept.encode(), 0o640)
