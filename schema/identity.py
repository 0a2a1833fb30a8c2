"""Who is signed in, and whose records are open to them."""

from collections.abc import Iterator
from datetime import datetime

import strawberry

from domain import identity, registry
from domain.kernel.context import Authority
from projections import registry as registry_panels
from schema.kernel.context import SchemaContext
from schema.kernel.paging import After, Connection, First, Info, checked, connected
from schema.kernel.ruled import field, ruled, said
from schema.opening import SCOPES, opening
from schema.registry import Patient


@strawberry.type(directives=ruled(opening), description="A record that is open to you.")
class OpenRecord:
    """A chart with the relationship that opens it."""

    chart: strawberry.ID = said("The chart's id; give it as `chart` of the query `record`.")
    patient: Patient | None = strawberry.field(
        description="Whose record it is; null where you may see a part of it only.",
        directives=ruled(registry.view),
    )
    relationship: str = said("own-record, proxy-grant or care-relationship.")


@strawberry.type(directives=ruled(identity.view_own), description="You.")
class Me:
    """The signed-in account."""

    authority: strawberry.Private[Authority]
    id: strawberry.ID = said("Your account.")
    person: strawberry.ID | None = said("You as a person, if you are a patient or proxy here.")
    name: str = said("Your display name.")
    organization: str = said("The organisation that you are signed in to.")
    roles: list[str] = said("Your roles as staff.")

    @field(opening, "The records open to you, your own first.")
    async def records(
        self, info: Info, first: First = 20, after: After = None
    ) -> Connection[OpenRecord]:
        """One ruled read of the newest demographics of each chart."""
        context = info.context
        size = checked(first)
        seen = None if after is None else context.ids.from_cursor(after)
        charts = dict(sorted(_relationships(self.authority, context.now()), key=_own_first))
        later = [chart for chart in charts if seen is None or _place(charts, chart) > seen]
        page = later[:size]
        rows = await context.first_rows(registry_panels.demographics, page)
        return connected(
            context.ids,
            [
                OpenRecord(
                    chart=strawberry.ID(context.ids.hide("chart", chart)),
                    patient=Patient.of(context, rows[chart]) if chart in rows else None,
                    relationship=charts[chart],
                )
                for chart in page
            ],
            [_place(charts, chart) for chart in page],
            more=len(later) > size,
            began_after=after is not None,
        )


_ORDER = {"own-record": "0", "proxy-grant": "1", "care-relationship": "2"}


def _relationships(authority: Authority, now: datetime) -> Iterator[tuple[str, str]]:
    """Each open chart with its weakest relationship first, so that a dict keeps the strongest.

    A chart that was merged is read with the survivor, which the same relationship opens.
    """
    if authority.holds("clinician"):
        for relation in authority.relations:
            if relation.chart in authority.merged:
                continue
            if relation.since <= now and (relation.until is None or relation.until > now):
                yield relation.chart, "care-relationship"
    for grant in authority.grants:
        if not grant.scopes.isdisjoint(SCOPES) and (grant.until is None or grant.until > now):
            yield grant.chart, "proxy-grant"
    for chart in authority.own_charts - authority.merged:
        yield chart, "own-record"


def _own_first(entry: tuple[str, str]) -> tuple[str, str]:
    return _ORDER[entry[1]], entry[0]


def _place(charts: dict[str, str], chart: str) -> str:
    return f"{_ORDER[charts[chart]]}|{chart}"


@strawberry.type(description="Who is signed in.")
class IdentityQuery:
    """Queries of the signed-in account."""

    @field(identity.view_own, "You.")
    async def me(self, info: Info) -> Me:
        """The account and its permissions."""
        context: SchemaContext = info.context
        authority = await context.authority(identity.view_own)
        person = authority.person
        return Me(
            authority=authority,
            id=strawberry.ID(context.ids.hide("account", context.account)),
            person=None if person is None else strawberry.ID(context.ids.hide("person", person)),
            name=await context.display_name(identity.view_own),
            organization=context.tenant,
            roles=[held.role for held in authority.roles],
        )
