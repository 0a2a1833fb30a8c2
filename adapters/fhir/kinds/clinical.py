"""Conditions, allergies, immunisations, observations, reports and notes.

A report takes its observations with it; each of them has labels of its own.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import TypeVar

from adapters.fhir import aside, moved, resources
from adapters.fhir.desk import Desk
from adapters.fhir.kinds.facts import answer_orders, file_fact
from adapters.fhir.mapping import records, results
from adapters.fhir.mapping.values import Unusable
from adapters.fhir.reading import Entry, Malformed
from domain.kernel.labels import Label
from domain.kernel.values import Source
from domain.results import ReceiveResult, Report

F = TypeVar(
    "F",
    resources.Condition,
    resources.AllergyIntolerance,
    resources.Immunization,
    resources.Observation,
)


async def _fact(
    shape: type[F],
    mapped: Callable[[F, str | None], records.Filed],
    kind: str,
    desk: Desk,
    entry: Entry,
) -> None:
    given = entry.decode(shape)
    chart = await desk.chart(given.subject)
    await file_fact(
        desk, entry, chart, mapped(given, await desk.visit(given.encounter, chart)), kind
    )


async def _observation(desk: Desk, entry: Entry) -> None:
    given = entry.decode(resources.Observation)
    if not results.is_laboratory(given):
        await _fact(resources.Observation, records.observation, "filed", desk, entry)
        return
    chart = await desk.chart(given.subject)
    origin = await desk.origin(entry)
    report = results.standalone(given, origin, await desk.visit(given.encounter, chart))
    await _receive(desk, entry, chart, _labelled(report, (), {origin: desk.labels(entry)}), ())
    desk.settle("standalone_laboratory", entry)
    await answer_orders(desk, chart, given.based_on)


async def _report(desk: Desk, entry: Entry) -> None:
    given, parts = desk.reports[entry.index]
    chart = await desk.chart(given.subject)
    visit = await desk.visit(given.encounter, chart)
    if given.presented_form and not given.result:
        await file_fact(desk, entry, chart, records.note(given, visit), "notes")
        return
    measured: dict[Entry, results.Measured] = {}
    for part in parts:
        try:
            measured[part] = await _measured(desk, part, chart)
        except Malformed as error:
            await aside.set_aside(desk, part, "malformed", error.at)
    labels = {origin: desk.labels(part) for part, (_, origin) in measured.items()}
    report = results.report(given, list(measured.values()), visit)
    report = _labelled(report, desk.labels(entry), labels)
    await _receive(desk, entry, chart, report, tuple(measured))
    desk.settle(f"{report.category}_reports", entry)
    desk.settle("in_reports", *measured)
    await answer_orders(desk, chart, given.based_on)
    for part in measured:
        await aside.repaired(desk, part)


async def _receive(
    desk: Desk, entry: Entry, chart: str, report: Report, parts: tuple[Entry, ...]
) -> None:
    source = await desk.origin(entry)
    command = ReceiveResult(chart=chart, key=desk.key(entry), report=report, source=source)
    await desk.keep(chart, entry, *parts, alone=True)
    await moved.result(desk, entry, chart)
    await desk.do(entry, command)


def _labelled(
    report: Report, whole: tuple[Label, ...], of: Mapping[Source, tuple[Label, ...]]
) -> Report:
    """The report under the labels of its resource, each observation under those of its own."""
    parts = tuple(
        replace(one, labels=of.get(one.source, ()) if one.source else ())
        for one in report.observations
    )
    return replace(report, labels=whole, observations=parts)


async def _measured(desk: Desk, entry: Entry, chart: str) -> results.Measured:
    """An observation of a report. Raises Unusable where it is another patient's."""
    given = entry.decode(resources.Observation)
    if given.subject and await desk.chart(given.subject) != chart:
        raise Unusable("other-patient")
    return given, await desk.origin(entry)


FILED_BY: dict[str, Callable[[Desk, Entry], Awaitable[None]]] = {
    "Condition": partial(_fact, resources.Condition, records.condition, "conditions"),
    "AllergyIntolerance": partial(
        _fact, resources.AllergyIntolerance, records.allergy, "allergies"
    ),
    "Immunization": partial(_fact, resources.Immunization, records.immunization, "immunizations"),
    "DiagnosticReport": _report,
    "Observation": _observation,
}
