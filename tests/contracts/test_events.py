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
            assert {name: again[name] for name in stored} == stored


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
        assert kind.__module__ == f"domain.{capability}"
        words = "".join(f"-{c.lower()}" if c.isupper() else c for c in kind.__name__)
        assert fact == words.lstrip("-")
