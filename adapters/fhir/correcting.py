"""A corrected resource as the command that would file it, by the same mapping; nothing is written.

The command is captured on its way to the log: whoever corrects decides what becomes of it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import msgspec
from msgspec import Raw

from adapters.fhir.filing import file_entry, stages
from adapters.fhir.importing import Run
from adapters.fhir.intake import Intake, Known, Under, Waiting
from adapters.fhir.reading import UNDECODABLE, Entry, Received
from adapters.fhir.references import References, source_key
from adapters.fhir.resources import Reference
from domain.kernel.command import Command, Reserved
from domain.kernel.perform import Receipt
from domain.kernel.values import Source
from domain.records import ResourceUnusable


class _Head(msgspec.Struct, rename="camel"):
    resource_type: str
    id: str | None = None
    entry: tuple["_Item", ...] = ()


class _Item(msgspec.Struct, rename="camel"):
    resource: Raw
    full_url: str | None = None


class _Capturing:
    """An intake that keeps bytes and performs nothing; every patient is the chart's."""

    def __init__(self, intake: Intake, chart: str) -> None:
        self._intake, self._chart = intake, chart
        self.wishes: list[Command[Any]] = []

    async def do(self, command: Command[Any], key: str) -> Receipt:
        """Remember the command."""
        del key
        self.wishes.append(command)
        return Receipt(tenant="", first=None, last=None, streams=(str(uuid4()),))

    async def keep(self, contents: Sequence[tuple[bytes, str]], under: Under) -> list[str]:
        """As the platform does."""
        return await self._intake.keep(contents, under)

    async def discard(self, objects: Sequence[str]) -> None:
        """As the platform does."""
        await self._intake.discard(objects)

    async def trace(self, content: bytes, scope: str = "") -> tuple[str, str]:
        """As the platform does."""
        return await self._intake.trace(content, scope)

    async def find(self, reserved: Reserved) -> str | None:
        """The chart for a patient whom nobody else is known by; else as the platform does."""
        found = await self._intake.find(reserved)
        if reserved.kind != "registry.chart":
            return found
        if found not in (None, self._chart):
            raise ResourceUnusable(why="other-patient")
        return self._chart

    async def find_all(self, reserved: Sequence[Reserved]) -> Mapping[Reserved, str]:
        """As the platform does."""
        return await self._intake.find_all(reserved)

    async def catch_up(self) -> None:
        """Nothing is compared with what came before."""

    async def known(self, sources: Collection[tuple[str, str, str]]) -> Mapping[str, Known]:
        """Nothing is compared with what came before."""
        del sources
        return {}

    async def label(self, category: str) -> str:
        """As the platform does."""
        return await self._intake.label(category)

    async def waiting(self, reason: str | None = None) -> Sequence[Waiting]:
        """Nothing waits for a correction."""
        del reason
        return ()

    async def aside(self, sources: Collection[tuple[str, str, str]]) -> Collection[str]:
        """Nothing waits for a correction."""
        del sources
        return ()

    async def received(self, original: Source) -> bytes:
        """As the platform does."""
        return await self._intake.received(original)


class _OfOneChart(References):
    """References of a resource that stands alone: its patient is the chart's, by any name."""

    chart = ""

    async def stream(
        self, reference: Reference | None, expected: str, chart: str | None = None
    ) -> str | None:
        """As ever; an unknown patient is the one whose entry is corrected."""
        found = await super().stream(reference, expected, chart)
        return self.chart if found is None and reference and expected == "Patient" else found


async def corrected(text: str, source: Source, chart: str, intake: Intake) -> Command[Any]:
    """What would file this resource, or this bundle with it, under the id of `source`.

    Raises ResourceUnusable with the reason code that an import would name.
    """
    received = Received("correction", _entries(text, source))
    capture = _Capturing(intake, chart)
    run = Run(intake=capture, concurrency=1)
    references = _OfOneChart(
        received.entries, source.system, capture, bound=run.bound, unbound=run.tally.unbound
    )
    references.chart = chart
    desk = replace(run.desk(received, source.system), references=references)
    for stage in await stages(desk):
        for entry in stage:
            await file_entry(desk, entry)
    if desk.tally.problems:
        raise ResourceUnusable(why=desk.tally.problems[0].reason)
    key = source_key(source.system, source.type, source.id)
    for wish in capture.wishes:
        if getattr(wish, "key", None) == key and getattr(wish, "chart", None) == chart:
            return wish
    raise ResourceUnusable(why="other-resource")


def _entries(text: str, source: Source) -> tuple[Entry, ...]:
    """The resource or the bundle's resources; the one of the source's type takes its id."""
    try:
        head = msgspec.json.decode(text, type=_Head)
        if head.resource_type != "Bundle":
            return (Entry(0, None, head.resource_type, source.id, Raw(text.encode().strip())),)
        heads = [msgspec.json.decode(one.resource, type=_Head) for one in head.entry]
    except UNDECODABLE:
        raise ResourceUnusable(why="malformed") from None
    same = [one for one in heads if one.resource_type == source.type]
    return tuple(
        Entry(
            place,
            item.full_url,
            one.resource_type,
            source.id if one.resource_type == source.type and len(same) == 1 else one.id or "",
            item.resource,
        )
        for place, (item, one) in enumerate(zip(head.entry, heads, strict=True))
    )
