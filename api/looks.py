"""What an operation saw, on its way into the log: one `records-viewed` per chart and basis.

What it saw in a list of several charts is one `list-viewed`, the list's manifest. The answer
leaves after the commit of these events; without it, nothing leaves.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

from domain import audit
from domain.kernel.context import Actor, Basis, BasisKind, Context
from domain.kernel.log import Append, Draft, Expected
from domain.kernel.rule import POLICY_VERSION, purpose_of

MAX_RECORDS = 1_000
"""Record ids in one event; 1,000 ids are about 40 KiB of the 64 KiB that an event may have."""


@dataclass(slots=True)
class _Look:
    as_of: int | None
    rules: list[str] = field(default_factory=list)
    panels: list[str] = field(default_factory=list)
    records: dict[str, None] = field(default_factory=dict)
    """A set in the order of the answer: what several aliases show is seen once."""

    def saw(self, rule: str, panel: str, records: list[str]) -> None:
        if rule not in self.rules:
            self.rules.append(rule)
        if panel not in self.panels:
            self.panels.append(panel)
        self.records.update(dict.fromkeys(records))


_Key = tuple[str | None, Basis, int | None]


@dataclass(slots=True)
class Looks:
    """The looks and refusals of one operation of one actor."""

    actor: Actor
    operation: str
    correlation: str
    _looks: dict[_Key, _Look] = field(default_factory=dict)
    _listed: dict[_Key, _Look] = field(default_factory=dict)
    _refusals: dict[str | None, str] = field(default_factory=dict)

    def saw(
        self,
        chart: str | None,
        basis: Basis,
        rule: str,
        panel: str,
        records: list[str],
        as_of: int | None = None,
    ) -> None:
        """Note rows that will be in the answer; `as_of` is the position that they are as of."""
        look = self._looks.setdefault((chart, basis, as_of), _Look(as_of))
        look.saw(rule, panel, records)

    def listed(self, chart: str, basis: Basis, rule: str, panel: str, records: list[str]) -> None:
        """Note rows of a chart that will be in a list of charts."""
        self._listed.setdefault((chart, basis, None), _Look(None)).saw(rule, panel, records)

    def refused(self, chart: str | None, rule: str) -> None:
        """Note a refusal: one per operation and chart."""
        self._refusals.setdefault(chart, rule)

    def appends(self, now: datetime) -> list[Append]:
        """The appends that put all of it on record, each under its own context."""
        trail = audit.trail_of(self.actor, now)
        lists = _by_basis(self._listed)
        alone = {key: look for seen in lists.values() if len(seen) == 1 for key, look in seen}
        looks = [
            self._append(now, " ".join(look.rules), basis, self._viewed(chart, trail, look))
            for (chart, basis, _), look in (*self._looks.items(), *alone.items())
        ]
        for kind, seen in lists.items():
            for run in _runs(seen) if len(seen) > 1 else ():
                rules = dict.fromkeys(rule for _, look in run for rule in look.rules)
                manifest = Draft(stream=trail, event=_manifest(self.operation, run))
                looks.append(self._append(now, " ".join(rules), Basis(kind), (manifest,)))
        refusals = []
        for chart, rule in self._refusals.items():
            refused = audit.AccessRefused(operation=self.operation, chart=chart)
            draft = Draft(stream=trail, event=refused)
            refusals.append(self._append(now, rule, Basis("none"), (draft,)))
        return looks + refusals

    def _viewed(self, chart: str | None, trail: str, look: _Look) -> tuple[Draft, ...]:
        records = tuple(look.records)
        runs = range(0, max(len(records), 1), MAX_RECORDS)
        return tuple(
            Draft(
                stream=trail,
                chart=chart,
                owner=chart,
                event=audit.RecordsViewed(
                    chart=chart,
                    operation=self.operation,
                    panels=tuple(look.panels),
                    records=records[start : start + MAX_RECORDS],
                    count=len(records[start : start + MAX_RECORDS]),
                    at_position=look.as_of,
                ),
            )
            for start in runs
        )

    def _append(self, now: datetime, rule: str, basis: Basis, drafts: tuple[Draft, ...]) -> Append:
        actor, first = self.actor, drafts[0]
        context = Context(
            actor=actor.id,
            actor_kind=actor.kind,
            on_behalf_of=first.chart if basis.kind == "proxy-grant" else None,
            purpose=purpose_of(actor, basis),
            basis=basis.kind,
            basis_reference=basis.reference,
            rule=rule,
            policy=POLICY_VERSION,
            received=now.isoformat(),
            occurred=now.isoformat(),
            client=actor.client,
            session=actor.session,
            reason=actor.reason,
            correlation=self.correlation,
        )
        return Append(
            tenant=actor.tenant,
            command=os.urandom(16),
            fingerprint=b"",
            context=context,
            drafts=drafts,
            expected=(Expected(stream=first.stream, version=None),),
        )


def _by_basis(listed: dict[_Key, _Look]) -> dict[BasisKind, list[tuple[_Key, _Look]]]:
    """One list for each kind of basis, since the context of an event states one."""
    lists: dict[BasisKind, list[tuple[_Key, _Look]]] = {}
    for key, look in listed.items():
        lists.setdefault(key[1].kind, []).append((key, look))
    return lists


def _runs(seen: list[tuple[_Key, _Look]]) -> Iterator[list[tuple[_Key, _Look]]]:
    """Runs that each fit into one event: an entry without records weighs as much as four ids."""
    run: list[tuple[_Key, _Look]] = []
    weight = 0
    for entry in seen:
        weight += 4 + len(entry[1].records)
        if run and weight > MAX_RECORDS:
            yield run
            run, weight = [], 4 + len(entry[1].records)
        run.append(entry)
    yield run


def _manifest(operation: str, run: list[tuple[_Key, _Look]]) -> audit.ListViewed:
    entries = tuple(
        audit.Seen(
            chart=chart or "",
            records=tuple(look.records),
            basis=basis.kind,
            reference=basis.reference,
        )
        for (chart, basis, _), look in run
    )
    return audit.ListViewed(
        operation=operation,
        panels=tuple(dict.fromkeys(panel for _, look in run for panel in look.panels)),
        entries=entries,
        count=sum(len(entry.records) for entry in entries),
    )
