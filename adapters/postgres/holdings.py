"""What the log holds of a chart: which events, sealed by which keys, and what they point at.

Bodies are opened, since what they point at (received bytes, attachments, ids at the source) stands
nowhere else; what is erased already points at nothing any more.
"""

from collections.abc import AsyncIterator, Collection, Iterator, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime

import asyncpg

from adapters.fhir.references import source_key
from adapters.keys.tree import KeyTree
from adapters.postgres.tenant import tenant_rows
from adapters.postgres.trail import Trail
from domain.audit import Selection
from domain.identity import AccountOpened
from domain.kernel.event import Event, Recorded
from domain.kernel.values import Source
from domain.registry import ChartOpened, number_of

PORTION = 1_000
PERSONS = "SELECT person::text FROM model.registry_link WHERE tenant = $1 AND chart = $2::uuid"
TIES = """SELECT
  (SELECT count(*) FROM model.registry_link WHERE tenant = $1 AND person = $2::uuid
    AND chart <> $3::uuid) AS charts,
  (SELECT count(*) FROM model.consent_grant WHERE tenant = $1 AND grantee = $2::uuid
    AND (until IS NULL OR until > clock_timestamp())) AS grants"""
KIN = """SELECT survivor::text FROM model.registry_merge WHERE tenant = $1 AND chart = $2::uuid
  UNION SELECT chart::text FROM model.registry_merge WHERE tenant = $1 AND survivor = $2::uuid"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """One event of a chart.

    `category` is the sensitive category of its body; `objects` are ids in the object store,
    `sources` what its resources are known by where they came from.
    """

    stream: str
    chart: str | None
    command: str
    """The id of the command that wrote it, hexadecimal."""
    type: str
    key: str
    category: str
    alone: bool
    states: bool
    """Whether it states an item's content, so that shredding the item has to shred it."""
    at: datetime
    objects: frozenset[str]
    sources: frozenset[str]
    number: str | None
    """What the chart is known by, for the event that opened it."""
    refiled: str | None
    """The chart that what is withdrawn was filed in instead."""


class Holdings:
    """Reads with the auditor's role."""

    def __init__(self, pool: asyncpg.Pool, keys: KeyTree, tenant: str) -> None:
        self._pool = pool
        self._tenant = tenant
        self._trail = Trail(pool, keys, tenant)

    async def of_chart(self, chart: str) -> AsyncIterator[list[Held]]:
        """The events of a chart, in portions."""
        async for portion in self._selected(Selection(chart=chart)):
            yield [held for held in portion if held.chart == chart]

    async def of_stream(self, stream: str) -> list[Held]:
        """The events of a stream."""
        return [
            held async for portion in self._selected(Selection(stream=stream)) for held in portion
        ]

    async def sealed_with(self, kind: str, keys: Collection[str]) -> list[Held]:
        """The events of a type that one of these keys sealed."""
        selected = self._selected(Selection(), {kind})
        return [held async for portion in selected for held in portion if held.key in keys]

    async def alone_with(self, chart: str) -> tuple[str, ...]:
        """The chart's person and their accounts; nobody who has other charts or acts for others."""
        persons = await self._fetch(PERSONS, chart)
        if len(persons) != 1:
            return ()
        person = persons[0][0]
        accounts = await self._accounts(person)
        ties = any((await self._fetch(TIES, person, chart))[0].values())
        if ties or any(practises for _, practises in accounts):
            return ()
        return (person, *(account for account, _ in accounts))

    async def kin(self, chart: str) -> tuple[str, ...]:
        """The charts that merges made one patient's with it."""
        return tuple(row[0] for row in await self._fetch(KIN, chart))

    async def _accounts(self, person: str) -> list[tuple[str, bool]]:
        """Every account that a person ever had, and whether it is of a practitioner."""
        found = []
        positions = await self._trail.positions(Selection(), types={AccountOpened.type_name})
        for low in range(0, len(positions), PORTION):
            for one in await self._trail.events(positions[low : low + PORTION]):
                event = one.event
                if isinstance(event, AccountOpened) and event.person == person:
                    found.append((one.header.stream, event.practitioner is not None))
        return found

    async def _selected(
        self, selection: Selection, types: Collection[str] | None = None
    ) -> AsyncIterator[list[Held]]:
        positions = await self._trail.positions(selection, types=types)
        for low in range(0, len(positions), PORTION):
            events = await self._trail.events(positions[low : low + PORTION])
            yield [_held(recorded) for recorded in events]

    async def _fetch(self, sql: str, *arguments: str) -> list[asyncpg.Record]:
        return await tenant_rows(self._pool, self._tenant, sql, self._tenant, *arguments)


def _held(recorded: Recorded) -> Held:
    header, event = recorded.header, recorded.event
    opened = isinstance(event, Event)
    sources = list(_sources(event))
    return Held(
        stream=header.stream,
        chart=header.chart,
        command=header.command,
        type=header.type,
        key=header.key,
        category=event.category if isinstance(event, Event) else "",
        alone=isinstance(event, Event) and event.sealed_alone,
        states=opened and hasattr(event, "content"),
        at=recorded.committed_at,
        objects=frozenset(_objects(event)),
        sources=frozenset(source_key(one.system, one.type, one.id) for one in sources),
        number=number_of(event.identifier) if isinstance(event, ChartOpened) else None,
        refiled=getattr(event, "refiled", None),
    )


def _parts(value: object) -> Iterator[object]:
    """The value and everything in it."""
    yield value
    if is_dataclass(value):
        for member in fields(value):
            yield from _parts(getattr(value, member.name))
    elif isinstance(value, tuple):
        for one in value:
            yield from _parts(one)


def _sources(event: object) -> Iterator[Source]:
    return (part for part in _parts(event) if isinstance(part, Source))


def _objects(event: object) -> Iterator[str]:
    """Ids of the received bytes of sources, and of the contents of documents."""
    for part in _parts(event):
        found = getattr(part, "object", None) if is_dataclass(part) else None
        if isinstance(found, str):
            yield found


def codes_of(category: str) -> Sequence[str]:
    """The sensitivity codes of a category."""
    return category.split("+") if category else ()
