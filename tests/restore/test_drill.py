"""F19: the restore drill. A server dies, its backup goes on elsewhere, nothing erased returns."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from adapters.backup import Manifest, copy_keys, copy_objects, followed, laid_out, prune_keys
from adapters.embedded import EmbeddedPostgres, start_postgres
from adapters.keys import KeyTree, RootKey, SqliteKeyStore
from adapters.postgres.migrate import add_tenant, migrate
from api.house import House, open_house, projecting
from api.rebuilding import rebuild_models
from api.restoring import (
    EventsLost,
    KeysBeside,
    Places,
    Standing,
    assess,
    back_up,
    finish,
)
from api.settings import Settings
from api.signing import signed_anchors, signing, taken_heads
from api.verifying import verification
from domain.audit import DispatchSwitched, LogRestored
from projections.catalogue import PROJECTIONS
from tests.adapters.fhir import lived
from tests.conftest import TENANTS
from tests.erasure.conftest import HERE, OTHER, WHO, Marked, erased, look, marked
from tests.erasure.remaining import opened
from tests.erasure.test_erasing import seen

pytestmark = pytest.mark.anyio
MOST_LOST_SECONDS = 5.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[EmbeddedPostgres]:
    """A server of the test's own, that may be killed."""
    binaries = os.environ.get("ANAMNESIS_PG_BINARIES")
    with start_postgres(tmp_path / "first", binaries=Path(binaries) if binaries else None) as made:
        migrate(made.dsn())
        for tenant in TENANTS:
            add_tenant(made.dsn(), tenant)
        yield made


@asynccontextmanager
async def restored(
    server: EmbeddedPostgres, settings: Settings, backup: Path, wal: Path | None, folder: Path
) -> AsyncIterator[Settings]:
    """A second server on the backup, with received bytes of then and keys of now."""
    second = folder / "second"
    second.mkdir(mode=0o700)
    await asyncio.to_thread(laid_out, backup, second / "data", wal)
    copy_objects(backup.parent / "objects", folder / "objects-again", lambda *_: None)
    with start_postgres(second, binaries=server.binaries) as again:
        await ended_recovery(again.dsn())
        yield replace(settings, dsn=again.dsn(), objects=folder / "objects-again")


async def ended_recovery(dsn: str) -> None:
    """Until the server has read the log to its end and may be written."""
    connection = await asyncpg.connect(dsn)
    try:
        async with asyncio.timeout(60):
            while True:
                if not await connection.fetchval("SELECT pg_is_in_recovery()"):
                    return
                await asyncio.sleep(0.05)
    finally:
        await connection.close()


async def backed_up(house: House, server: EmbeddedPostgres, folder: Path) -> Path:
    """A backup with a copy of the keys elsewhere."""
    places = Places(folder / "backups", folder / "key-backups", 35)
    done = await back_up(house.settings, list(TENANTS), server.binaries, places, lambda *_: None)
    return done.folder


def kill(server: EmbeddedPostgres) -> None:
    """All of the server at once."""
    os.kill(server.pid, signal.SIGKILL)
    for line in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = line.read_bytes()
        except OSError:
            continue
        if str(server.folder).encode() in words and b"pg_receivewal" not in words:
            os.kill(int(line.parent.name), signal.SIGKILL)


async def test_a_backup_and_the_log_that_followed_lose_moments_and_bring_nothing_back(
    server: EmbeddedPostgres, tmp_path: Path
) -> None:
    settings = Settings.in_folder(tmp_path / "house", server.dsn(), profile="demo")
    async with followed(server.binaries, server.dsn(), tmp_path / "backups" / "wal"):
        async with open_house(settings) as house:
            async with projecting(house), signing(house):
                people = await marked(house, tmp_path)
                folder = await backed_up(house, server, tmp_path)
                await erased(house, people.chart)
                answered = 0.0
                for number in range(50):
                    await look(house, people.other, f"look {number}")
                    answered = time.time()
            last = (await verification(house, HERE)).events
        kill(server)
        await asyncio.sleep(0.5)
    wal = tmp_path / "backups" / "wal"
    async with restored(server, settings, folder, wal, tmp_path) as again:
        async with open_house(again) as house, projecting(house):
            await nothing_is_lost(house, last, answered)
        plain = await opened(again)
        assert (seen(plain), OTHER.encode() in plain) == (set(), True)


async def nothing_is_lost(house: House, last: int, answered: float) -> None:
    """All that was answered, but for moments."""
    checked = await verification(house, HERE)
    assert checked.ok
    if checked.events < last:
        trail = await lived.recorded(house)
        assert answered - trail[-1].committed_at.timestamp() <= MOST_LOST_SECONDS
    standing = await assess(house, HERE, accept_lost=True)
    done = await finish(house, HERE, standing, WHO, lambda *_: None)
    await rebuild_models(house, PROJECTIONS, lambda *_: None)
    assert (done.ok, done.charts_erased_again) == (True, 0)


async def test_what_was_erased_after_the_backup_is_erased_again(
    server: EmbeddedPostgres, tmp_path: Path
) -> None:
    settings = Settings.in_folder(tmp_path / "house", server.dsn(), profile="demo")
    async with open_house(settings) as house, projecting(house), signing(house):
        people = await marked(house, tmp_path)
        folder = await backed_up(house, server, tmp_path)
        await erased(house, people.chart)
        await erased(house, people.other)
        await asyncio.sleep(1.5)
    manifest = Manifest.read(folder)
    kill(server)
    async with restored(server, settings, folder, None, tmp_path) as again:
        assert seen(await opened(again)) == set()
        async with open_house(again) as house, projecting(house):
            await goes_on(house, people, manifest)
        async with open_house(again) as house, projecting(house), signing(house):
            await look(house, people.other, "afterwards")
            await asyncio.sleep(1.5)
            anchors = await signed_anchors(house, HERE, taken_heads(again))
            assert anchors
            assert (await verification(house, HERE, anchors)).ok
        plain = await opened(again)
        assert (seen(plain), OTHER.encode() in plain) == (set(), False)


async def interrupted(house: House, standing: Standing) -> None:
    """A first try that ends in the middle."""

    def stops(step: str, _done: int, _total: int) -> None:
        if step == "keys":
            raise InterruptedError

    with pytest.raises(InterruptedError):
        await finish(house, HERE, standing, WHO, stops)


async def goes_on(house: House, people: Marked, manifest: Manifest) -> None:
    """Finished, and held to the root of the backup."""
    checked = await verification(house, HERE)
    assert checked.ok
    assert (checked.events, checked.root) == (
        manifest.logs[HERE].position,
        manifest.logs[HERE].root,
    )
    assert checked.erased_later
    with pytest.raises(EventsLost):
        await assess(house, HERE, accept_lost=False)
    standing = await assess(house, HERE, accept_lost=True)
    await interrupted(house, standing)
    # What was written meanwhile does not change what is lost.
    assert await assess(house, HERE, accept_lost=False) == standing
    done = await finish(house, HERE, standing, WHO, lambda *_: None)
    await rebuild_models(house, PROJECTIONS, lambda *_: None)
    assert (done.ok, done.charts_erased_again) == (True, 2)
    assert done.lost > 0
    checked = await verification(house, HERE)
    assert (checked.wrongs, checked.erased_later) == ((), ())
    (noted,) = await lived.events(house, LogRestored)
    assert noted.signed - noted.position == done.lost
    (held,) = await lived.events(house, DispatchSwitched)
    assert held.paused
    await house.progress.reach_head(HERE, lived.NAMES, seconds=60)
    # The patient may come again: their old number stands for nothing.
    again = await marked(house, house.settings.keys.parent)
    assert again.chart != people.chart
    await erased(house, again.chart)
    await erased(house, again.other)


async def test_keys_are_backed_up_apart_and_for_a_short_time(tmp_path: Path) -> None:
    with pytest.raises(KeysBeside):
        Places(tmp_path, tmp_path / "keys", 35).check()
    store = tmp_path / "keys" / "keys.sqlite3"
    opened_once = SqliteKeyStore(store)
    await KeyTree(RootKey(bytes(32)), opened_once).compartment("a", "chart", "clinical")
    await opened_once.close()
    copies = [copy_keys(store, tmp_path / "apart", f"{day:02}") for day in range(3)]
    for age, copy in zip((50, 40, 36), copies, strict=True):
        os.utime(copy, (time.time() - age * 86_400,) * 2)
    assert prune_keys(tmp_path / "apart", 35) == copies[:2]
    assert [file.name for file in (tmp_path / "apart").iterdir()] == ["keys-02.sqlite3"]
    assert copies[2].stat().st_mode & 0o777 == 0o600


async def test_received_files_are_copied_once(tmp_path: Path) -> None:
    objects = tmp_path / "objects" / "riverside" / "ab"
    objects.mkdir(parents=True)
    for name in ("one", "two"):
        (objects / name).write_text(name)
    into = tmp_path / "copy"
    assert copy_objects(tmp_path / "objects", into, lambda *_: None) == 2
    (objects / "three").write_text("three")
    assert copy_objects(tmp_path / "objects", into, lambda *_: None) == 1
    assert sorted(file.name for file in into.rglob("*") if file.is_file()) == [
        "one",
        "three",
        "two",
    ]
