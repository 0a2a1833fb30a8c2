"""Steps: what goes out, and that it is on record first."""

import asyncio
from datetime import datetime
from typing import Any

from demo.stories import expected_counts, stories
from demo.walk.world import NotSo, World, hold
from domain.audit import AccessRefused, RecordsViewed

RECORD = """query Walk { record {
  patient { name }
  conditions(first: 100) { edges { node { id code { text } } } }
  allergies(first: 100) { edges { node { id } } }
  medications(first: 100) { edges { node { id status } } }
  immunizations(first: 100) { edges { node { id } } }
  labReports(first: 100) { edges { node { id code { text } observations {
    code { text } value { value } unit referenceRange { text } interpretation { text } } } } }
} }"""
PANELS = {
    "conditions": "Condition",
    "allergies": "AllergyIntolerance",
    "medications": "MedicationRequest",
    "immunizations": "Immunization",
}


def _ids(record: dict[str, Any]) -> list[str]:
    return [
        edge["node"]["id"] for panel in (*PANELS, "labReports") for edge in record[panel]["edges"]
    ]


def _newest(record: dict[str, Any], analyte: str) -> dict[str, Any]:
    """The newest value of an analyte; reports come newest first."""
    for edge in record["labReports"]["edges"]:
        for observation in edge["node"]["observations"]:
            if observation["code"]["text"] == analyte:
                value: dict[str, Any] = observation
                return value
    raise NotSo(f"no {analyte}")


async def patient_reads_record(world: World) -> str:
    """Rosa's record has her name, everything that was filed, and her newest HbA1c."""
    answer = await world.ask("rosa", RECORD)
    hold("errors" not in answer.body, f"errors: {answer.text[:200]}")
    record = answer.data["record"]
    hold(record["patient"]["name"] == "Rosa Delgado", "another name")
    counts = expected_counts(next(story for story in stories() if story.key == "rosa"))
    for panel, resource in PANELS.items():
        found = len(record[panel]["edges"])
        hold(found == counts[resource], f"{found} {panel} for {counts[resource]} {resource}")
    newest = _newest(record, "Hemoglobin A1c")
    hold(newest["value"]["value"] == "7.1" and newest["unit"] == "%", "another newest HbA1c")
    hold(newest["interpretation"][0]["text"] == "High", "the HbA1c is not marked high")
    hold(bool(newest["referenceRange"][0]["text"]), "no reference range")
    return f"{len(_ids(record))} records, HbA1c {newest['value']['value']} {newest['unit']}"


async def look_on_record(world: World) -> str:
    """The log holds one look with exactly the ids of the answer, its purpose and basis."""
    before = await world.head("riverside")
    answer = await world.ask("rosa", RECORD)
    events = await world.since("riverside", before)
    looks = [event for event in events if isinstance(event.event, RecordsViewed)]
    hold(len(looks) == 1, f"{len(looks)} looks on record for one operation")
    look, stated = looks[0].event, looks[0].context
    hold(isinstance(look, RecordsViewed), "not a look")
    ids = await world.ids("riverside")
    shown = {ids.reveal(text.split("_")[0], text) for text in _ids(answer.data["record"])}
    named = set(getattr(look, "records", ()))
    chart = world.demo.stored.charts["rosa"]
    hold(shown <= named and named - shown == {chart}, "other ids on record than in the answer")
    hold(getattr(look, "count", 0) == len(named), "another count")
    hold((stated.purpose, stated.basis) == ("PATRQT", "own-record"), "another purpose or basis")
    hold(look.operation == "Walk" if isinstance(look, RecordsViewed) else False, "another name")
    return f"{len(named)} ids, {stated.purpose}, {stated.basis}"


async def no_commit_no_answer(world: World) -> str:
    """While the log cannot be written, a read answers 503 and not one byte of data."""
    await world.owner.execute(f"REVOKE EXECUTE ON FUNCTION {_APPEND} FROM anamnesis_api")
    try:
        answer = await world.ask("rosa", "{ record { patient { name } } }")
    finally:
        await world.owner.execute(f"GRANT EXECUTE ON FUNCTION {_APPEND} TO anamnesis_api")
    hold(answer.status == 503, f"status {answer.status}")
    hold("Rosa" not in answer.text and not answer.body.get("data"), "data left without its audit")
    healed = await world.ask("rosa", "{ record { patient { name } } }")
    hold(healed.status == 200, "reads do not come back")
    return "503, then 200"


_APPEND = "log_append"


async def reads_wait_for_position(world: World) -> str:
    """A mutation gives a position; a read under it shows the change; a far one is typed."""
    chart, ids = await world.chart("jun"), await world.ids("riverside")
    person = (await world.ask("laura", "{ me { person } }")).data["me"]["person"]
    key = f"walk-{await world.head('riverside')}"
    granted = await world.ask("jun", change("grantProxyAccess", chart, person, key, _GRANT))
    position = granted.data["grantProxyAccess"]["position"]
    hold(bool(position), f"no position: {granted.text[:200]}")
    query = "{ record { proxies(first: 10) { edges { node { grantee } } } } }"
    shown = (await world.ask("jun", query, position)).data["record"]["proxies"]["edges"]
    hold(any(edge["node"]["grantee"] == person for edge in shown), "the change is not shown")
    again = await world.ask("jun", change("grantProxyAccess", chart, person, key, _GRANT))
    hold(again.data["grantProxyAccess"]["repeated"] is True, "the key acted twice")
    await world.ask("jun", change("withdrawProxyAccess", chart, person, f"{key}-end", ""))
    far = ids.seal("position", str(2**40))
    waited = await asyncio.wait_for(world.ask("jun", "{ me { id } }", far), 25)
    code = (waited.body.get("errors") or [{}])[0].get("extensions", {}).get("code", "")
    hold("POSITION" in code, f"an unreachable position gives {waited.status} {code}")
    return f"shown at its position; a far one gives {code}"


_GRANT = "kind: HELPER, scopes: [SCHEDULING]"


def change(mutation: str, chart: str, person: str, key: str, more: str = "") -> str:
    """A mutation of a proxy grant, as a document."""
    wish = f'idempotencyKey: "{key}", chart: "{chart}", grantee: "{person}", {more}'
    success = "... on ProxyAccessChanged { position repeated }"
    return f"mutation {{ {mutation}(input: {{ {wish} }}) {{ __typename {success} }} }}"


async def compliance_reads_trail(world: World) -> str:
    """Priya sees who looked at Rosa's chart and why; her own look is on record too."""
    await world.ask("rosa", RECORD)
    before = await world.head("riverside")
    await world.since("riverside", before)
    chart = await world.chart("rosa")
    trail = f"""{{ auditTrail(chart: "{chart}", first: 5) {{ edges {{ node {{
        type purpose basis count records outcome }} }} }} }}"""
    edges = (await world.ask("priya", trail)).data["auditTrail"]["edges"]
    newest = edges[0]["node"]
    hold(newest["type"] == "audit.records-viewed", f"newest is {newest['type']}")
    hold(newest["basis"] == "own-record" and newest["count"] > 0, "another basis or count")
    own = await world.since("riverside", before)
    hold(any(event.context.purpose == "HCOMPL" for event in own), "the auditor left no trace")
    refused = await world.ask("sam", trail)
    hold(refused.data["auditTrail"] is None, "the front desk reads the trail")
    return f"{len(edges)} entries; the auditor's look is on record"


async def record_as_of(world: World) -> str:
    """The record as of its opening is empty of facts; as of now it is what is shown today."""
    chart = await world.chart("walter")
    opened_at: datetime = await world.owner.fetchval(
        "SELECT committed_at FROM event WHERE stream = $1::uuid ORDER BY version LIMIT 1",
        world.demo.stored.charts["walter"],
    )
    early = await world.ask("priya", _as_of(chart, opened_at))
    late = await world.ask("priya", _as_of(chart, None))
    today = await world.ask("walter", "{ record { " + _FACTS + " } }")
    past = early.data["recordAsOf"]["conditions"]["edges"]
    hold(past == [], f"{len(past)} conditions before they were filed")
    hold(late.data["recordAsOf"] == today.data["record"], "the past of now is not today")
    denied = await world.ask("walter", _as_of(chart, None))
    hold(denied.data["recordAsOf"] is None, "a patient opens the past")
    return f"{len(today.data['record']['conditions']['edges'])} conditions now, none then"


_FACTS = (
    "conditions(first: 100) { edges { node { code { text } onset { text } } } }"
    " labReports(first: 100) { edges { node { status observations { value { value } } } } }"
)


def _as_of(chart: str, at: datetime | None) -> str:
    when = "" if at is None else f', at: "{at.isoformat()}"'
    return f'{{ recordAsOf(chart: "{chart}"{when}) {{ {_FACTS} }} }}'


def refusals(events: list[Any]) -> int:
    """How many refusals are among the events."""
    return sum(isinstance(event.event, AccessRefused) for event in events)
