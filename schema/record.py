"""One patient's record: the panels of the capabilities side by side."""

from datetime import datetime
from typing import Annotated

import strawberry

from domain import audit, care, consent, identity, prescriptions, records, registry, results
from domain.kernel.readmodel import Select
from projections import care as care_panels
from projections import consent as consent_panels
from projections import prescriptions as prescription_panels
from projections import records as record_panels
from projections import registry as registry_panels
from projections import results as result_panels
from schema.care import Visit
from schema.consent import ProxyGrant
from schema.kernel.ids import chart_of
from schema.kernel.paging import After, Connection, First, Info, Where, panel_page
from schema.kernel.ruled import field, ruled
from schema.opening import opening
from schema.panels import Panels
from schema.prescriptions import Medication
from schema.records import Allergy, Condition, Immunization, Observation
from schema.registry import Patient
from schema.results import LabReport

ChartId = Annotated[strawberry.ID, strawberry.argument(description="The chart's id.")]
MaybeChartId = Annotated[
    strawberry.ID | None,
    strawberry.argument(description="The chart's id; your own chart unless given."),
]

MaybeCode = Annotated[
    str | None,
    strawberry.argument(description="Only this `system|code`, such as http://loinc.org|29463-7."),
]


@strawberry.type(directives=ruled(opening), description="One patient's record.")
class Record(Panels):
    """Panels of one chart, now or as of a position. Each panel asks its own rule."""

    @field(registry.view, "Whose record it is.")
    async def patient(self, info: Info) -> Patient | None:
        """The chart's newest demographics."""
        select = Select(panel=registry_panels.demographics, chart=self.where.chart, first=1)
        page = await info.context.read(select, self.where.as_of)
        return Patient.of(info.context, page.rows[0]) if page.rows else None

    @field(records.view, "Problems and diagnoses, newest first.")
    async def conditions(
        self, info: Info, first: First = 20, after: After = None
    ) -> Connection[Condition] | None:
        """One ruled read."""
        return await panel_page(
            info, record_panels.conditions, self.where, first, after, Condition.of
        )

    @field(records.view, "Allergies and intolerances, newest first.")
    async def allergies(
        self, info: Info, first: First = 20, after: After = None
    ) -> Connection[Allergy] | None:
        """One ruled read."""
        return await panel_page(info, record_panels.allergies, self.where, first, after, Allergy.of)

    @field(prescriptions.view, "Medications as ordered, newest first.")
    async def medications(
        self, info: Info, first: First = 20, after: After = None
    ) -> Connection[Medication] | None:
        """One ruled read."""
        return await panel_page(
            info, prescription_panels.medications, self.where, first, after, Medication.of
        )

    @field(records.view, "Vaccinations, newest first.")
    async def immunizations(
        self, info: Info, first: First = 20, after: After = None
    ) -> Connection[Immunization] | None:
        """One ruled read."""
        return await panel_page(
            info, record_panels.immunizations, self.where, first, after, Immunization.of
        )

    @field(results.view, "Laboratory reports, newest first.")
    async def lab_reports(
        self, info: Info, first: First = 20, after: After = None
    ) -> Connection[LabReport] | None:
        """One ruled read."""
        return await panel_page(
            info, result_panels.reports, self.where, first, after, LabReport.of, "laboratory"
        )

    @field(records.view, "Measurements and statements outside reports, newest first.")
    async def observations(
        self, info: Info, code: MaybeCode = None, first: First = 20, after: After = None
    ) -> Connection[Observation] | None:
        """One ruled read."""
        return await panel_page(
            info,
            record_panels.observations,
            self.where,
            first,
            after,
            Observation.of,
            matching=() if code is None else (("code", code),),
        )

    @field(care.view, "Visits, newest first.")
    async def visits(
        self, info: Info, first: First = 20, after: After = None
    ) -> Connection[Visit] | None:
        """One ruled read."""
        return await panel_page(info, care_panels.visits, self.where, first, after, Visit.of)

    @field(consent.view, "Who may act for the patient, newest first.")
    async def proxies(
        self, info: Info, first: First = 20, after: After = None
    ) -> Connection[ProxyGrant] | None:
        """One ruled read."""
        return await panel_page(
            info, consent_panels.proxies, self.where, first, after, ProxyGrant.of
        )


AsOf = Annotated[
    datetime | None,
    strawberry.argument(description="The moment that the record is shown as of; now unless given."),
]


@strawberry.type(description="Reads of a record.")
class RecordQuery:
    """Queries of one patient's record."""

    @field(opening, "A patient's record; null where there is none or you may not see it.")
    async def record(self, info: Info, chart: MaybeChartId = None) -> Record | None:
        """The record's door: it opens where any panel does, and each panel asks its own rule."""
        charts = await _charts(info, chart)
        return Record(where=Where(charts[0], others=charts[1:])) if charts else None

    @field(
        audit.view_past, "A patient's record as this system knew it at a moment, for compliance."
    )
    async def record_as_of(self, info: Info, chart: ChartId, at: AsOf = None) -> Record | None:
        """The record folded from the log up to a position."""
        ident = chart_of(info.context.ids, chart)
        position = await info.context.officer.position_at(ident, at)
        others = await info.context.officer.others_at(ident, position)
        return Record(where=Where(ident, position, others))


async def _charts(info: Info, chart: strawberry.ID | None) -> tuple[str, ...]:
    """The charts that are read as one: the given one with its merges, or all of one's own."""
    context = info.context
    if chart is not None:
        return await context.opened(opening, chart_of(context.ids, chart))
    await context.authority(identity.view_own)
    return await context.opened(opening, None)
