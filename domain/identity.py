"""Accounts: who signs in, and which person or practitioner that is.

One stream per account. The sign-in ceremony (factors, sessions) is added to these streams later;
already now an account opens, is bound to a person or practitioner, and can be closed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from domain.kernel.command import OWN, Command, Reserved, Stream
from domain.kernel.context import Subject
from domain.kernel.event import Erased, Event, Unknown
from domain.kernel.refusal import Refusal
from domain.kernel.rule import may, operator, role, signed_in


class AccountOpened(Event, name="identity.account-opened", version=1, key_class="identity"):
    """An account exists for a person or a practitioner, under this display name."""

    display_name: str
    person: str | None = None
    practitioner: str | None = None


class AccountClosed(
    Event, name="identity.account-closed", version=1, key_class="identity", withdraws_access=True
):
    """The account is closed; its next request is refused."""

    reason: str


class LoginTaken(Refusal):
    """This login belongs to another account. Choose another one, or recover that account."""


class AccountNeedsSomebody(Refusal):
    """An account belongs to exactly one person or practitioner. Name one of them."""


view_own = may("identity.view-own", signed_in)
administer = may("identity.administer", role("administrator"), operator)


@dataclass(frozen=True, slots=True)
class Account:
    """An account as far as its commands need it."""

    id: str
    person: str | None = None
    practitioner: str | None = None
    open: bool = False

    @classmethod
    def initial(cls, stream: str) -> "Account":
        """No account yet."""
        return cls(stream)

    def evolve(self, event: Event | Erased | Unknown) -> "Account":
        """The account after an event."""
        match event:
            case AccountOpened():
                return replace(
                    self, person=event.person, practitioner=event.practitioner, open=True
                )
            case AccountClosed():
                return replace(self, open=False)
        return self


class OpenAccount(Command[Account], name="identity.open-account", rule=administer):
    """Open an account under a login that nobody else has."""

    login: str
    display_name: str
    person: str | None = None
    practitioner: str | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The account of this login."""
        login = Reserved("identity.login", self.login.casefold())
        return (Stream(fold=Account, reserved=login, owner=OWN),)

    def subject(self, _state: Account) -> Subject:
        """The person whose account it becomes."""
        return Subject(person=self.person)

    def decide(self, state: Account, _now: datetime) -> Iterator[Event]:
        """Nothing when this very account is open; refused when the login is somebody else's."""
        if (self.person is None) == (self.practitioner is None):
            raise AccountNeedsSomebody()
        if not state.open:
            yield AccountOpened(
                display_name=self.display_name,
                person=self.person,
                practitioner=self.practitioner,
            )
        elif (state.person, state.practitioner) != (self.person, self.practitioner):
            raise LoginTaken()


class CloseAccount(Command[Account], name="identity.close-account", rule=administer):
    """Close an account for a stated reason."""

    account: str
    reason: str

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The account."""
        return (Stream(fold=Account, id=self.account, owner=OWN),)

    def decide(self, state: Account, _now: datetime) -> Iterator[Event]:
        """Nothing when it is closed already."""
        if state.open:
            yield AccountClosed(reason=self.reason)
