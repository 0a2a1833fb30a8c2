"""A resource that its source moved to another patient: out of the old chart, into the new one."""

from contextlib import suppress
from dataclasses import replace

from adapters.fhir.desk import Desk
from adapters.fhir.reading import Entry
from domain.care import ReportEncounter
from domain.kernel.refusal import NotFound
from domain.prescriptions import ReportPrescription
from domain.records import WithdrawRecord
from domain.results import WithdrawResult

REASON = "the source moved it"
_WRONG = "entered-in-error"


def earlier_chart(desk: Desk, entry: Entry, chart: str) -> str | None:
    """The chart that the resource stood in, where it was another one."""
    known = desk.was(entry)
    return known.chart if known and known.chart not in (None, chart) else None


async def record(desk: Desk, entry: Entry, chart: str) -> None:
    """Take a fact along: withdrawn there and filed here, in one act."""
    old = earlier_chart(desk, entry, chart)
    if old:
        key = desk.key(entry)
        with suppress(NotFound):
            wish = WithdrawRecord(chart=old, key=key, reason=REASON, refile=chart)
            await desk.act(entry, wish)


async def result(desk: Desk, entry: Entry, chart: str) -> None:
    """Take a report along."""
    old = earlier_chart(desk, entry, chart)
    if old:
        key = desk.key(entry)
        with suppress(NotFound):
            wish = WithdrawResult(chart=old, key=key, reason=REASON, refile=chart)
            await desk.act(entry, wish)


async def encounter(desk: Desk, entry: Entry, here: ReportEncounter) -> None:
    """The encounter was entered in error there."""
    old = earlier_chart(desk, entry, here.chart)
    if old:
        wrong = replace(here.visit, status=_WRONG)
        await desk.act(entry, ReportEncounter(chart=old, key=here.key, visit=wrong))


async def prescription(desk: Desk, entry: Entry, here: ReportPrescription) -> None:
    """The prescription was entered in error there."""
    old = earlier_chart(desk, entry, here.chart)
    if old:
        wrong = replace(here.order, status=_WRONG)
        await desk.act(entry, ReportPrescription(chart=old, key=here.key, order=wrong))
