"""Refusals: permanent codes, sentences that a patient may read, typed fields."""

import re

import pytest

from domain import consent
from domain.consent import UnknownScope
from domain.kernel.refusal import (
    Busy,
    KeyReused,
    NotFound,
    Refusal,
    StaleVersion,
    Unavailable,
    refusal_types,
)

CODES = {
    "consent.grant_ends_in_the_past",
    "consent.unknown_proxy_kind",
    "consent.unknown_scope",
    "directory.unknown_role",
    "identity.account_needs_somebody",
    "identity.login_taken",
    "kernel.busy",
    "kernel.key_reused",
    "kernel.not_found",
    "kernel.stale_version",
    "kernel.unavailable",
}


def test_the_codes_that_were_released_stay_for_ever() -> None:
    assert CODES - refusal_types().keys() == set()


def test_a_code_is_the_capability_and_the_name_in_words() -> None:
    for code, kind in refusal_types().items():
        if kind.__module__.startswith("domain."):
            assert re.fullmatch(r"[a-z]+\.[a-z]+(_[a-z]+)*", code)
            assert kind.__module__.split(".")[1] == code.split(".")[0]


def test_every_message_is_a_sentence_or_more() -> None:
    for code, kind in refusal_types().items():
        message = " ".join((kind.__doc__ or "").split())
        assert re.fullmatch(r"[A-Z].+\.", message), code


def test_only_a_lost_race_and_a_passing_trouble_are_worth_trying_again_as_they_are() -> None:
    assert Busy.retryable
    assert Unavailable.retryable
    for kind in (NotFound, StaleVersion, KeyReused, UnknownScope):
        assert not kind.retryable


def test_a_refusal_carries_its_fields_and_says_its_message() -> None:
    refusal = StaleVersion(current_version=7)
    assert refusal.fields == {"current_version": 7}
    assert refusal.code == "kernel.stale_version"
    assert str(refusal) == refusal.message
    assert refusal.message == (
        "Someone changed this since you last looked. Load it again, then repeat your change."
    )


def test_refusals_of_one_kind_and_fields_are_equal_and_others_are_not() -> None:
    assert UnknownScope(scope="a") == UnknownScope(scope="a")
    assert UnknownScope(scope="a") != UnknownScope(scope="b")
    assert NotFound() != KeyReused()


def test_the_message_is_the_first_paragraph_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domain.kernel.refusal._registry", {})

    class SlotTaken(Refusal):
        """Somebody took it
        a moment ago.

        For developers only.
        """

    assert SlotTaken().message == "Somebody took it a moment ago."


def test_two_refusals_of_one_code_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domain.kernel.refusal._registry", dict(refusal_types()))
    namespace = {"__module__": consent.__name__, "__qualname__": "Other.UnknownScope"}
    with pytest.raises(TypeError, match=r"^two refusals share the code consent\.unknown_scope$"):
        type("UnknownScope", (Refusal,), namespace)
