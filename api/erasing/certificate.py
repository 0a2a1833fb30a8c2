"""The certificate of an erasure: what was destroyed, what remains and why, signed by the log's key.

It names ids, counts and days, and nothing of the record, so that it can be given to the patient.
A signed note of C2SP: text that people read, below it a signature that tools check. It is made of
what the log says, so that it can be made again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from adapters.keys import KeyRecord
from adapters.proofs.notes import Note
from api.house import House
from api.signing import head_key
from domain.audit import (
    AUDIT,
    RETENTION_YEARS,
    ChartErased,
    ErasureCarriedOut,
    NothingToErase,
    keeping_stream,
    kept_until,
)
from domain.kernel.event import Recorded

HEADING = "anamnesis erasure certificate v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """What the erasures of a chart did. `remains` are sentences for people."""

    tenant: str
    chart: str
    scope: str
    tombstones: tuple[tuple[str, int, datetime], ...]
    """Event id, position and time of each."""
    keys: int
    objects: int
    remains: tuple[str, ...]

    @property
    def text(self) -> str:
        """As it is signed."""
        lines = [
            HEADING,
            f"log: {self.tenant}",
            f"chart: {self.chart}",
            f"erased: {self.scope}",
            *(
                f"tombstone: event {event} at position {position}, {at.isoformat()}"
                for event, position, at in self.tombstones
            ),
            f"keys destroyed: {self.keys}",
            f"received files deleted: {self.objects}",
            *(f"remains: {sentence}" for sentence in self.remains),
        ]
        return "\n".join(lines) + "\n"


async def kept(house: House, tenant: str, chart: str) -> Sequence[Recorded]:
    """The events of a chart's holds and erasures, oldest first."""
    recall = await house.log.recall(tenant, b"", b"", [keeping_stream(chart)], whole=True)
    return recall.streams[0].events


async def certificate(house: House, tenant: str, chart: str) -> Certificate:
    """What the last erasure of a chart did, as of now. Raises NothingToErase where none is done."""
    events = await kept(house, tenant, chart)
    done = [one.event for one in events if isinstance(one.event, ErasureCarriedOut)]
    if not done:
        raise NothingToErase()
    scope = done[-1].scope
    tombstones = [
        one for one in events if isinstance(one.event, ChartErased) and one.event.scope == scope
    ]
    places = await house.keys.places(tenant, chart)
    return Certificate(
        tenant=tenant,
        chart=chart,
        scope=scope,
        tombstones=tuple((one.header.event, one.position, one.committed_at) for one in tombstones),
        keys=done[-1].keys,
        objects=done[-1].objects,
        remains=tuple(_remains(done[-1], places, house.log.now())),
    )


def _remains(done: ErasureCarriedOut, places: Sequence[KeyRecord], now: datetime) -> Iterator[str]:
    yield (
        f"{done.events} events as proof that they happened: opaque ids, times, who acted and why"
        " it was allowed; the contents of what was erased open no more"
    )
    kept = [place for place in places if not place.destroyed]
    if any(place.key_class == AUDIT for place in kept):
        until = kept_until(now, RETENTION_YEARS[AUDIT]).date()
        yield f"who looked at the chart, by law at least until {until}"
    if any(place.key_class != AUDIT for place in kept):
        yield "what was not asked to be erased of this chart"
    if done.account_kept:
        yield "the person's account, where they have one: they have another chart or act for others"
    if done.left:
        yield (
            f"{done.left} earlier statements of this, from before it was labelled so: only an"
            " erasure of the whole chart takes them"
        )
    yield (
        "what was received and named no patient, and decisions about matching charts, by ids: the"
        " organisation's"
    )
    yield "copies of the key store from before, which must be deleted within their backup window"


async def certified(house: House, one: Certificate) -> Note:
    """The certificate with the signature of the log's key."""
    key = await head_key(house.keys, house.settings, one.tenant)
    return Note(one.text, (key.sign(one.text),))
