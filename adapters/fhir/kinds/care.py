"""Filers of care teams, episodes, orders, places and practitioners' functions."""

from collections.abc import Awaitable, Callable

from adapters.fhir.desk import Desk
from adapters.fhir.kinds.facts import coded
from adapters.fhir.listing import list_entry, only_new
from adapters.fhir.mapping import directory, teams
from adapters.fhir.reading import Entry
from adapters.fhir.resources import Reference, care
from domain.care import ReportCareTeam, ReportOrder, Team
from domain.directory import ListFunction, ListPlace


async def _team(desk: Desk, entry: Entry) -> None:
    given = entry.decode(care.CareTeam)
    chart = await desk.chart(given.subject)
    people = [await _practitioner(desk, one.member) for one in given.participant]
    host = next(iter(given.managing_organization), None)
    organization = await desk.references.stream(host, "Organization")
    await _report(desk, entry, chart, teams.team(given, tuple(people), organization))


async def _episode(desk: Desk, entry: Entry) -> None:
    given = entry.decode(care.EpisodeOfCare)
    chart = await desk.chart(given.subject)
    manager = await _practitioner(desk, given.care_manager)
    host = await desk.references.stream(given.managing_organization, "Organization")
    await _report(desk, entry, chart, teams.episode(given, manager, host))


async def _report(desk: Desk, entry: Entry, chart: str, team: Team) -> None:
    command = ReportCareTeam(
        chart=chart,
        key=desk.key(entry),
        team=team,
        source=await desk.origin(entry),
        labels=desk.labels(entry),
    )
    await desk.keep(chart, entry)
    await desk.do(entry, command)
    desk.settle("care_teams" if team.kind == "team" else "episodes", entry)


async def _practitioner(desk: Desk, reference: Reference | None) -> str | None:
    """The directory id of a member who is a practitioner; None for anybody else."""
    if reference is None:
        return None
    entry, named = desk.references.entry(reference), reference.reference or ""
    kind = entry.resource_type if entry else named.partition("/")[0].partition("?")[0]
    if kind != "Practitioner":
        return None
    return await desk.references.stream(reference, "Practitioner")


async def _order(desk: Desk, entry: Entry) -> None:
    given = entry.decode(care.ServiceRequest)
    chart = await desk.chart(given.subject)
    visit = await desk.visit(given.encounter, chart)
    command = ReportOrder(
        chart=chart,
        key=desk.key(entry),
        order=teams.order(given, visit, coded(desk, given.reason_reference)),
        source=await desk.origin(entry),
        labels=desk.labels(entry),
    )
    await desk.keep(chart, entry)
    await desk.do(entry, command)
    desk.settle("orders", entry)


async def _place(desk: Desk, entry: Entry) -> None:
    given = entry.decode(care.Location)
    host = await desk.references.stream(given.managing_organization, "Organization")
    key, *also = desk.awaiting.names(entry)
    command = ListPlace(
        key=key,
        also=tuple(also),
        only_new=only_new(entry),
        place=directory.place(given, desk.source, host),
        source=await desk.origin(entry),
    )
    await list_entry(desk, entry, command, "places")


async def _function(desk: Desk, entry: Entry) -> None:
    given = entry.decode(care.PractitionerRole)
    command = ListFunction(
        key=desk.key(entry),
        function=directory.function(
            given,
            await desk.references.stream(given.practitioner, "Practitioner"),
            await desk.references.stream(given.organization, "Organization"),
            tuple(await desk.references.streams(given.location, "Location")),
        ),
        source=await desk.origin(entry),
    )
    await desk.keep(None, entry)
    await desk.do(entry, command)
    desk.settle("functions", entry)


FILED_BY: dict[str, Callable[[Desk, Entry], Awaitable[None]]] = {
    "CareTeam": _team,
    "EpisodeOfCare": _episode,
    "ServiceRequest": _order,
    "Location": _place,
    "PractitionerRole": _function,
}
