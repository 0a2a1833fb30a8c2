"""Rules: who may do or see what, declared once beside each command or read.

`view = may("records.view", oneself, proxy("records"), treating, role("compliance"))`. A clause
yields a Basis or nothing; the first basis wins and is written into the event's context. A clause
also names the streams it relied on, so that an append fails when one of them moved meanwhile.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

from domain.kernel.context import Actor, Authority, Basis, Subject

POLICY_VERSION = "2026-11"
_registry: dict[str, "Rule"] = {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """One question to a rule: may this actor, about this subject, at this time?"""

    actor: Actor
    subject: Subject
    authority: Authority
    now: datetime


@dataclass(frozen=True, slots=True)
class Permit:
    """A yes: its basis, and the (stream, version) pairs that it stands on.

    `sensitive` says whether it covers facts of a sensitive category as well.
    """

    basis: Basis
    relied: tuple[tuple[str, int], ...] = ()
    sensitive: bool = True


@dataclass(frozen=True, slots=True)
class Clause:
    """One way to be allowed; `text` is printed into the SDL and docs/permissions.md."""

    text: str
    permits: Callable[[Asking], Permit | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """A named set of clauses; nobody passes a rule without a clause that says yes."""

    name: str
    clauses: tuple[Clause, ...]

    @property
    def text(self) -> str:
        """The clauses in words: `oneself | proxy(records) | role(compliance)`."""
        return " | ".join(clause.text for clause in self.clauses)

    def permit(self, asking: Asking) -> Permit | None:
        """The first permit that a clause gives, or None."""
        return next(filter(None, (clause.permits(asking) for clause in self.clauses)), None)


def may(name: str, *clauses: Clause) -> Rule:
    """Declare a rule; `name` is `capability.verb` and unique."""
    if name in _registry:
        raise TypeError(f"two rules share the name {name}")
    if not clauses:
        raise TypeError(f"rule {name} lets nobody pass: name a clause")
    _registry[name] = Rule(name, clauses)
    return _registry[name]


def rules() -> Iterator[Rule]:
    """Every declared rule, by name."""
    yield from (_registry[name] for name in sorted(_registry))


def purpose_of(actor: Actor, basis: Basis) -> str:
    """The HL7 purpose of use: as the actor states it, else what the basis implies."""
    if actor.purpose:
        return actor.purpose
    if basis.kind == "role" and basis.reference == "compliance":
        return "HCOMPL"
    return _PURPOSES.get(basis.kind, "HOPERAT")


_PURPOSES = {
    "own-record": "PATRQT",
    "proxy-grant": "PATRQT",
    "consent": "PATRQT",
    "care-relationship": "TREAT",
    "break-glass": "ETREAT",
}


def _oneself(asking: Asking) -> Permit | None:
    authority, subject = asking.authority, asking.subject
    own_chart = subject.chart is not None and subject.chart in authority.own_charts
    own_person = subject.person is not None and subject.person == authority.person
    if not (own_chart or own_person) or authority.account_stream is None:
        return None
    person = (authority.person or "", authority.person_version)
    return Permit(Basis("own-record", authority.person), _relied(authority, person))


def _treating(asking: Asking) -> Permit | None:
    held = asking.authority.holds("clinician")
    if held is None:
        return None
    for relation in asking.authority.relations:
        open_now = relation.since <= asking.now and not _over(relation.until, asking.now)
        if relation.chart == asking.subject.chart and open_now:
            basis = Basis("care-relationship", relation.reference)
            relied = _relied(
                asking.authority,
                (held.stream, held.version),
                (relation.reference, relation.version),
            )
            return Permit(basis, relied)
    return None


def _relied(authority: Authority, *streams: tuple[str, int | None]) -> tuple[tuple[str, int], ...]:
    """What a permit stands on: the account, which may be closed, and what else the clause names.

    A stream whose version is not known is left out.
    """
    known = tuple((stream, version) for stream, version in streams if version is not None)
    if authority.account_stream is None:
        return known
    return ((authority.account_stream, authority.account_version), *known)


def _over(until: datetime | None, now: datetime) -> bool:
    return until is not None and until <= now


def proxy(scope: str) -> Clause:
    """A person with a grant in force that covers `scope`."""

    def permits(asking: Asking) -> Permit | None:
        for grant in asking.authority.grants:
            in_force = grant.chart == asking.subject.chart and not _over(grant.until, asking.now)
            if in_force and scope in grant.scopes:
                relied = _relied(
                    asking.authority,
                    (grant.stream, grant.version),
                    (grant.chart, grant.chart_version),
                )
                return Permit(Basis("proxy-grant", grant.stream), relied, sensitive=False)
        return None

    return Clause(f"proxy({scope})", permits)


def role(*names: str) -> Clause:
    """A staff member who holds one of the named roles, wherever the subject is."""

    def permits(asking: Asking) -> Permit | None:
        held = asking.authority.holds(*names)
        if held is None:
            return None
        relied = _relied(asking.authority, (held.stream, held.version))
        return Permit(Basis("role", held.role), relied)

    return Clause(f"role({', '.join(names)})", permits)


def _operator(asking: Asking) -> Permit | None:
    named = asking.actor.kind == "operator" and bool(asking.actor.reason)
    return Permit(Basis("role", "operator")) if named else None


def _system(asking: Asking) -> Permit | None:
    return Permit(Basis("system")) if asking.actor.kind == "system" else None


def _signed_in(asking: Asking) -> Permit | None:
    if asking.actor.kind != "account" or asking.authority.account_stream is None:
        return None
    return Permit(Basis("own-record", asking.actor.id), _relied(asking.authority))


def _anyone(asking: Asking) -> Permit | None:
    return Permit(Basis("system", asking.actor.kind))


oneself = Clause("oneself", _oneself)
treating = Clause("treating clinician", _treating)
operator = Clause("operator with a reason", _operator)
system = Clause("system", _system)
signed_in = Clause("signed in", _signed_in)
anyone = Clause("anyone", _anyone)
