"""The trail: one stream per actor and day, refusals, replays."""

from datetime import timedelta
from uuid import UUID

from domain.audit import (
    AccessRefused,
    AuditReplayed,
    RecordReplay,
    Selection,
    refused,
    trail_of,
)
from domain.kernel.context import Actor
from tests.story import NOW, given

EVE = Actor(tenant="riverside", id="eve", kind="account", purpose="TREAT")


def test_each_replay_counts_also_the_same_one_again() -> None:
    wish = RecordReplay(trail="t", selection="chart c", count=3, first=1, last=9)
    told = AuditReplayed(selection="chart c", count=3, first=1, last=9)
    given().when(wish).then(told).when(wish).then(told)


def test_a_replay_of_nothing_counts_too() -> None:
    given().when(RecordReplay(trail="t", selection="actor eve", count=0)).then(
        AuditReplayed(selection="actor eve", count=0)
    )


def test_a_replay_goes_to_the_trail_it_names_at_any_version() -> None:
    [stream] = RecordReplay(trail="t", selection="s", count=0).streams
    assert (stream.id, stream.any_version, stream.chart) == ("t", True, None)


def test_a_refusal_goes_to_the_trail_of_the_actor_and_names_what_was_asked_for() -> None:
    stream, event = refused(EVE, "records.view", "c", NOW)
    assert stream == trail_of(EVE, NOW)
    assert event == AccessRefused(operation="records.view", chart="c")


def test_a_trail_is_one_uuid_for_a_utc_day_an_actor_and_a_tenant() -> None:
    trail = trail_of(EVE, NOW)
    assert str(UUID(trail)) == trail
    assert trail_of(EVE, NOW.replace(hour=23, minute=59)) == trail
    others = (
        trail_of(EVE, NOW + timedelta(days=1)),
        trail_of(Actor(tenant="riverside", id="bob", kind="account", purpose="TREAT"), NOW),
        trail_of(Actor(tenant="lakeside", id="eve", kind="account", purpose="TREAT"), NOW),
    )
    assert len({trail, *others}) == 4


def test_a_selection_says_what_it_was_narrowed_by() -> None:
    assert Selection().text == ""
    narrowed = Selection(chart="c", actor="eve", since=NOW, upto=9)
    assert narrowed.text == "chart=c actor=eve since=2026-03-14 09:30:00+00:00 upto=9"
