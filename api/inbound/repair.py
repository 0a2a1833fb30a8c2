"""What is set aside, for staff: listed, filed again from its bytes or from corrected ones."""

from typing import cast

from adapters.fhir.aside import UNNAMED, once_more
from adapters.fhir.importing import Run, file_bundle
from adapters.fhir.intake import Waiting
from adapters.fhir.references import source_key
from adapters.postgres.sources import NEWEST, AsideFound, Sources
from api.house import House
from api.inbound.fhir import HouseIntake
from domain.kernel.context import Actor
from domain.kernel.refusal import NotFound, StaleVersion
from domain.kernel.values import Source
from domain.records import RepairResource, StillSetAside
from projections.kernel.aside import ASIDE, AsideRow

PARTS = "report-set-aside"
CONCURRENCY = 8


async def set_aside(
    house: House, tenant: str, *, reason: str | None, before: int = NEWEST, most: int = 100
) -> list[AsideFound]:
    """What is set aside, newest first, before a position."""
    sources = Sources(house.api, house.keys, tenant)
    return await sources.aside(ASIDE, reason=reason, before=before, most=most)


async def file_again(
    house: House, actor: Actor, wish: RepairResource, content: bytes | None
) -> None:
    """File a resource from its kept bytes or from `content`; who wishes it closes it afterwards.

    The commands are the system's, on account of the actor. Observations that were set aside with
    a report come with it. Raises NotFound where nothing of this id is open, StaleVersion and
    StillSetAside.
    """
    sources = Sources(house.api, house.keys, actor.tenant)
    rows = await sources.aside(ASIDE, ident=wish.resource)
    if not rows:
        raise NotFound()
    row = cast(AsideRow, rows[0].body)
    if wish.seen_version not in (None, row.version):
        raise StaleVersion(current_version=row.version)
    original = row.original
    why = f"repair of {wish.resource} by {actor.id}: {wish.how}"
    system = Actor(tenant=actor.tenant, id="intake", kind="system", client="repair", reason=why)
    intake = HouseIntake(house, system)
    key = source_key(original.system, original.type, original.id)
    given = content if content is not None else await intake.received(original)
    this = Waiting(
        stream=rows[0].id, reason=rows[0].reason, original=original, at=row.at, url=row.url
    )
    received = once_more([(given, this), *await _parts(intake, original)])
    run = Run(intake=intake, concurrency=CONCURRENCY, kept_open=frozenset({key}), quiet=None)
    if received.problems:
        raise StillSetAside(reason=received.problems[0].reason, at=received.problems[0].at)
    if original.type not in (UNNAMED, received.entries[0].resource_type):
        raise StillSetAside(reason="other-type")
    await file_bundle(run, received, original.system)
    _refuse(run)


def _refuse(run: Run) -> None:
    """Raises StillSetAside for the first resource of the repair that was not filed."""
    wrong = next((one for one in run.tally.problems if one.entry == 0), None)
    if wrong is not None:
        raise StillSetAside(reason=wrong.reason, at=wrong.at)
    if any(counts["waiting"] for counts in run.tally.yielded.values()):
        raise StillSetAside(reason="no-patient")
    if run.tally.not_imported:
        raise StillSetAside(reason="not-imported")


async def _parts(intake: HouseIntake, original: Source) -> list[tuple[bytes, Waiting]]:
    if original.type != "DiagnosticReport":
        return []
    parts = await intake.waiting(PARTS)
    mine = [one for one in parts if one.original.system == original.system]
    return [(await intake.received(one.original), one) for one in mine]
