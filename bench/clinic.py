"""A log as a clinic writes it: facts of many charts, corrections, and looks at what is there."""

import asyncio
import os
from collections.abc import Iterator
from dataclasses import replace

from api.house import House
from bench.ground import TENANT
from bench.measure import say
from bench.wishes import fresh_id, reported, stamped
from domain.audit import RecordsViewed
from domain.care import EncounterReported, Visit
from domain.kernel.event import Event
from domain.kernel.log import Append, Draft, Expected
from domain.kernel.values import (
    Coding,
    Concept,
    Moment,
    Period,
    Quantity,
    ReferenceRange,
    Source,
)
from domain.records import (
    Condition,
    Fact,
    Immunization,
    Note,
    Observation,
    RecordCorrected,
    RecordFiled,
)
from domain.results import Analyte, Report, ResultReceived

EVENTS_PER_CHART = 100
EVENTS_PER_COMMAND = 64
COMMANDS_AT_ONCE = 32
LOINC, SNOMED, UCUM = "http://loinc.org", "http://snomed.info/sct", "http://unitsofmeasure.org"
EHR = "urn:oid:2.16.840.1.113883.19.5"
WHEN = Moment("2026-03-11T09:30:00+01:00")
POTASSIUM = Concept((Coding(LOINC, "2823-3", "Potassium [Moles/volume] in Serum"),), "Potassium")


def _quantity(value: str) -> Quantity:
    return Quantity(value, "mmol/L", "mmol/L", UCUM)


OBSERVED = Fact(
    observation=Observation(
        concept=POTASSIUM,
        status="final",
        categories=("vital-signs",),
        effective=WHEN,
        issued=WHEN,
        quantity=_quantity("4.1"),
        ranges=(ReferenceRange(_quantity("3.5"), _quantity("5.1")),),
    )
)
DIAGNOSED = Fact(
    condition=Condition(
        concept=Concept((Coding(SNOMED, "38341003", "Hypertensive disorder"),), "Hypertension"),
        clinical_status="active",
        verification_status="confirmed",
        onset=WHEN,
        recorded=WHEN,
    )
)
VACCINATED = Fact(
    immunization=Immunization(
        vaccine=Concept(text="Influenza, seasonal"), status="completed", given=WHEN
    )
)
NOTED = Fact(
    note=Note(
        concept=Concept((Coding(LOINC, "34117-2", "History and physical note"),)),
        status="current",
        issued=WHEN,
        media_types=("text/plain",),
        digests=("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",),
    )
)
ENTRIES = (OBSERVED,) * 6 + (DIAGNOSED,) + (OBSERVED,) * 4 + (VACCINATED, NOTED, OBSERVED)


def _source(kind: str) -> Source:
    return Source(EHR, kind, fresh_id())


def _filed(fact: Fact) -> RecordFiled:
    fact = replace(fact, encounter=fresh_id())
    return RecordFiled(item=fresh_id(), fact=fact, source=_source("Observation"))


def _visit() -> Event:
    visit = Visit(status="finished", period=Period(WHEN, WHEN), practitioners=(fresh_id(),))
    return EncounterReported(encounter=fresh_id(), visit=visit, source=_source("Encounter"))


def _result() -> Event:
    analyte = Analyte(concept=POTASSIUM, status="final", effective=WHEN, quantity=_quantity("4.1"))
    report = Report(
        category="laboratory",
        concept=Concept((Coding(LOINC, "24323-8", "Comprehensive metabolic panel"),)),
        status="final",
        effective=WHEN,
        observations=(analyte,) * 3,
    )
    return ResultReceived(result=fresh_id(), report=report, source=_source("DiagnosticReport"))


def _facts() -> Iterator[tuple[Event, ...]]:
    """Without end, what happens in a stream of its own: of twenty events, sixteen are records."""
    while True:
        for entry in ENTRIES:
            yield (_filed(entry),)
        filed = _filed(OBSERVED)
        yield filed, RecordCorrected(item=filed.item, fact=filed.fact, source=filed.source)
        yield from ((_visit(),), (reported(),), (_result(),), (_result(),))


def _looks(chart: str) -> tuple[Event, ...]:
    """What is written of a chart's readers, one event per look."""
    look = RecordsViewed(
        chart=chart,
        operation="Record",
        panels=("records.conditions", "records.observations"),
        records=tuple(fresh_id() for _ in range(8)),
        count=8,
    )
    return (look,) * EVENTS_PER_COMMAND


class Clinic:
    """Appends to the log of the tenant; of `share` commands one is of facts, the others looks."""

    def __init__(self, house: House, events: int, share: int = 1) -> None:
        """As many charts as a log of so many events has."""
        self._house = house
        self._facts = _facts()
        self._share = share
        self._charts = [fresh_id() for _ in range(max(1, events // share // EVENTS_PER_CHART))]
        self._commands = 0

    async def grow(self, events: int) -> int:
        """Append that many events, to whole commands; returns how many."""
        wanted = max(1, events // EVENTS_PER_COMMAND)
        say(f"  writing {wanted * EVENTS_PER_COMMAND:,} events")
        left = iter(range(wanted))

        async def appending() -> None:
            # The next command is made while the ones before are written.
            for _ in left:
                await self._house.log.append(self._wish())

        await asyncio.gather(*(appending() for _ in range(COMMANDS_AT_ONCE)))
        return wanted * EVENTS_PER_COMMAND

    def _wish(self) -> Append:
        number, self._commands = self._commands, self._commands + 1
        chart = self._charts[number // self._share % len(self._charts)]
        drafts: list[Draft] = []
        expected: list[Expected] = []
        while len(drafts) < EVENTS_PER_COMMAND:
            happened = _looks(chart) if number % self._share else next(self._facts)
            stream = fresh_id()
            expected.append(Expected(stream=stream, version=0))
            drafts += (Draft(stream=stream, event=e, chart=chart, owner=chart) for e in happened)
        return Append(
            tenant=TENANT,
            command=os.urandom(16),
            fingerprint=os.urandom(32),
            context=stamped(),
            drafts=tuple(drafts[:EVENTS_PER_COMMAND]),
            expected=tuple(expected),
        )
