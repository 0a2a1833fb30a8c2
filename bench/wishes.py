"""What the clients wish: to report prescriptions, each in a stream of its own, at exact versions.

A client's chart, fact and context are made once, so that little of what is measured is the
client's own work.
"""

import itertools
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from uuid import UUID

from domain.kernel.context import Context
from domain.kernel.event import Event
from domain.kernel.log import Append, Draft, Expected
from domain.kernel.rule import POLICY_VERSION
from domain.kernel.values import Concept, Moment, Source
from domain.prescriptions import MedicationOrder, PrescriptionReported, report

EVENTS_PER_STREAM = 2


def fresh_id() -> str:
    """A random UUID."""
    return str(UUID(bytes=os.urandom(16), version=4))


def reported() -> Event:
    """A prescription as an EHR reports it: about 400 bytes as JSON."""
    return PrescriptionReported(
        prescription=fresh_id(),
        order=MedicationOrder(
            medication=Concept(text="Metformin 500 mg"),
            status="active",
            intent="order",
            authored=Moment("2026-03-11T09:30:00+01:00"),
            directions=("1 tablet twice a day with meals",),
        ),
        source=Source("urn:oid:2.16.840.1.113883.19.5", "MedicationRequest", "4711"),
    )


def stamped() -> Context:
    """The context as `perform` stamps it for a system that reports."""
    now = Moment(datetime.now(UTC).isoformat())
    return Context(
        actor="ehr-feed",
        actor_kind="system",
        purpose="TREAT",
        basis="system",
        rule=report.name,
        policy=POLICY_VERSION,
        client="hl7v2",
        received=now.text,
        occurred="2026-03-11T09:30:00+01:00",
        precision="instant",
        correlation=fresh_id(),
    )


def wishes(tenant: str, chart: str) -> Iterator[Append]:
    """Appends without end: one event each, at versions 0 and 1 of one stream after another."""
    fact, context = reported(), stamped()
    for number in itertools.count():
        version = number % EVENTS_PER_STREAM
        if version == 0:
            stream = fresh_id()
        yield Append(
            tenant=tenant,
            command=os.urandom(16),
            fingerprint=os.urandom(32),
            context=context,
            drafts=(Draft(stream=stream, event=fact, chart=chart, owner=chart),),
            expected=(Expected(stream=stream, version=version),),
        )
