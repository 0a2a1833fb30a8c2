"""Problems, allergies, immunisations and observations as GraphQL."""

from typing import cast

import strawberry

from domain import records
from domain.kernel.readmodel import Row
from domain.records import Allergy as AllergyFact
from domain.records import Condition as ConditionFact
from domain.records import Immunization as ImmunizationFact
from domain.records import Observation as ObservationFact
from projections.records import FactRow
from schema.kernel.context import SchemaContext
from schema.kernel.ruled import ruled, said
from schema.kernel.stated import Stated
from schema.kernel.values import Concept, Moment, Quantity, ReferenceRange, why_absent

view = ruled(records.view)


@strawberry.type(directives=view, description="A problem or diagnosis.")
class Condition(Stated):
    """FHIR Condition."""

    code: Concept = said("What it is.")
    clinical_status: str | None = said(
        "active, recurrence, relapse, inactive, remission, resolved."
    )
    verification_status: str | None = said("confirmed, provisional, refuted, entered-in-error.")
    onset: Moment | None = said("When it began.")
    abated: Moment | None = said("When it ended.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "Condition":
        """From a row document."""
        body: FactRow = row.body
        fact = cast(ConditionFact, body.fact.condition)
        return cls.stating(
            context,
            row,
            code=Concept.of(fact.concept),
            clinical_status=fact.clinical_status,
            verification_status=fact.verification_status,
            onset=Moment.maybe(fact.onset),
            abated=Moment.maybe(fact.abated),
        )


@strawberry.type(directives=view, description="What a substance did to the patient.")
class AllergyReaction:
    """FHIR AllergyIntolerance.reaction."""

    manifestations: list[Concept] = said("What happened.")
    severity: str | None = said("mild, moderate or severe.")


@strawberry.type(directives=view, description="An allergy or intolerance.")
class Allergy(Stated):
    """FHIR AllergyIntolerance."""

    code: Concept = said("The substance.")
    clinical_status: str | None = said("active, inactive or resolved.")
    criticality: str | None = said("low, high or unable-to-assess.")
    categories: list[str] = said("food, medication, environment or biologic.")
    reactions: list[AllergyReaction] = said("What the substance did.")
    recorded: Moment | None = said("When it was recorded.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "Allergy":
        """From a row document."""
        body: FactRow = row.body
        fact = cast(AllergyFact, body.fact.allergy)
        return cls.stating(
            context,
            row,
            code=Concept.of(fact.concept),
            clinical_status=fact.clinical_status,
            criticality=fact.criticality,
            categories=list(fact.categories),
            reactions=[
                AllergyReaction(
                    manifestations=[Concept.of(m) for m in reaction.manifestations],
                    severity=reaction.severity,
                )
                for reaction in fact.reactions
            ],
            recorded=Moment.maybe(fact.recorded),
        )


@strawberry.type(directives=view, description="A vaccination.")
class Immunization(Stated):
    """FHIR Immunization."""

    vaccine: Concept = said("The vaccine.")
    status: str = said("completed, entered-in-error or not-done.")
    given: Moment | None = said("When it was given.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "Immunization":
        """From a row document."""
        body: FactRow = row.body
        fact = cast(ImmunizationFact, body.fact.immunization)
        return cls.stating(
            context,
            row,
            vaccine=Concept.of(fact.vaccine),
            status=fact.status,
            given=Moment.maybe(fact.given),
        )


@strawberry.type(
    directives=view, description="A part of an observation, such as systolic pressure."
)
class ObservationComponent:
    """FHIR Observation.component."""

    code: Concept = said("What was measured.")
    value: Quantity | None = said("The measured amount.")
    text: str | None = said("The value in words where it is no amount.")
    absent_reason: Concept | None = said("Why there is no value; given whenever there is none.")


@strawberry.type(directives=view, description="A measurement or statement outside a report.")
class Observation(Stated):
    """FHIR Observation: vital signs, social history, surveys, examinations."""

    code: Concept = said("What was observed.")
    categories: list[str] = said("Categories, such as vital-signs.")
    status: str = said("preliminary, final, amended, corrected, cancelled, entered-in-error.")
    value: Quantity | None = said("The measured amount.")
    text: str | None = said("The value in words where it is no amount.")
    absent_reason: Concept | None = said("Why there is no value.")
    components: list[ObservationComponent] = said("Its parts.")
    reference_range: list[ReferenceRange] = said("The usual ranges.")
    interpretation: list[Concept] = said("High, low, normal and the like.")
    effective: Moment | None = said("When it was observed.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "Observation":
        """From a row document."""
        body: FactRow = row.body
        fact = cast(ObservationFact, body.fact.observation)
        return cls.stating(
            context,
            row,
            code=Concept.of(fact.concept),
            categories=list(fact.categories),
            status=fact.status,
            value=Quantity.maybe(fact.quantity),
            text=fact.text or (fact.coded.words if fact.coded else None),
            absent_reason=why_absent(
                fact.absent, fact.quantity, fact.coded, fact.text, fact.components or None
            ),
            components=[
                ObservationComponent(
                    code=Concept.of(part.concept),
                    value=Quantity.maybe(part.quantity),
                    text=part.text or (part.coded.words if part.coded else None),
                    absent_reason=why_absent(part.absent, part.quantity, part.coded, part.text),
                )
                for part in fact.components
            ],
            reference_range=[ReferenceRange.of(given) for given in fact.ranges],
            interpretation=[Concept.of(meaning) for meaning in fact.interpretation],
            effective=Moment.maybe(fact.effective),
        )
