"""Accounts: one login, exactly one person or practitioner."""

import pytest

from domain.identity import (
    Account,
    AccountClosed,
    AccountNeedsSomebody,
    AccountOpened,
    CloseAccount,
    LoginTaken,
    OpenAccount,
)
from domain.kernel.command import OWN, Reserved
from domain.kernel.context import Subject
from domain.kernel.event import Erased, Unknown
from tests.story import given

ADA = AccountOpened(display_name="Ada", person="ada")


def opening(person: str | None = "ada", practitioner: str | None = None) -> OpenAccount:
    """The wish for an account under Ada's login."""
    return OpenAccount(
        login="Ada@Example.org", display_name="Ada", person=person, practitioner=practitioner
    )


def test_an_account_is_opened_once_for_a_person() -> None:
    given().when(opening()).then(ADA).when(opening()).then()


def test_an_account_is_opened_for_a_practitioner() -> None:
    wish = opening(person=None, practitioner="grey")
    given().when(wish).then(AccountOpened(display_name="Ada", practitioner="grey"))


@pytest.mark.parametrize(("person", "practitioner"), [(None, None), ("ada", "grey")])
def test_an_account_of_nobody_or_of_two_is_refused(
    person: str | None, practitioner: str | None
) -> None:
    given().when(opening(person, practitioner)).refused(AccountNeedsSomebody)


@pytest.mark.parametrize(("person", "practitioner"), [("eve", None), (None, "ada")])
def test_a_login_of_somebody_else_is_refused(person: str | None, practitioner: str | None) -> None:
    given(ADA).when(opening(person, practitioner)).refused(LoginTaken)


def test_a_login_is_the_same_in_capital_and_small_letters() -> None:
    stream = opening().streams[0]
    assert (stream.reserved, stream.owner) == (Reserved("identity.login", "ada@example.org"), OWN)


def test_the_rule_is_asked_about_the_person_whose_account_it_becomes() -> None:
    assert opening().subject(Account.initial("a")) == Subject(person="ada")


def test_an_account_is_closed_once_for_a_reason() -> None:
    wish = CloseAccount(account="a", reason="left the practice")
    closed = AccountClosed(reason="left the practice")
    given(ADA).when(wish).then(closed).when(wish).then()


def test_closing_an_account_that_never_was_is_nothing() -> None:
    given().when(CloseAccount(account="a", reason="mistake")).then()


def test_a_closed_account_can_be_opened_again() -> None:
    given(ADA, AccountClosed(reason="holiday")).when(opening()).then(ADA)


def test_erased_and_unknown_events_leave_an_account_as_it_was() -> None:
    state = Account("a", person="ada", open=True)
    assert state.evolve(Erased("identity.account-opened")) == state
    assert state.evolve(Unknown("identity.signed-in", 1)) == state
