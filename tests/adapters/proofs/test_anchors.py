"""Roots kept outside: they find whoever rewrites rows, leaves and frontier alike."""

from collections.abc import Sequence
from hashlib import sha256

import pytest

from adapters.postgres.verification import anchors_now, verify
from adapters.proofs.anchors import Anchor, AnchorCheck, AnchorUnreadable, anchors_in
from adapters.proofs.findings import Verification
from adapters.proofs.merkle import Frontier
from tests.adapters.proofs.conftest import EVENTS, Logs, file_records, open_charts
from tests.adapters.proofs.test_tampering import REHASHED

pytestmark = pytest.mark.anyio


async def _verified(logs: Logs, anchors: Sequence[Anchor]) -> Verification:
    dsn, tenant = logs.house.settings.role_dsn("auditor"), "riverside"
    return await verify(
        dsn,
        tenant,
        logs.house.keys,
        lambda _done, _all: None,
        1,
        span=64,
        anchors=anchors,
    )


async def _anchor(logs: Logs) -> Anchor:
    [anchor] = await anchors_now(logs.house.settings.role_dsn("auditor"), ["riverside"])
    return anchor


async def _made_to_fit(logs: Logs) -> None:
    """The frontier of the leaves as they are now, as the attacker would write it."""
    rows = await logs.owner.fetch(
        "SELECT leaf FROM event WHERE tenant = 'riverside' ORDER BY position"
    )
    nodes = Frontier.of([row["leaf"] for row in rows]).nodes
    await logs.owner.execute("UPDATE log_head SET frontier = $1 WHERE tenant = 'riverside'", nodes)


async def test_a_log_keeps_the_roots_of_its_anchors_while_it_grows(logs: Logs) -> None:
    first = await _anchor(logs)
    assert first.position == EVENTS
    charts = await open_charts(logs.house, "riverside", 1)
    await file_records(logs.house, "riverside", charts, range(100, 107))
    second = await _anchor(logs)
    assert second.position > first.position
    assert (await _verified(logs, [second, first])).ok


@pytest.mark.parametrize("position", [1, 57, EVENTS])
async def test_an_event_rewritten_with_its_leaf_and_the_frontier_is_found_by_an_anchor(
    logs: Logs, position: int
) -> None:
    anchor = await _anchor(logs)
    await logs.owner.execute(
        "UPDATE event SET context = context || ' ' WHERE tenant = 'riverside' AND position = $1",
        position,
    )
    await logs.owner.execute(REHASHED)
    await _made_to_fit(logs)
    assert (await _verified(logs, [])).ok
    wrongs = (await _verified(logs, [anchor])).wrongs
    assert [(wrong.position, wrong.code) for wrong in wrongs] == [(EVENTS, "anchor")]


async def test_a_log_that_was_cut_off_behind_an_anchor_is_found(logs: Logs) -> None:
    anchor = await _anchor(logs)
    later = Anchor("riverside", anchor.position + 1, anchor.root)
    wrongs = (await _verified(logs, [later, Anchor("lakeside", 9_999, anchor.root)])).wrongs
    assert [(wrong.position, wrong.code) for wrong in wrongs] == [(EVENTS + 1, "anchor")]


def test_anchors_are_lines_and_a_line_that_is_none_is_named() -> None:
    anchor = Anchor("riverside", 7, "ab" * 32)
    assert anchors_in(f"{anchor.line}\n\n") == [anchor]
    with pytest.raises(AnchorUnreadable, match="line 2"):
        anchors_in(f"{anchor.line}\nriverside seven {anchor.root}")


def _leaves(count: int) -> list[bytes]:
    return [sha256(str(number).encode()).digest() for number in range(count)]


def test_every_anchor_is_looked_at_wherever_it_stands_and_whatever_is_missing() -> None:
    leaves = _leaves(20_000)
    places = [1, 8_191, 8_192, 8_193, 12_000, 16_384, 20_000]
    anchors = [Anchor("t", n, Frontier.of(leaves[:n]).root().hex()) for n in places]
    false = Anchor("t", 12_000, "00" * 32)

    def checked(given: Sequence[Anchor], found: list[bytes]) -> list[int]:
        check = AnchorCheck(given)
        for start in range(0, 20_000, 8_192):
            check.take(found[start : start + 8_192])
        return [anchor.position for anchor in check.close()]

    assert checked(anchors, leaves) == []
    assert checked([*anchors, false], leaves) == [12_000]
    without = leaves[:5_000] + leaves[5_001:]
    assert checked(anchors, without) == [n for n in places if n > 5_000]
    holed = AnchorCheck(anchors)
    holed.take(leaves[:5_000] + leaves[5_001:8_192])
    holed.take(leaves[8_192:16_384])
    assert [anchor.position for anchor in holed.close()] == [n for n in places if n > 5_000]


def test_of_an_empty_log_there_is_nothing_to_say() -> None:
    check = AnchorCheck([Anchor("t", 0, "00" * 32)])
    assert (check.last, check.close()) == (0, [])
