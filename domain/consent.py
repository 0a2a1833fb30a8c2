"""Proxy access: who may act for whom, and what the patient allowed.

One stream per chart and grantee, so that one grant's changes never wait for another's and a rule
can rely on the version of exactly one grant.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from domain.kernel.command import Command, Reserved, Stream
from domain.kernel.context import Subject
from domain.kernel.event import Erased, Event, Unknown
from domain.kernel.refusal import Refusal
from domain.kernel.rule import may, oneself, operator, proxy

SCOPES = frozenset({"records", "results", "prescriptions", "scheduling", "messaging"})
KINDS = frozenset({"parent", "caregiver", "legal-representative", "helper"})


class ProxyAccessGranted(Event, name="consent.proxy-access-granted", version=1):
    """A person may see and do these things in this chart, until the grant ends."""

    grantee: str
    kind: str
    scopes: tuple[str, ...]
    until: datetime | None = None


class ProxyAccessWithdrawn(
    Event, name="consent.proxy-access-withdrawn", version=1, withdraws_access=True
):
    """The grant is over; the grantee's next request is refused."""

    grantee: str


class UnknownScope(Refusal):
    """This kind of access does not exist. Choose from the scopes that the schema lists."""

    scope: str


class UnknownProxyKind(Refusal):
    """There is no such kind of proxy. Choose one that the schema lists."""

    kind: str


class GrantEndsInThePast(Refusal):
    """The end of the grant has already passed. Choose a later day."""

    until: datetime


class GrantTooLong(Refusal):
    """A grant ends within a hundred years. Choose an earlier day, or no end."""

    until: datetime


LONGEST = timedelta(days=36_525)
grant = may("consent.grant", oneself, operator)
withdraw = may("consent.withdraw", oneself, operator)
view = may("consent.view", oneself, proxy("records"))


@dataclass(frozen=True, slots=True)
class Grant:
    """The grant as it stands."""

    id: str
    granted: ProxyAccessGranted | None = None

    @classmethod
    def initial(cls, stream: str) -> "Grant":
        """No grant."""
        return cls(stream)

    def evolve(self, event: Event | Erased | Unknown) -> "Grant":
        """The grant after an event."""
        match event:
            case ProxyAccessGranted():
                return replace(self, granted=event)
            case ProxyAccessWithdrawn() | Erased():
                return replace(self, granted=None)
        return self


class GrantProxyAccess(Command[Grant], name="consent.grant-proxy-access", rule=grant):
    """Let another person see and act in a chart, within scopes and time."""

    chart: str
    grantee: str
    kind: str
    scopes: tuple[str, ...]
    until: datetime | None = None
    seen_version: int | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The grant of this chart to this person."""
        return (_grant_stream(self.chart, self.grantee),)

    @property
    def expected_version(self) -> int | None:
        """The version that the client saw."""
        return self.seen_version

    def subject(self, _state: Grant) -> Subject:
        """The chart that is opened to somebody."""
        return Subject(chart=self.chart)

    def decide(self, state: Grant, now: datetime) -> Iterator[Event]:
        """Refused for an unknown scope or kind and for an end in the past."""
        for scope in self.scopes:
            if scope not in SCOPES:
                raise UnknownScope(scope=scope)
        if self.kind not in KINDS:
            raise UnknownProxyKind(kind=self.kind)
        if self.until is not None and self.until <= now:
            raise GrantEndsInThePast(until=self.until)
        if self.until is not None and self.until - now > LONGEST:
            raise GrantTooLong(until=self.until)
        granted = ProxyAccessGranted(
            grantee=self.grantee,
            kind=self.kind,
            scopes=tuple(sorted(set(self.scopes))),
            until=self.until,
        )
        if state.granted != granted:
            yield granted


class WithdrawProxyAccess(Command[Grant], name="consent.withdraw-proxy-access", rule=withdraw):
    """End a grant, by the patient or by the grantee."""

    chart: str
    grantee: str
    seen_version: int | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The grant of this chart to this person."""
        return (_grant_stream(self.chart, self.grantee),)

    @property
    def expected_version(self) -> int | None:
        """The version that the client saw."""
        return self.seen_version

    def subject(self, _state: Grant) -> Subject:
        """The chart that was opened, and the grantee: either of them may end it."""
        return Subject(chart=self.chart, person=self.grantee)

    def decide(self, state: Grant, _now: datetime) -> Iterator[Event]:
        """Nothing when there is no grant."""
        if state.granted is not None:
            yield ProxyAccessWithdrawn(grantee=self.grantee)


def _grant_stream(chart: str, grantee: str) -> Stream:
    return Stream(fold=Grant, reserved=Reserved("consent.grant", f"{chart}|{grantee}"), chart=chart)
