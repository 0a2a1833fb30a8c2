"""The directory: who works where, and in which roles."""

from collections.abc import Iterator
from dataclasses import dataclass

from domain import directory
from domain.directory import (
    EntryAwaited,
    Function,
    FunctionListed,
    Organization,
    OrganizationListed,
    Place,
    PlaceListed,
    Practitioner,
    PractitionerListed,
    RoleEnded,
    RoleGiven,
)
from domain.kernel.event import Erased, Recorded, Unknown
from domain.kernel.readmodel import Column, Drop, Projection, Put, Table, Write

VERSION = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRow:
    """An organisation or a practitioner as last listed; before that, what a referrer calls it."""

    organization: Organization | None = None
    practitioner: Practitioner | None = None
    awaited_as: str | None = None
    place: Place | None = None
    function: Function | None = None


ENTRY = Table("directory_entry", (Column("id", "uuid"),), (Column("kind", "text"),), EntryRow)
STREAM = Table("directory_stream", (Column("id", "uuid"),), (Column("version", "bigint"),))
ROLE = Table(
    "directory_role",
    (Column("practitioner", "uuid"), Column("role", "text")),
    (Column("since", "timestamptz"), Column("until", "timestamptz")),
)
view = directory.view


def project(recorded: Recorded) -> Iterator[Write]:
    """One row per entry, one per role held, and each entry's stream version for the rules."""
    event, stream = recorded.event, recorded.header.stream
    yield Put(STREAM, {"id": stream, "version": recorded.version})
    match event:
        case EntryAwaited():
            yield Put(ENTRY, {"id": stream, "kind": event.kind}, EntryRow(awaited_as=event.display))
        case OrganizationListed():
            body = EntryRow(organization=event.organization)
            yield Put(ENTRY, {"id": stream, "kind": "organization"}, body)
        case PractitionerListed():
            body = EntryRow(practitioner=event.practitioner)
            yield Put(ENTRY, {"id": stream, "kind": "practitioner"}, body)
        case PlaceListed():
            yield Put(ENTRY, {"id": stream, "kind": "place"}, EntryRow(place=event.place))
        case FunctionListed():
            body = EntryRow(function=event.function)
            yield Put(ENTRY, {"id": stream, "kind": "function"}, body)
        case RoleGiven():
            period = {"since": event.since, "until": event.until}
            yield Put(ROLE, {"practitioner": stream, "role": event.role, **period})
        case RoleEnded():
            yield Drop(ROLE, {"practitioner": stream, "role": event.role})
        case Erased(type_name=RoleEnded.type_name) | Unknown(type_name=RoleEnded.type_name):
            # Which role ended cannot be read: none of them opens anything until it is given again.
            yield Drop(ROLE, {"practitioner": stream})


PROJECTION = Projection(
    "directory",
    VERSION,
    (ENTRY, STREAM, ROLE),
    (
        EntryAwaited,
        OrganizationListed,
        PractitionerListed,
        PlaceListed,
        FunctionListed,
        RoleGiven,
        RoleEnded,
    ),
    project,
)
