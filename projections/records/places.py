"""Where a fact goes: its panel, its time, its state, its class, and what it is alike by."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from domain.kernel.labels import Label
from domain.kernel.readmodel import Column, Table
from domain.kernel.values import Concept, Moment, Period, Source
from domain.records import Fact, Observation
from projections.kernel.panels import code_of, likeness, panel_table

WRONG = "entered-in-error"


@dataclass(frozen=True, slots=True, kw_only=True)
class FactRow:
    """A fact with where it was stated, when it reached us, and whether it replaced another.

    `version` is what a change of it must expect, `occurred` when it happened.
    """

    fact: Fact
    received: datetime
    version: int
    labels: tuple[Label, ...] = ()
    corrected: bool = False
    source: Source | None = None
    occurred: Moment | None = None


def _table(name: str, *more: Column) -> Table:
    return panel_table(f"records_{name}", FactRow, *more)


CONDITION, ALLERGY, IMMUNIZATION = _table("condition"), _table("allergy"), _table("immunization")
OBSERVATION = _table("observation", Column("code", "blind"))
NOTE, PROCEDURE, DOCUMENT = _table("note"), _table("procedure"), _table("document")
CARE_PLAN, GOAL, DEVICE = _table("care_plan"), _table("goal"), _table("device")
PROVENANCE, IMAGING, FAMILY = _table("provenance"), _table("imaging"), _table("family")
FLAG, RELATED, ANSWERS, RISK = _table("flag"), _table("related"), _table("answers"), _table("risk")
TABLES = (
    CONDITION, ALLERGY, IMMUNIZATION, OBSERVATION, NOTE, PROCEDURE, DOCUMENT, CARE_PLAN, GOAL,
    DEVICE, PROVENANCE, IMAGING, FAMILY, FLAG, RELATED, ANSWERS, RISK,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a fact goes; `code` is given where the panel can be read by it."""

    table: Table
    at: Moment | None
    state: str
    kind: str = ""
    alike: str = ""
    code: str | None = None


def placed(fact: Fact) -> Iterator[Placed]:
    """The places of a fact's parts."""
    yield from _problems(fact)
    yield from _events(fact)
    yield from _plans(fact)
    yield from _statements(fact)


def _problems(fact: Fact) -> Iterator[Placed]:
    if fact.condition is not None:
        one = fact.condition
        at = one.onset or one.recorded
        state = _clinical(one.clinical_status, one.verification_status)
        yield Placed(CONDITION, at, state, alike=likeness(one.concept, at))
    if fact.allergy is not None:
        harm = fact.allergy
        state = _clinical(harm.clinical_status, harm.verification_status)
        alike = likeness(harm.concept, harm.recorded)
        yield Placed(ALLERGY, harm.recorded, state, alike=alike)
    if fact.immunization is not None:
        shot = fact.immunization
        alike = likeness(shot.vaccine, shot.given, shot.status)
        yield Placed(IMMUNIZATION, shot.given, shot.status, alike=alike)
    if fact.observation is not None:
        yield _observation(fact.observation)


def _events(fact: Fact) -> Iterator[Placed]:
    if fact.note is not None:
        yield Placed(NOTE, _start(fact.note.period) or fact.note.issued, fact.note.status)
    if fact.procedure is not None:
        yield _dated(
            PROCEDURE,
            fact.procedure.concept,
            _start(fact.procedure.performed),
            fact.procedure.status,
        )
    if fact.document is not None:
        paper = fact.document
        wrong = WRONG in (paper.status, paper.document_status)
        yield Placed(DOCUMENT, paper.date, WRONG if wrong else paper.status)
    if fact.imaging_study is not None:
        images = fact.imaging_study
        yield Placed(IMAGING, images.started, images.status)
    if fact.provenance is not None:
        yield Placed(PROVENANCE, fact.provenance.recorded, "recorded")


def _plans(fact: Fact) -> Iterator[Placed]:
    if fact.care_plan is not None:
        yield Placed(CARE_PLAN, _start(fact.care_plan.period), fact.care_plan.status)
    if fact.goal is not None:
        yield _dated(GOAL, fact.goal.concept, fact.goal.start, fact.goal.status)
    if fact.device is not None:
        one = fact.device
        yield Placed(DEVICE, _start(one.period), one.status, one.use)


def _statements(fact: Fact) -> Iterator[Placed]:
    if fact.family_history is not None:
        yield Placed(FAMILY, fact.family_history.date, fact.family_history.status)
    if fact.flag is not None:
        yield Placed(FLAG, _start(fact.flag.period), fact.flag.status)
    if fact.related_person is not None:
        active = "active" if fact.related_person.active else "inactive"
        yield Placed(RELATED, _start(fact.related_person.period), active)
    if fact.answers is not None:
        yield Placed(ANSWERS, fact.answers.authored, fact.answers.status)
    if fact.risk is not None:
        yield Placed(RISK, fact.risk.date, fact.risk.status)


def _clinical(clinical: str | None, verification: str | None) -> str:
    return WRONG if verification == WRONG else clinical or "unknown"


def _dated(table: Table, concept: Concept, at: Moment | None, state: str) -> Placed:
    return Placed(table, at, state, alike=likeness(concept, at, state))


def _start(period: Period | None) -> Moment | None:
    return None if period is None else period.start


def _observation(seen: Observation) -> Placed:
    at = seen.effective or seen.issued
    measured = seen.quantity
    said = (
        (measured.value or "", measured.code or measured.unit or "")
        if measured
        else (seen.coded.words if seen.coded else seen.text or "",)
    )
    parts = (f"{c.concept.words}={c.quantity and c.quantity.value}" for c in seen.components)
    kind = seen.categories[0] if seen.categories else ""
    alike = likeness(seen.concept, at, *said, *parts)
    return Placed(OBSERVATION, at, seen.status, kind, alike, code_of(seen.concept))
