"""Heads go on from what was signed before, whatever the database says of itself."""

import asyncio
import os
from collections.abc import Awaitable, Callable

import asyncpg
import pytest

from adapters.heads import (
    HeadsUnreadable,
    KeptHead,
    KeptHeadDamaged,
    LogForked,
    heads_in,
)
from adapters.proofs.merkle import Frontier
from adapters.proofs.notes import Checkpoint
from adapters.proofs.paths import Leaves, consistency_path, extends
from tests.adapters.heads.conftest import KEY, Signed
from tests.adapters.postgres.acts import HERE
from tests.adapters.proofs.test_tampering import REHASHED

pytestmark = pytest.mark.anyio


async def test_every_head_goes_on_from_the_one_before_and_lies_in_three_places(
    signed: Signed,
) -> None:
    signer = signed.signer()
    assert await signer.sign() == 0
    assert await signed.published() == []
    first = await signed.grow(0, 3)
    assert await signer.sign() == first
    second = await signed.grow(3, 2)
    assert await signed.signer().sign() == second
    heads = await signed.published()
    assert [head.size for head in heads] == [first, second]
    rows = await signed.owner.fetch(
        "SELECT leaf FROM event WHERE tenant = $1 ORDER BY position", HERE
    )
    path = consistency_path(Leaves(row["leaf"] for row in rows), first, second)
    assert extends(heads[0].root, first, heads[1].root, second, path)
    kept = signed.file.load()
    assert kept is not None
    assert kept.checkpoint == heads[1]
    taken = list(heads_in(signed.outlet.path.read_text()))
    assert [(tenant, Checkpoint.of(note.text)) for tenant, note in taken] == [
        (HERE, head) for head in heads
    ]


async def test_a_head_without_new_events_is_signed_once(signed: Signed) -> None:
    signer, position = signed.signer(), await signed.grow(0, 1)
    assert [await signer.sign() for _ in range(3)] == [position] * 3
    assert len(signed.outlet.path.read_text().splitlines()) == 1
    assert len(await signed.published()) == 1


async def test_what_was_kept_and_told_nobody_is_told_by_the_next_process(signed: Signed) -> None:
    position = await signed.grow(0, 2)
    rows = await signed.owner.fetch(
        "SELECT leaf FROM event WHERE tenant = $1 ORDER BY position", HERE
    )
    frontier = Frontier.of([row["leaf"] for row in rows])
    head = Checkpoint(KEY.name, position, frontier.root()).signed(KEY)
    with signed.file.held():
        signed.file.keep(KeptHead(head, frontier))
    assert await signed.signer().sign() == position
    assert [one.size for one in await signed.published()] == [position]


async def test_only_one_process_of_a_machine_signs_at_a_time(signed: Signed) -> None:
    position = await signed.grow(0, 1)
    with signed.file.held() as alone:
        assert alone
        assert await signed.signer().sign() is None
    assert await signed.published() == []
    assert await signed.signer().sign() == position


async def test_signers_of_several_machines_say_the_same(signed: Signed) -> None:
    position = await signed.grow(0, 2)
    elsewhere = Signed(signed.house, signed.owner, signed.pool, signed.folder / "elsewhere")
    elsewhere.folder.mkdir()
    answers = await asyncio.gather(signed.signer().sign(), elsewhere.signer().sign())
    assert answers == [position, position]
    assert len(await signed.published()) == 1


async def _rewritten(here: Signed) -> None:
    await here.owner.execute(
        "UPDATE event SET context = context || ' ' WHERE tenant = $1 AND position = 2", HERE
    )
    await here.owner.execute(REHASHED)
    await here.fit()


async def _cut_off(here: Signed) -> None:
    await here.owner.execute("DELETE FROM event WHERE tenant = $1 AND position > 3", HERE)
    await here.fit()


async def _emptied(here: Signed) -> None:
    await here.owner.execute("DELETE FROM event WHERE tenant = $1", HERE)
    await here.owner.execute("DELETE FROM log_head WHERE tenant = $1", HERE)


async def _grown_anew(here: Signed) -> None:
    """Cut off, and filled again beyond what was signed."""
    await here.owner.execute(
        "UPDATE event SET header = header || ' ' WHERE tenant = $1 AND position > 3", HERE
    )
    await here.owner.execute(REHASHED)
    await here.fit()


async def _with_a_hole(here: Signed) -> None:
    await here.owner.execute(
        "DELETE FROM event WHERE tenant = $1 AND position ="
        " (SELECT max(position) - 1 FROM event WHERE tenant = $1)",
        HERE,
    )


@pytest.mark.parametrize("tamper", [_rewritten, _cut_off, _emptied, _grown_anew, _with_a_hole])
async def test_a_log_that_does_not_go_on_from_the_signed_head_is_signed_no_more(
    signed: Signed, tamper: Callable[[Signed], Awaitable[None]]
) -> None:
    position = await signed.grow(0, 2)
    assert await signed.signer().sign() == position
    await signed.grow(2, 1)
    await tamper(signed)
    before = signed.outlet.path.read_text()
    with pytest.raises(LogForked, match=HERE):
        await signed.signer().sign()
    assert signed.outlet.path.read_text() == before
    assert [head.size for head in await signed.published()] == [position]


async def test_a_damaged_or_foreign_kept_head_is_refused(signed: Signed) -> None:
    await signed.grow(0, 1)
    await signed.signer().sign()
    path = signed.folder / "heads" / "riverside.json"
    whole = path.read_bytes()
    for damaged in (b"", whole[:-5], whole.replace(b"riverside", b"riversyde"), b"{}"):
        path.write_bytes(damaged)
        with pytest.raises(KeptHeadDamaged, match=r"riverside\.json"):
            signed.file.load()
    path.write_bytes(whole)
    assert signed.file.load() is not None


async def test_an_outlet_that_fails_does_not_keep_the_head_from_the_others(
    signed: Signed,
) -> None:
    position = await signed.grow(0, 1)
    signed.outlet.path.mkdir()
    assert await signed.signer().sign() == position
    assert [head.size for head in await signed.published()] == [position]


async def test_a_published_head_is_changed_by_nobody(signed: Signed, dsn: str) -> None:
    await signed.grow(0, 1)
    await signed.signer().sign()
    owner = await asyncpg.connect(dsn)
    for change in ("UPDATE signed_head SET note = ''", "DELETE FROM signed_head"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="immutable"):
            await owner.execute(change)
    await owner.close()


async def test_a_line_that_is_no_head_is_named_and_one_that_was_cut_off_left_out(
    signed: Signed,
) -> None:
    await signed.grow(0, 1)
    await signed.signer().sign()
    text = signed.outlet.path.read_text()
    assert len(list(heads_in(text + text[:40]))) == 1
    with pytest.raises(HeadsUnreadable, match="line 2"):
        list(heads_in(text + "{}\n"))


async def test_what_a_full_disk_left_of_a_line_is_cut_off_before_the_next(
    signed: Signed, monkeypatch: pytest.MonkeyPatch
) -> None:
    await signed.grow(0, 1)
    await signed.signer().sign()
    whole = signed.outlet.path.read_text()
    signed.outlet.path.write_text(whole + whole[:50])
    second = await signed.grow(1, 1)
    await signed.signer().sign()
    heads = [Checkpoint.of(note.text).size for _, note in heads_in(signed.outlet.path.read_text())]
    assert heads[-1] == second
    assert len(heads) == 2
    write = os.write
    monkeypatch.setattr(os, "write", lambda to, line: write(to, line[:30]))
    note = next(note for _, note in heads_in(whole))
    with pytest.raises(OSError, match="not all"):
        await signed.outlet.put(HERE, note)
    monkeypatch.undo()
    assert len(list(heads_in(signed.outlet.path.read_text()))) == 2
    assert signed.outlet.path.read_text().endswith("\n")
