"""The approved catalogue of events: names, versions, shapes, and a sample of every version.

A stored event is never rewritten, so whatever was released must load for ever. After a decision
(an additive field with a default, or a new version with an upcaster) approve the difference with
`ANAMNESIS_APPROVE=1 python -m pytest tests/contracts/test_events.py` and commit events.json.
"""

import json
import os
from inspect import cleandoc
from pathlib import Path
from typing import Any

import msgspec
import pytest

from adapters.codec import decode_body, encode_body
from domain.kernel.event import Event, event_type
from tests.contracts.samples import domain_events, sample

APPROVED = Path(__file__).parent / "events.json"
HOW = (
    "The events differ from tests/contracts/events.json. If that is decided, approve it with"
    " ANAMNESIS_APPROVE=1 python -m pytest tests/contracts/test_events.py and commit the file."
)
Entry = dict[str, Any]


def _cleaned(schema: Any) -> Any:
    """The schema as plain JSON; docstrings without the indentation that Python 3.13 strips."""
    if isinstance(schema, dict):
        return {
            str(name): cleandoc(part)
            if name == "description" and isinstance(part, str)
            else _cleaned(part)
            for name, part in schema.items()
        }
    return [_cleaned(part) for part in schema] if isinstance(schema, list | tuple) else schema


def approved() -> dict[str, Entry]:
    """What was approved, by event name."""
    return json.loads(APPROVED.read_text(encoding="utf-8")) if APPROVED.exists() else {}


def declared(kind: type[Event]) -> Entry:
    """What a type promises today, without samples."""
    return {
        "version": kind.type_version,
        "key_class": kind.key_class,
        "item_key": kind.item_key,
        "withdraws_access": kind.withdraws_access,
        "schema": _cleaned(msgspec.json.schema(kind)),
    }


def with_samples(kind: type[Event], before: Entry | None) -> Entry:
    """The entry to approve: samples that were released stay as they are."""
    samples = dict(before["samples"]) if before else {}
    fresh = json.loads(encode_body(sample(kind)))
    samples.setdefault(str(kind.type_version), fresh)
    return {**declared(kind), "samples": samples}


def test_the_events_are_the_approved_ones() -> None:
    before = approved()
    now = {k.type_name: with_samples(k, before.get(k.type_name)) for k in domain_events()}
    if os.environ.get("ANAMNESIS_APPROVE") == "1":
        frozen = [n for n in before if n in now and before[n]["version"] == now[n]["version"]]
        assert [path for name in frozen for path in lost(before[name], now[name])] == []
        kept = {**before, **now}
        text = json.dumps(kept, indent=1, sort_keys=True, ensure_ascii=False)
        APPROVED.write_text(text + "\n", encoding="utf-8")
        before = approved()
    assert now == before, HOW


def test_no_event_that_was_released_disappears() -> None:
    assert [name for name in approved() if event_type(name) is None] == []


def test_a_version_never_goes_back_and_every_version_has_a_sample() -> None:
    for name, entry in approved().items():
        kind = event_type(name)
        assert kind is not None
        assert kind.type_version >= entry["version"]
        wanted = {str(version) for version in range(1, entry["version"] + 1)}
        assert entry["samples"].keys() == wanted, name


@pytest.mark.parametrize("kind", domain_events(), ids=lambda kind: kind.type_name)
def test_every_sample_that_was_stored_loads_today(kind: type[Event]) -> None:
    samples = approved()[kind.type_name]["samples"]
    for version, stored in samples.items():
        loaded = decode_body(kind.type_name, int(version), json.dumps(stored).encode())
        assert type(loaded) is kind
        again = json.loads(encode_body(loaded))
        if int(version) == kind.type_version:
            assert covers(again, stored)


def covers(now: object, stored: object) -> bool:
    """Whether everything that was stored is there, whatever additive members came since."""
    if isinstance(stored, dict) and isinstance(now, dict):
        return all(name in now and covers(now[name], part) for name, part in stored.items())
    if isinstance(stored, list) and isinstance(now, list):
        return len(now) == len(stored) and all(map(covers, now, stored))
    return now == stored


def lost(before: Entry, now: Entry) -> list[str]:
    """What a stored event has and the schema of today refuses or forgets, as paths."""
    found = []
    for name, shape in before["schema"]["$defs"].items():
        today = now["schema"]["$defs"].get(name)
        if today is None:
            found.append(name)
            continue
        for member, kind in shape.get("properties", {}).items():
            if _bare(today.get("properties", {}).get(member)) != _bare(kind):
                found.append(f"{name}.{member}")
        new = set(today.get("required", ())) - set(shape.get("required", ()))
        found += [f"{name}.{member} is required now" for member in sorted(new)]
    return found


def _bare(shape: Any) -> Any:
    """A member's shape without its description and default, which say nothing of what is stored."""
    if isinstance(shape, dict):
        return {k: _bare(v) for k, v in shape.items() if k not in ("description", "default")}
    return [_bare(part) for part in shape] if isinstance(shape, list) else shape


@pytest.mark.parametrize("kind", domain_events(), ids=lambda kind: kind.type_name)
def test_a_version_that_was_approved_only_gains_members(kind: type[Event]) -> None:
    before = approved().get(kind.type_name)
    if before is not None and before["version"] == kind.type_version:
        assert lost(before, declared(kind)) == []


def test_a_member_that_is_gone_retyped_or_newly_required_is_found() -> None:
    entry = approved()["consent.proxy-access-granted"]
    changed = json.loads(json.dumps(entry))
    shape = changed["schema"]["$defs"]["ProxyAccessGranted"]
    del shape["properties"]["kind"]
    shape["properties"]["grantee"] = {"type": "integer"}
    shape["required"].append("until")
    assert lost(entry, changed) == [
        "ProxyAccessGranted.grantee",
        "ProxyAccessGranted.kind",
        "ProxyAccessGranted.until is required now",
    ]


def test_a_member_that_goes_away_or_changes_its_type_is_noticed() -> None:
    entry = approved()["consent.proxy-access-granted"]
    properties = entry["schema"]["$defs"]["ProxyAccessGranted"]["properties"]
    assert sorted(properties) == ["grantee", "kind", "scopes", "until"]
    assert entry["schema"]["$defs"]["ProxyAccessGranted"]["required"] == [
        "grantee",
        "kind",
        "scopes",
    ]


def test_no_event_name_reveals_a_sensitive_matter_or_breaks_the_pattern() -> None:
    for kind in domain_events():
        capability, _, fact = kind.type_name.partition(".")
        assert kind.__module__.split(".")[:2] == ["domain", capability]
        words = "".join(f"-{c.lower()}" if c.isupper() else c for c in kind.__name__)
        assert fact == words.lstrip("-")
