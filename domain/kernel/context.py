"""Accountability: who acted, for whom, why it was allowed. Stamped in `perform`, nowhere else.

Purposes are HL7 PurposeOfUse codes (TREAT, PATRQT, HOPERAT, HPAYMT, HCOMPL, SYSADMIN).
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

BasisKind = Literal[
    "own-record",
    "proxy-grant",
    "consent",
    "care-relationship",
    "role",
    "break-glass",
    "system",
    "none",
]
ActorKind = Literal["account", "operator", "system", "anonymous"]


@dataclass(frozen=True, slots=True)
class Basis:
    """Why an access is allowed; `reference` is the id of the grant, relationship or role.

    `none` is the basis of a refused access.
    """

    kind: BasisKind
    reference: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who asks, as the verified token or the command line names them.

    An empty `purpose` is derived from the basis of each access.
    """

    tenant: str
    id: str
    kind: ActorKind
    purpose: str = ""
    session: str | None = None
    client: str | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a command or a read is about: a chart, a person, or the organisation itself."""

    chart: str | None = None
    person: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """A proxy grant in force: what it opens, until when, and where it stands in the log.

    `chart_version` is that of the chart's own stream, which says of merges and of a death.
    """

    chart: str
    scopes: frozenset[str]
    stream: str
    version: int
    until: datetime | None = None
    chart_version: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CareRelation:
    """A treating relationship derived from an encounter or a care team, with its dates.

    `reference` is the stream of the encounter or of the team membership, as of `version`.
    """

    chart: str
    reference: str
    version: int
    since: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleHeld:
    """A role of a practitioner or staff member, and where it stands in the log."""

    role: str
    stream: str
    version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """What the permission read models say of an actor, at `position` of the tenant's log.

    `person_version` is that of the person's stream, which says whose charts are theirs.

    About the chart that was asked for, or about one's own where none was: `kin` are it and the
    charts that merges made one patient's with it, the survivor first. `deceased` says of a chart
    that was asked for that the patient has died. `merged` are those of the known charts that are a
    part of another one.
    """

    person: str | None = None
    person_version: int | None = None
    practitioner: str | None = None
    account_stream: str | None = None
    account_version: int = 0
    own_charts: frozenset[str] = frozenset()
    grants: tuple[Grant, ...] = ()
    relations: tuple[CareRelation, ...] = ()
    roles: tuple[RoleHeld, ...] = ()
    kin: tuple[str, ...] = ()
    merged: frozenset[str] = frozenset()
    deceased: bool = False
    position: int = 0

    def holds(self, *roles: str) -> RoleHeld | None:
        """The first of the named roles that is held, or None."""
        return next((held for held in self.roles if held.role in roles), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The accountability part of an event, stored as its RFC 8785 bytes beside a salt.

    `rule` names what permitted; a look over several panels has several names with spaces.
    `on_behalf_of` is the chart of the patient for whom a proxy acted.
    Times are RFC 3339; `occurred` keeps the precision in which the source stated it.
    """

    actor: str
    actor_kind: ActorKind
    purpose: str
    basis: BasisKind
    rule: str
    policy: str
    received: str
    occurred: str
    basis_reference: str | None = None
    on_behalf_of: str | None = None
    client: str | None = None
    scope: str | None = None
    facility: str | None = None
    session: str | None = None
    correlation: str | None = None
    causation: str | None = None
    recipient: str | None = None
    precision: str | None = None
    zone: str | None = None
    reason: str | None = None
