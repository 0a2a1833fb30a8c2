"""What others state of the patient as GraphQL."""

from typing import cast

import strawberry

from domain import records
from domain.kernel.readmodel import Row
from projections.records import FactRow
from schema.kernel.context import SchemaContext
from schema.kernel.ruled import ruled, said
from schema.kernel.stated import Stated
from schema.kernel.values import Concept, Moment

view = ruled(records.view)


@strawberry.type(directives=view, description="A question of a form and what was answered.")
class FormAnswer:
    """FHIR QuestionnaireResponse.item."""

    path: str = said("The question's link id.")
    question: str | None = said("The question's words.")
    answers: list[str] = said("The answers in words.")


@strawberry.type(directives=view, description="An outcome and how likely it is.")
class Prediction:
    """FHIR RiskAssessment.prediction."""

    outcome: Concept | None = said("The outcome.")
    probability: str | None = said("How likely, as given.")


@strawberry.type(directives=view, description="What a relative has or had.")
class FamilyHistory(Stated):
    """FHIR FamilyMemberHistory."""

    relationship: Concept = said("Which relative.")
    status: str = said("partial, completed, health-unknown.")
    name: str | None = said("Their name.")
    conditions: list[Concept] = said("What they have or had.")
    deceased: str | None = said("Whether or when they died.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "FamilyHistory":
        """From a row document."""
        body: FactRow = row.body
        fact = cast(records.FamilyHistory, body.fact.family_history)
        return cls.stating(
            context,
            row,
            relationship=Concept.of(fact.relationship),
            status=fact.status,
            name=fact.name,
            conditions=[Concept.of(one) for one in fact.conditions],
            deceased=fact.deceased,
        )


@strawberry.type(directives=view, description="A warning to whoever treats the patient.")
class Flag(Stated):
    """FHIR Flag."""

    code: Concept = said("The warning.")
    status: str = said("active or inactive.")
    categories: list[Concept] = said("What kind of warning.")
    start: Moment | None = said("When it began.")
    end: Moment | None = said("When it ended.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "Flag":
        """From a row document."""
        body: FactRow = row.body
        fact = cast(records.Flag, body.fact.flag)
        return cls.stating(
            context,
            row,
            code=Concept.of(fact.concept),
            status=fact.status,
            categories=[Concept.of(one) for one in fact.categories],
            start=Moment.maybe(fact.period.start if fact.period else None),
            end=Moment.maybe(fact.period.end if fact.period else None),
        )


@strawberry.type(directives=view, description="Somebody close to the patient.")
class RelatedPerson(Stated):
    """FHIR RelatedPerson."""

    name: str = said("Their name.")
    relationships: list[Concept] = said("What they are to the patient.")
    telecoms: list[str] = said("How to reach them.")
    active: bool = said("Whether this still holds.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "RelatedPerson":
        """From a row document."""
        body: FactRow = row.body
        fact = cast(records.RelatedPerson, body.fact.related_person)
        return cls.stating(
            context,
            row,
            name=fact.name,
            relationships=[Concept.of(one) for one in fact.relationships],
            telecoms=list(fact.telecoms),
            active=fact.active,
        )


@strawberry.type(directives=view, description="A form as it was filled in.")
class FilledForm(Stated):
    """FHIR QuestionnaireResponse."""

    form: str | None = said("Which form, by its URL.")
    status: str = said("in-progress, completed, amended, stopped.")
    answers: list[FormAnswer] = said("Question by question.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "FilledForm":
        """From a row document."""
        body: FactRow = row.body
        fact = cast(records.Answers, body.fact.answers)
        return cls.stating(
            context,
            row,
            form=fact.form,
            status=fact.status,
            answers=[
                FormAnswer(path=one.path, question=one.question, answers=list(one.answers))
                for one in fact.answers
            ],
        )


@strawberry.type(directives=view, description="How likely outcomes are.")
class RiskAssessment(Stated):
    """FHIR RiskAssessment."""

    code: Concept | None = said("What was assessed.")
    status: str = said("registered, preliminary, final, amended.")
    predictions: list[Prediction] = said("The outcomes.")
    summary: str | None = said("What may lower the risk.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "RiskAssessment":
        """From a row document."""
        body: FactRow = row.body
        fact = cast(records.RiskAssessment, body.fact.risk)
        return cls.stating(
            context,
            row,
            code=Concept.maybe(fact.concept),
            status=fact.status,
            predictions=[
                Prediction(outcome=Concept.maybe(one.outcome), probability=one.probability)
                for one in fact.predictions
            ],
            summary=fact.summary,
        )
