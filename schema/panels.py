"""The panels of a record that are lists and nothing more."""

from collections.abc import Callable
from typing import Annotated, Any, Protocol

import strawberry

from domain import results
from domain.kernel.readmodel import Panel, Row
from projections import care as care_panels
from projections import coverage as coverage_panels
from projections import records as record_panels
from projections import results as result_panels
from schema.care import CareTeam, Order
from schema.coverage import Claim, Policy
from schema.kernel.context import SchemaContext
from schema.kernel.paging import After, Connection, First, Info, Where, panel_page
from schema.kernel.ruled import field, ruled
from schema.opening import opening
from schema.records.plans import (
    CarePlan,
    Device,
    Document,
    Goal,
    ImagingStudy,
    Note,
    Procedure,
    Provenance,
)
from schema.records.statements import (
    FamilyHistory,
    FilledForm,
    Flag,
    RelatedPerson,
    RiskAssessment,
)
from schema.results import TrendPoint


class _Placed(Protocol):
    where: Where


def _listed(
    panel: Panel,
    node: Any,
    text: str,
    kind: str | None = None,
) -> Any:
    """A connection of a panel's rows, as one ruled read."""
    made: Callable[[SchemaContext, Row], Any] = node.of

    async def resolve(self: _Placed, info: Info, first: First = 20, after: After = None) -> Any:
        return await panel_page(info, panel, self.where, first, after, made, kind)

    resolve.__annotations__["return"] = Connection[node] | None
    resolve.__annotations__.pop("self")
    return strawberry.field(resolver=resolve, description=text, directives=ruled(panel.rule))


Code = Annotated[
    str,
    strawberry.argument(description="`system|code`, such as http://loinc.org|4548-4."),
]


@strawberry.type(directives=ruled(opening), description="The panels of a record that are lists.")
class Panels:
    """Each is one ruled read, newest first."""

    where: strawberry.Private[Where]
    procedures: Connection[Procedure] | None = _listed(
        record_panels.procedures, Procedure, "What was done, newest first."
    )
    documents: Connection[Document] | None = _listed(
        record_panels.documents, Document, "Documents and pictures, newest first."
    )
    notes: Connection[Note] | None = _listed(
        record_panels.notes, Note, "Clinical notes, newest first."
    )
    care_plans: Connection[CarePlan] | None = _listed(
        record_panels.care_plans, CarePlan, "Care plans, newest first."
    )
    goals: Connection[Goal] | None = _listed(record_panels.goals, Goal, "Goals, newest first.")
    devices: Connection[Device] | None = _listed(
        record_panels.devices, Device, "Devices and supplies, newest first."
    )
    provenance: Connection[Provenance] | None = _listed(
        record_panels.provenance, Provenance, "Who made facts, newest first."
    )
    imaging_studies: Connection[ImagingStudy] | None = _listed(
        record_panels.imaging_studies, ImagingStudy, "Sets of images, newest first."
    )
    family_histories: Connection[FamilyHistory] | None = _listed(
        record_panels.family_histories, FamilyHistory, "What relatives have or had, newest first."
    )
    flags: Connection[Flag] | None = _listed(record_panels.flags, Flag, "Warnings, newest first.")
    related_persons: Connection[RelatedPerson] | None = _listed(
        record_panels.related_persons, RelatedPerson, "People close to the patient."
    )
    filled_forms: Connection[FilledForm] | None = _listed(
        record_panels.answers, FilledForm, "Forms as they were filled in, newest first."
    )
    risks: Connection[RiskAssessment] | None = _listed(
        record_panels.risks, RiskAssessment, "Risks, newest first."
    )
    care_teams: Connection[CareTeam] | None = _listed(
        care_panels.teams, CareTeam, "Care teams and episodes of care, newest first."
    )
    orders: Connection[Order] | None = _listed(
        care_panels.orders, Order, "Orders and referrals, newest first."
    )
    pending_orders: Connection[Order] | None = _listed(
        care_panels.orders, Order, "What we are waiting for, newest first.", care_panels.WAITING
    )
    policies: Connection[Policy] | None = _listed(
        coverage_panels.policies, Policy, "Insurance policies, newest first."
    )
    claims: Connection[Claim] | None = _listed(
        coverage_panels.claims, Claim, "Claims and their answers, newest first."
    )

    @field(results.view, "One laboratory value over time, newest first; units are never mixed.")
    async def trend(
        self, info: Info, code: Code, first: First = 20, after: After = None
    ) -> Connection[TrendPoint] | None:
        """One ruled read."""
        return await panel_page(
            info,
            result_panels.analytes,
            self.where,
            first,
            after,
            TrendPoint.of,
            matching=(("code", code),),
        )
