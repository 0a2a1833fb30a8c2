"""Proxy grants: who may act for whom, within scopes and time."""

from datetime import timedelta

import pytest
from hypothesis import given as examples
from hypothesis import strategies as st

from domain.consent import (
    KINDS,
    SCOPES,
    Grant,
    GrantEndsInThePast,
    GrantProxyAccess,
    GrantTooLong,
    ProxyAccessGranted,
    ProxyAccessWithdrawn,
    UnknownProxyKind,
    UnknownScope,
    WithdrawProxyAccess,
)
from domain.kernel.command import Reserved
from domain.kernel.context import Subject
from domain.kernel.event import Erased, Unknown
from tests.story import NOW, given

GRANTED = ProxyAccessGranted(grantee="bob", kind="parent", scopes=("records", "results"))
WITHDRAW = WithdrawProxyAccess(chart="c", grantee="bob")


def granting(
    *scopes: str, kind: str = "parent", until: object = None, seen: int | None = None
) -> GrantProxyAccess:
    """The wish to let Bob see and act in the chart."""
    return GrantProxyAccess(
        chart="c", grantee="bob", kind=kind, scopes=scopes, until=until, seen_version=seen
    )


def test_a_grant_is_given_once() -> None:
    wish = granting("records", "results")
    given().when(wish).then(GRANTED).when(wish).then()


@examples(scopes=st.lists(st.sampled_from(sorted(SCOPES)), max_size=8))
def test_order_and_repetition_of_scopes_are_the_same_grant(scopes: list[str]) -> None:
    told = ProxyAccessGranted(grantee="bob", kind="parent", scopes=tuple(sorted(set(scopes))))
    given().when(granting(*scopes)).then(told).when(granting(*reversed(scopes))).then()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_kind_of_proxy_can_be_granted(kind: str) -> None:
    told = ProxyAccessGranted(grantee="bob", kind=kind, scopes=("records",))
    given().when(granting("records", kind=kind)).then(told)


def test_another_scope_or_end_is_another_grant() -> None:
    tomorrow = NOW + timedelta(days=1)
    wider = ProxyAccessGranted(grantee="bob", kind="parent", scopes=("records",), until=tomorrow)
    given(GRANTED).when(granting("records", until=tomorrow)).then(wider)


def test_a_scope_that_does_not_exist_is_refused_by_its_name() -> None:
    given().when(granting("records", "billing")).refused(UnknownScope, scope="billing")


def test_a_kind_of_proxy_that_does_not_exist_is_refused_by_its_name() -> None:
    given().when(granting("records", kind="friend")).refused(UnknownProxyKind, kind="friend")


@pytest.mark.parametrize("ago", [timedelta(0), timedelta(microseconds=1)])
def test_a_grant_that_is_over_already_is_refused(ago: timedelta) -> None:
    until = NOW - ago
    given().when(granting("records", until=until)).refused(GrantEndsInThePast, until=until)


def test_a_grant_ends_within_a_hundred_years_or_never() -> None:
    last = NOW + timedelta(days=36_525)
    beyond = last + timedelta(microseconds=1)
    given().when(granting("records", until=beyond)).refused(GrantTooLong, until=beyond)
    told = ProxyAccessGranted(grantee="bob", kind="parent", scopes=("records",), until=last)
    given().when(granting("records", until=last)).then(told)


def test_a_grant_may_end_in_a_moment() -> None:
    soon = NOW + timedelta(microseconds=1)
    told = ProxyAccessGranted(grantee="bob", kind="parent", scopes=("records",), until=soon)
    given().when(granting("records", until=soon)).then(told)


def test_a_grant_is_withdrawn_once() -> None:
    over = ProxyAccessWithdrawn(grantee="bob")
    given(GRANTED).when(WITHDRAW).then(over).when(WITHDRAW).then()


def test_withdrawing_a_grant_that_never_was_is_nothing() -> None:
    given().when(WITHDRAW).then()


def test_a_withdrawn_or_erased_grant_can_be_given_again() -> None:
    for end in (ProxyAccessWithdrawn(grantee="bob"), Erased(GRANTED.type_name)):
        given(GRANTED, end).when(granting("records", "results")).then(GRANTED)


def test_an_unknown_event_leaves_a_grant_as_it_was() -> None:
    state = Grant("g", GRANTED)
    assert state.evolve(Unknown("consent.grant-reviewed", 1)) == state


def test_both_wishes_meet_on_the_stream_of_chart_and_grantee_and_ask_about_the_chart() -> None:
    for wish in (granting("records"), WITHDRAW):
        [stream] = wish.streams
        assert (stream.reserved, stream.chart) == (Reserved("consent.grant", "c|bob"), "c")
    assert granting("records").subject(Grant.initial("g")) == Subject(chart="c")


def test_a_withdrawal_asks_about_the_chart_and_the_grantee_who_may_end_it_too() -> None:
    assert WITHDRAW.subject(Grant.initial("g")) == Subject(chart="c", person="bob")


def test_the_version_that_the_client_saw_is_the_expected_one() -> None:
    assert granting("records", seen=3).expected_version == 3
    assert granting("records").expected_version is None
    seen = WithdrawProxyAccess(chart="c", grantee="bob", seen_version=1)
    assert seen.expected_version == 1
