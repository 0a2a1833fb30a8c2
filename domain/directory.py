"""Organisations, places, practitioners and staff, and the roles they hold.

One stream per organisation and per practitioner (staff members included), so that a role's end
is one event that a rule can rely on by its stream version.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from domain.kernel.command import Command, Reserved, Stream
from domain.kernel.event import Erased, Event, Unknown
from domain.kernel.refusal import Refusal
from domain.kernel.rule import anyone, may, operator, role, system
from domain.kernel.values import Concept, Identifier, Name, Period, Source

ROLES = frozenset({"clinician", "front-desk", "health-information", "compliance", "administrator"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Organization:
    """What is listed of an organisation (FHIR Organization)."""

    name: str
    identifiers: tuple[Identifier, ...] = ()
    kinds: tuple[Concept, ...] = ()
    telecoms: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Practitioner:
    """What is listed of a practitioner or staff member (FHIR Practitioner)."""

    names: tuple[Name, ...]
    identifiers: tuple[Identifier, ...] = ()
    gender: str | None = None
    telecoms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What is listed of a place (FHIR Location); `organization` is the directory id of its host."""

    name: str
    status: str | None = None
    description: str | None = None
    identifiers: tuple[Identifier, ...] = ()
    kinds: tuple[Concept, ...] = ()
    telecoms: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()
    organization: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """What a practitioner does at an organisation (FHIR PractitionerRole); ids of the directory."""

    practitioner: str | None = None
    organization: str | None = None
    places: tuple[str, ...] = ()
    codes: tuple[Concept, ...] = ()
    specialties: tuple[Concept, ...] = ()
    telecoms: tuple[str, ...] = ()
    period: Period | None = None
    active: bool = True


class OrganizationListed(
    Event, name="directory.organization-listed", version=1, key_class="directory"
):
    """An organisation is in the directory under this name."""

    organization: Organization
    source: Source | None = None


class PractitionerListed(
    Event, name="directory.practitioner-listed", version=1, key_class="directory"
):
    """A practitioner or staff member is in the directory under this name."""

    practitioner: Practitioner
    source: Source | None = None


class EntryAwaited(Event, name="directory.entry-awaited", version=1, key_class="directory"):
    """Somebody refers to an entry that nobody has listed yet; its later listing stands here.

    `kind` is `organization`, `practitioner` or `place`; `display` is what the referrer calls it.
    """

    kind: str
    display: str | None = None


class PlaceListed(Event, name="directory.place-listed", version=1, key_class="directory"):
    """A place is in the directory under this name."""

    place: Place
    source: Source | None = None


class FunctionListed(Event, name="directory.function-listed", version=1, key_class="directory"):
    """A practitioner's function at an organisation is in the directory; it gives no role here."""

    function: Function
    source: Source | None = None


class RoleGiven(Event, name="directory.role-given", version=1, key_class="directory"):
    """The practitioner or staff member holds a role: from now on, or within a period."""

    role: str
    since: datetime | None = None
    until: datetime | None = None


class RoleEnded(
    Event, name="directory.role-ended", version=1, key_class="directory", withdraws_access=True
):
    """The role is over; what it opened closes with the next request."""

    role: str


class UnknownRole(Refusal):
    """There is no such role. Choose one of the roles that the directory knows."""

    role: str


class PeriodEndsTooEarly(Refusal):
    """The period ends before it begins, or has passed already. Choose a later end."""

    until: datetime


class NotListed(Refusal):
    """Nobody of this id is in the directory. List them first."""


view = may("directory.view", anyone)
report = may("directory.report", operator, system)
appoint = may("directory.appoint", role("administrator"), operator)


@dataclass(frozen=True, slots=True)
class Listing:
    """A directory entry: what was last listed, and the roles as they were given."""

    id: str
    listed: Organization | Practitioner | Place | Function | None = None
    roles: tuple[RoleGiven, ...] = ()
    awaited: bool = False

    @classmethod
    def initial(cls, stream: str) -> "Listing":
        """Not listed."""
        return cls(stream)

    def evolve(self, event: Event | Erased | Unknown) -> "Listing":
        """The entry after an event."""
        match event:
            case EntryAwaited():
                return replace(self, awaited=True)
            case OrganizationListed():
                return replace(self, listed=event.organization)
            case PractitionerListed():
                return replace(self, listed=event.practitioner)
            case PlaceListed():
                return replace(self, listed=event.place)
            case FunctionListed():
                return replace(self, listed=event.function)
            case RoleGiven():
                return replace(self, roles=(*self._without(event.role), event))
            case RoleEnded():
                return replace(self, roles=self._without(event.role))
        return self

    def held(self, role: str) -> RoleGiven | None:
        """The role as it was given, or None; its period may have passed."""
        return next((given for given in self.roles if given.role == role), None)

    def _without(self, role: str) -> tuple[RoleGiven, ...]:
        return tuple(given for given in self.roles if given.role != role)


class ListOrganization(Command[Listing], name="directory.list-organization", rule=report):
    """File an organisation under its business identifiers.

    `also` are further identifiers of the same entry. `only_new` leaves what is listed as it is.
    """

    key: str
    organization: Organization
    source: Source | None = None
    also: tuple[str, ...] = ()
    only_new: bool = False

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The entry that any of the identifiers stands for."""
        return (entry("organization", self.key, self.also),)

    def decide(self, state: Listing, _now: datetime) -> Iterator[Event]:
        """An event when something differs from the last listing."""
        if state.listed is not None and self.only_new:
            return
        if state.listed != self.organization:
            yield OrganizationListed(organization=self.organization, source=self.source)


class ListPractitioner(Command[Listing], name="directory.list-practitioner", rule=report):
    """File a practitioner or staff member under their business identifiers.

    `also` are further identifiers of the same entry. `only_new` leaves what is listed as it is.
    """

    key: str
    practitioner: Practitioner
    source: Source | None = None
    also: tuple[str, ...] = ()
    only_new: bool = False

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The entry that any of the identifiers stands for."""
        return (entry("practitioner", self.key, self.also),)

    def decide(self, state: Listing, _now: datetime) -> Iterator[Event]:
        """An event when something differs from the last listing."""
        if state.listed is not None and self.only_new:
            return
        if state.listed != self.practitioner:
            yield PractitionerListed(practitioner=self.practitioner, source=self.source)


class AwaitEntry(Command[Listing], name="directory.await-entry", rule=report):
    """Reserve the place of an entry that is referred to before it is listed."""

    kind: str
    key: str
    display: str | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The entry that will be listed under this identifier."""
        return (entry(self.kind, self.key),)

    def decide(self, state: Listing, _now: datetime) -> Iterator[Event]:
        """Nothing for an entry that is listed or awaited."""
        if state.listed is None and not state.awaited:
            yield EntryAwaited(kind=self.kind, display=self.display)


class ListPlace(Command[Listing], name="directory.list-place", rule=report):
    """File a place under its business identifier."""

    key: str
    place: Place
    source: Source | None = None
    also: tuple[str, ...] = ()
    only_new: bool = False

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The entry that any of the identifiers stands for."""
        return (entry("place", self.key, self.also),)

    def decide(self, state: Listing, _now: datetime) -> Iterator[Event]:
        """An event when something differs from the last listing."""
        if state.listed is not None and self.only_new:
            return
        if state.listed != self.place:
            yield PlaceListed(place=self.place, source=self.source)


class ListFunction(Command[Listing], name="directory.list-function", rule=report):
    """File what a practitioner does at an organisation; `key` is its id at the source."""

    key: str
    function: Function
    source: Source | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The function of this identifier."""
        return (Stream(fold=Listing, reserved=Reserved("directory.function", self.key)),)

    def decide(self, state: Listing, _now: datetime) -> Iterator[Event]:
        """An event when something differs from the last listing."""
        if state.listed != self.function:
            yield FunctionListed(function=self.function, source=self.source)


class GiveRole(Command[Listing], name="directory.give-role", rule=appoint):
    """Give a role to a practitioner or staff member, for a period where one is named."""

    practitioner: str
    role: str
    since: datetime | None = None
    until: datetime | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The practitioner."""
        return (Stream(fold=Listing, id=self.practitioner),)

    def decide(self, state: Listing, now: datetime) -> Iterator[Event]:
        """Refused for a role or a practitioner that the directory does not know.

        Another period replaces the earlier one, which ends first.
        """
        if self.role not in ROLES:
            raise UnknownRole(role=self.role)
        if self.until is not None and self.until <= max(self.since or now, now):
            raise PeriodEndsTooEarly(until=self.until)
        if not isinstance(state.listed, Practitioner):
            raise NotListed()
        given = RoleGiven(role=self.role, since=self.since, until=self.until)
        held = state.held(self.role)
        if held == given:
            return
        if held is not None:
            yield RoleEnded(role=self.role)
        yield given


class EndRole(Command[Listing], name="directory.end-role", rule=appoint):
    """End a role; what it opened closes with the next request."""

    practitioner: str
    role: str

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The practitioner."""
        return (Stream(fold=Listing, id=self.practitioner),)

    def decide(self, state: Listing, _now: datetime) -> Iterator[Event]:
        """Nothing when the role is not held."""
        if state.held(self.role) is not None:
            yield RoleEnded(role=self.role)


def entry(kind: str, key: str, also: tuple[str, ...] = ()) -> Stream:
    """The stream of an entry that is known by one identifier or several."""
    named = tuple(Reserved(f"directory.{kind}", value) for value in dict.fromkeys((key, *also)))
    return Stream(fold=Listing, reserved=named[0], also=named[1:])
