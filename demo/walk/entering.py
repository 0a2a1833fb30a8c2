"""Steps: what comes in."""

from typing import Any
from uuid import uuid4

import redis.asyncio

from adapters.fhir.files import read_bundle
from adapters.postgres.migrate import migrations_at_hand
from api.inbound.fhir import HouseIntake, received_bytes
from demo.people import ORGANIZATIONS
from demo.seed import import_stories, seeding_actor, told_on
from demo.stories import bundle_bytes, expected_counts, stories
from demo.walk.world import World, hold
from domain.audit import Selection
from domain.results import ResultReceived

# Events that each resource of the story bundles yields; a report takes its observations with it.
EVENT_OF = {
    "Patient": "registry.chart-opened",
    "Encounter": "care.encounter-reported",
    "MedicationRequest": "prescriptions.prescription-reported",
    "DiagnosticReport": "results.result-received",
}


async def servers_run(world: World) -> str:
    """PostgreSQL and Valkey answer, on unix sockets only."""
    version = await world.owner.fetchval("SHOW server_version")
    addresses = await world.owner.fetchval("SHOW listen_addresses")
    hold(addresses == "", "PostgreSQL listens on TCP")
    client = redis.asyncio.Redis.from_url(world.demo.servers.valkey.url())
    try:
        hold(bool(await client.ping()), "Valkey does not answer")
    finally:
        await client.aclose()
    return f"PostgreSQL {version}, Valkey {world.demo.servers.valkey.pid}"


async def database_migrated(world: World) -> str:
    """Every migration at hand is applied, as it stands."""
    rows = await world.owner.fetch("SELECT name, checksum FROM migration")
    applied = {row["name"]: row["checksum"] for row in rows}
    wanted = {migration.name: migration.checksum for migration in migrations_at_hand()}
    hold(applied == wanted, "the applied migrations are not those at hand")
    return f"{len(applied)} migrations"


async def stories_imported(world: World) -> str:
    """The log holds exactly the events that the bundles' resources yield."""
    said = []
    for tenant in ORGANIZATIONS:
        counts = _sum(expected_counts(s) for s in stories() if s.tenant == tenant)
        for resource, event in EVENT_OF.items():
            found = await world.owner.fetchval(
                "SELECT count(*) FROM event WHERE tenant = $1 AND type = $2", tenant, event
            )
            hold(
                found == counts[resource],
                f"{tenant}: {found} {event} for {counts[resource]} {resource}",
            )
        said.append(f"{tenant} {sum(counts.values())} resources")
    return ", ".join(said)


def _sum(counts: Any) -> dict[str, int]:
    total: dict[str, int] = {}
    for one in counts:
        for name, count in one.items():
            total[name] = total.get(name, 0) + count
    return total


async def second_import_changes_nothing(world: World) -> str:
    """Importing the same bundles again writes no event, whoever does it."""
    before = {tenant: await world.head(tenant) for tenant in ORGANIZATIONS}
    demo = world.demo
    unchanged = 0
    for operator in ("demo", f"walker {uuid4()}"):
        reports = await import_stories(
            demo.house,
            demo.servers.folder / "stories",
            lambda _tenant, _progress: None,
            operator,
        )
        for tenant, report in reports.items():
            again = report.events_written
            hold(again == 0, f"{tenant}: {operator} wrote {again} events again")
            hold(await world.head(tenant) == before[tenant], f"{tenant}: the log has grown")
            hold(not report.problems, f"{tenant}: {len(report.problems)} problems")
            same = sum(counts.get("unchanged", 0) for counts in report.yielded.values())
            hold(same > 0, f"{tenant}: nothing was looked at")
            unchanged += same
    return f"{unchanged} resources from two operators changed nothing"


async def received_bytes_kept(world: World) -> str:
    """The received bytes of a report open to exactly what came in."""
    house, chart = world.demo.house, world.demo.stored.charts["rosa"]
    folder = world.demo.servers.folder / "stories"
    rosa = next(story for story in stories(told_on(folder)) if story.key == "rosa")
    path = folder / "riverside" / "rosa.json"
    hold(path.read_bytes() == bundle_bytes(rosa), "the bundle file is not the story")
    sent = {entry.id: bytes(entry.content) for entry in read_bundle(path).entries}
    trail = world.trail("riverside")
    compared = 0
    for event in await trail.events(await trail.positions(Selection(chart=chart))):
        if isinstance(event.event, ResultReceived) and event.event.source is not None:
            source = event.event.source
            kept = await received_bytes(house, "riverside", source.object or "")
            hold(kept == sent[source.id], "kept bytes differ from received bytes")
            _, digest = await HouseIntake(house, seeding_actor("riverside")).trace(
                kept, _patient_id(rosa.bundle)
            )
            hold(digest == source.digest, "the digest in the event is not of these bytes")
            compared += 1
    hold(compared > 0, "no report was found")
    return f"{compared} reports byte for byte"


def _patient_id(bundle: dict[str, object]) -> str:
    entries: Any = bundle["entry"]
    return next(
        str(e["resource"]["id"]) for e in entries if e["resource"]["resourceType"] == "Patient"
    )


async def tokens_verified(world: World) -> str:
    """A fresh token is accepted; a forged, a foreign and no token get the same 401."""
    token = world.demo.sign_in("rosa").token
    hold((await world.ask("rosa", "{ me { id } }")).status == 200, "a good token is refused")
    body, signature = token.rsplit(".", 1)
    forged = f"{body}.{'A' * len(signature)}"
    header, payload, _ = token.split(".")
    other = world.demo.sign_in("omar").token
    stolen = f"{header}.{payload}.{other.rsplit('.', 1)[1]}"
    answers = [await world.ask_with(bad, "{ me { id } }") for bad in (forged, stolen, "x", "")]
    hold(all(answer.status == 401 for answer in answers), "a bad token is accepted")
    return f"{len(answers)} bad tokens refused"
