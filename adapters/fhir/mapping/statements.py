"""Family history, flags, related persons, filled forms and risks as filed facts."""

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Raw

from adapters.fhir.mapping.plans import Filed, related_name
from adapters.fhir.mapping.values import (
    amount,
    concept,
    concepts,
    moment,
    number,
    period,
    some_concept,
    start,
    telecoms,
)
from adapters.fhir.resources import CodeableConcept, Measure, Reference, decode, record
from domain.kernel.values import Coding
from domain.records import (
    Answer,
    Answers,
    Fact,
    FamilyHistory,
    Flag,
    Prediction,
    RelatedPerson,
    RiskAssessment,
)

MOST_ANSWERS = 500
_UNREAD = msgspec.MsgspecError


def family_history(given: record.FamilyMemberHistory) -> Filed:
    """Happened when it was told."""
    at = moment(given.date)
    died = {True: "yes", False: "no", None: None}[given.deceased_boolean]
    fact = FamilyHistory(
        relationship=concept(given.relationship),
        status=given.status,
        name=given.name,
        date=at,
        conditions=tuple(concept(one.code) for one in given.condition),
        deceased=given.deceased_date or given.deceased_string or died,
    )
    return Fact(family_history=fact), at


def flag(given: record.Flag, encounter: str | None) -> Filed:
    """Happened when it began to hold."""
    holds = period(given.period)
    fact = Flag(
        concept=concept(given.code),
        status=given.status,
        categories=concepts(given.category),
        period=holds,
    )
    return Fact(encounter=encounter, flag=fact), holds.start if holds else None


def related_person(given: record.RelatedPerson) -> Filed:
    """Somebody close to the patient."""
    known = period(given.period)
    fact = RelatedPerson(
        name=related_name(given),
        relationships=concepts(given.relationship),
        telecoms=telecoms(given.telecom),
        active=given.active,
        period=known,
    )
    return Fact(related_person=fact), known.start if known else None


def answers(given: record.QuestionnaireResponse, encounter: str | None) -> Filed:
    """A form as it was filled in, question by question; at most 500 of them."""
    at = moment(given.authored)
    fact = Answers(
        status=given.status,
        form=given.questionnaire,
        authored=at,
        answers=tuple(_answers(given.item))[:MOST_ANSWERS],
    )
    return Fact(encounter=encounter, answers=fact), at


def _answers(items: Iterable[record.AnswerItem]) -> Iterator[Answer]:
    for item in items:
        said = tuple(filter(None, (_said(one) for one in item.answer)))
        if said or item.text:
            yield Answer(path=item.link_id, question=item.text, answers=said)
        yield from _answers(item.item)
        for one in item.answer:
            if "item" in one:
                inner = msgspec.json.decode(one["item"], type=tuple[record.AnswerItem, ...])
                yield from _answers(inner)


def _said(answer: dict[str, Raw]) -> str:
    """The words of value[x]; what is no simple value is shown by what names it."""
    for name, token in answer.items():
        if name.startswith("value"):
            return _words(name.removeprefix("value"), token)
    return ""


def _words(kind: str, token: Raw) -> str:
    try:
        if kind == "Coding":
            coding = msgspec.json.decode(token, type=Coding)
            return coding.display or coding.code or ""
        if kind == "Quantity":
            return amount(decode(token, Measure)) or ""
        if kind == "Reference":
            return decode(token, Reference).display or ""
        if kind in ("Decimal", "Integer"):
            return number(token) or ""
        if kind == "Boolean":
            return "yes" if bytes(token) == b"true" else "no"
        return msgspec.json.decode(token, type=str)
    except _UNREAD:
        return ""


def risk(given: record.RiskAssessment, encounter: str | None) -> Filed:
    """Happened when it was judged."""
    at = start(given.occurrence_date_time, given.occurrence_period)
    fact = RiskAssessment(
        status=given.status,
        concept=some_concept(given.code),
        date=at,
        predictions=tuple(map(_prediction, given.prediction)),
        summary=given.mitigation,
    )
    return Fact(encounter=encounter, risk=fact), at


def _prediction(given: record.RiskPrediction) -> Prediction:
    between, judged = given.probability_range, given.qualitative_risk
    likely = (
        number(given.probability_decimal),
        f"{amount(between.low)} to {amount(between.high)}" if between else None,
        concept(judged or CodeableConcept()).words,
    )
    return Prediction(
        outcome=some_concept(given.outcome), probability=next(filter(None, likely), None)
    )
