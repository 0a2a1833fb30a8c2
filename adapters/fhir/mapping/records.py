"""Condition, AllergyIntolerance, Immunization, Observation and notes as filed facts.

Each function gives the domain fact and when it happened; encounters are bound by the caller.
"""

from hashlib import sha256

from adapters.fhir import resources
from adapters.fhir.mapping.observed import effective, ranges, value
from adapters.fhir.mapping.values import (
    code,
    codes,
    concept,
    concepts,
    moment,
    period,
    start,
)
from domain.kernel.values import Moment, Period
from domain.records import (
    Allergy,
    Component,
    Condition,
    Fact,
    Immunization,
    Note,
    Observation,
    Reaction,
)

Filed = tuple[Fact, Moment | None]


def condition(given: resources.Condition, encounter: str | None) -> Filed:
    """Happened at its onset, else when it was recorded."""
    onset = start(given.onset_date_time, given.onset_period)
    recorded = moment(given.recorded_date)
    fact = Condition(
        concept=concept(given.code),
        clinical_status=code(given.clinical_status),
        verification_status=code(given.verification_status),
        categories=concepts(given.category),
        onset=onset,
        abated=start(given.abatement_date_time, given.abatement_period),
        recorded=recorded,
    )
    return Fact(encounter=encounter, condition=fact), onset or recorded


def allergy(given: resources.AllergyIntolerance, encounter: str | None) -> Filed:
    """Happened when it was recorded."""
    recorded = moment(given.recorded_date)
    fact = Allergy(
        concept=concept(given.code),
        clinical_status=code(given.clinical_status),
        verification_status=code(given.verification_status),
        kind=given.type,
        categories=given.category,
        criticality=given.criticality,
        reactions=tuple(
            Reaction(manifestations=concepts(one.manifestation), severity=one.severity)
            for one in given.reaction
        ),
        recorded=recorded,
    )
    return Fact(encounter=encounter, allergy=fact), recorded


def immunization(given: resources.Immunization, encounter: str | None) -> Filed:
    """Happened when it was given, or should have been."""
    when = moment(given.occurrence_date_time)
    fact = Immunization(
        vaccine=concept(given.vaccine_code),
        status=given.status,
        given=when,
        lot=given.lot_number,
        primary_source=given.primary_source,
    )
    return Fact(encounter=encounter, immunization=fact), when


def observation(given: resources.Observation, encounter: str | None) -> Filed:
    """Happened at its effective time, else when it was issued."""
    when, issued, measured = effective(given), moment(given.issued), value(given)
    fact = Observation(
        concept=concept(given.code),
        status=given.status,
        categories=codes(given.category),
        effective=when,
        issued=issued,
        quantity=measured.quantity,
        coded=measured.coded,
        text=measured.text,
        absent=measured.absent,
        interpretation=concepts(given.interpretation),
        ranges=ranges(given.reference_range),
        components=tuple(_component(one) for one in given.component),
        other_value=measured.other,
    )
    return Fact(encounter=encounter, observation=fact), when or issued


def note(given: resources.DiagnosticReport, encounter: str | None) -> Filed:
    """A report in words; the words stay in the received bytes."""
    at, issued = moment(given.effective_date_time), moment(given.issued)
    covered = period(given.effective_period) or (Period(start=at) if at else None)
    media = (form.content_type for form in given.presented_form)
    fact = Note(
        concept=concept(given.code),
        status=given.status,
        period=covered,
        issued=issued,
        media_types=tuple(one for one in media if one),
        digests=tuple(_digest(form) for form in given.presented_form),
    )
    return Fact(encounter=encounter, note=fact), (covered and covered.start) or issued


def _digest(form: resources.Attachment) -> str:
    return sha256((form.data or form.url or "").encode()).hexdigest()


def _component(given: resources.Valued) -> Component:
    measured = value(given)
    return Component(
        concept=concept(given.code),
        quantity=measured.quantity,
        coded=measured.coded,
        text=measured.text,
        absent=measured.absent_or_unsupported,
    )
