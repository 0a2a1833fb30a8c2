"""Stored bytes: RFC 8785 for header and context, bodies back as they were, whatever is in them."""

from dataclasses import fields
from datetime import UTC, datetime

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from adapters import codec
from domain.audit import AccessRefused
from domain.consent import GrantEndsInThePast, ProxyAccessGranted, UnknownScope
from domain.kernel.context import Context
from domain.kernel.event import Erased, Event, Header, Recorded, Unknown, event_types
from domain.kernel.refusal import Busy, Refusal, StaleVersion
from domain.kernel.values import Coding, Concept, Moment, Quantity
from domain.records import Condition, Fact, RecordFiled
from projections.catalogue import PANELS
from tests.strategies import anything

pytestmark = pytest.mark.minutes

EVENTS = sorted(
    (kind for kind in event_types().values() if kind.__module__.startswith("domain.")),
    key=lambda kind: kind.type_name,
)
CONTROLS = st.text(alphabet=[chr(code) for code in (*range(32), 34, 47, 92, 127, 0x2028, 0xFFFF)])
CONTEXT = Context(
    actor="a",
    actor_kind="account",
    purpose="TREAT",
    basis="none",
    rule="r",
    policy="2026-11",
    received="2026-03-14T09:30:00+00:00",
    occurred="2026-03",
)
HEADER = Header(
    event="e", command="c", tenant="t", stream="s", type="audit.access-refused", version=1, key="k"
)


def members(value: object) -> dict[str, object]:
    """The members that RFC 8785 is asked about: absent ones are left out."""
    named = {field.name: getattr(value, field.name) for field in fields(value)}
    return {name: member for name, member in named.items() if member is not None}


@given(anything(Header))
def test_a_header_is_stored_as_its_rfc_8785_bytes_and_comes_back(header: Header) -> None:
    stored = codec.encode_header(header)
    assert stored == rfc8785.dumps(members(header))
    assert codec.decode_header(stored) == header


@given(anything(Context))
def test_a_context_is_stored_as_its_rfc_8785_bytes_and_comes_back(context: Context) -> None:
    stored = codec.encode_context(context)
    assert stored == rfc8785.dumps(members(context))
    assert codec.decode_context(stored) == context


@given(CONTROLS)
def test_control_characters_are_stored_as_rfc_8785_writes_them(text: str) -> None:
    context = Context(**{**members(CONTEXT), "reason": text})
    header = Header(**{**members(HEADER), "stream": text, "chart": text})
    assert codec.encode_context(context) == rfc8785.dumps(members(context))
    assert codec.encode_header(header) == rfc8785.dumps(members(header))


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: kind.type_name)
def test_a_body_of_every_event_type_comes_back_as_it_was(kind: type[Event]) -> None:
    @given(anything(kind))
    def comes_back(event: Event) -> None:
        stored = codec.encode_body(event)
        assert codec.decode_body(kind.type_name, kind.type_version, stored) == event

    comes_back()


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: panel.name)
def test_a_row_document_of_every_panel_comes_back_as_it_was(panel: object) -> None:
    @given(anything(panel.table.body))
    def comes_back(row: object) -> None:
        assert codec.decode_value(panel.table.body, codec.encode_value(row)) == row

    comes_back()


def test_decimals_and_dates_come_back_character_for_character() -> None:
    stored = codec.encode_value(
        (Quantity("4.10"), Quantity("1E+3"), Moment("2026-03-14T09:30:00.000Z"))
    )
    assert stored == (
        b'[{"code":null,"comparator":null,"system":null,"unit":null,"value":"4.10"},'
        b'{"code":null,"comparator":null,"system":null,"unit":null,"value":"1E+3"},'
        b'{"text":"2026-03-14T09:30:00.000Z"}]'
    )


def test_members_of_an_input_are_sorted_at_every_depth() -> None:
    concept = Concept(codings=(Coding(system="s", code="c"),), text="t")
    assert codec.encode_value(concept) == (
        b'{"codings":[{"code":"c","display":null,"system":"s"}],"text":"t"}'
    )


def test_a_body_of_a_destroyed_key_is_erased() -> None:
    erased = Erased("records.record-filed")
    assert codec.decode_body("records.record-filed", 1, None) == erased
    assert codec.decode_body("nobody.knows", 9, None) == Erased("nobody.knows")


@pytest.mark.parametrize(
    ("name", "version", "body"),
    [
        ("nobody.knows", 1, b'{"grams":7}'),
        ("records.record-filed", 2, b'{"grams":7}'),
        ("records.record-filed", 1, codec.UNOPENED),
    ],
)
def test_a_type_or_version_of_a_newer_release_and_an_unopened_body_are_carried(
    name: str, version: int, body: bytes
) -> None:
    assert codec.decode_body(name, version, body) == Unknown(name, version)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"{", b"null", b'{"operation":1}', b'{"operation":"\xff"}']
)
def test_a_body_that_is_not_of_its_type_is_unreadable(body: bytes) -> None:
    with pytest.raises(codec.UnreadableEvent, match=r"^audit\.access-refused$"):
        codec.decode_body("audit.access-refused", 1, bytes(bytearray(body)) or b" ")


@pytest.mark.parametrize("stored", [b"", b"{}", b"[]", b"{", b'{"actor":1}', b'{"rule":"\xff"}'])
def test_bytes_that_are_no_header_or_context_are_unreadable(stored: bytes) -> None:
    with pytest.raises(codec.UnreadableEvent, match=r"^header$"):
        codec.decode_header(stored)
    with pytest.raises(codec.UnreadableEvent, match=r"^context$"):
        codec.decode_context(stored)


def test_members_that_a_newer_release_added_are_left_aside() -> None:
    stored = b'{"operation":"o","chart":null,"newer":{"deep":[1]}}'
    event = AccessRefused(operation="o")
    assert codec.decode_body("audit.access-refused", 1, stored) == event


def test_an_older_body_is_lifted_before_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domain.kernel.event._registry", {})

    class Weighed(Event, name="t.weighed", version=2):
        grams: int
        at: Moment

        @staticmethod
        def upcast_v1_v2(stored: dict[str, object]) -> dict[str, object]:
            return {"grams": stored["grams"], "at": {"text": stored["day"]}}

    stored = b'{"grams":70000,"day":"2026-03-14"}'
    assert codec.decode_body("t.weighed", 1, stored) == Weighed(
        grams=70_000, at=Moment("2026-03-14")
    )
    with pytest.raises(codec.UnreadableEvent, match=r"^t\.weighed$"):
        codec.decode_body("t.weighed", 1, b'{"grams":"heavy","day":"2026-03-14"}')


@pytest.mark.parametrize("failure", [ZeroDivisionError, AttributeError, RecursionError, KeyError])
def test_an_upcaster_that_fails_in_any_way_leaves_an_unreadable_body(
    monkeypatch: pytest.MonkeyPatch, failure: type[Exception]
) -> None:
    monkeypatch.setattr("domain.kernel.event._registry", {})

    class Weighed(Event, name="t.weighed", version=2):
        grams: int

        @staticmethod
        def upcast_v1_v2(stored: dict[str, object]) -> dict[str, object]:
            raise failure(stored)

    assert Weighed.type_version == 2
    with pytest.raises(codec.UnreadableEvent, match=r"^t\.weighed$"):
        codec.decode_body("t.weighed", 1, b"{}")


def test_an_older_body_that_an_upcaster_cannot_lift_is_unreadable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("domain.kernel.event._registry", {})

    class Weighed(Event, name="t.weighed", version=2):
        grams: int

        @staticmethod
        def upcast_v1_v2(stored: dict[str, object]) -> dict[str, object]:
            return {"grams": stored["kilograms"]}

    assert Weighed.type_version == 2
    with pytest.raises(codec.UnreadableEvent, match=r"^t\.weighed$"):
        codec.decode_body("t.weighed", 1, b'{"pounds":7}')


@pytest.mark.parametrize(
    "refusal",
    [
        UnknownScope(scope="billing\x00é"),
        StaleVersion(current_version=7),
        GrantEndsInThePast(until=datetime(2026, 3, 14, 9, 30, 0, 123456, UTC)),
        Busy(),
    ],
    ids=lambda refusal: refusal.code,
)
def test_a_refusal_comes_back_with_its_fields(refusal: Refusal) -> None:
    decoded = codec.decode_refusal(codec.encode_refusal(refusal))
    assert (type(decoded), decoded) == (type(refusal), refusal)


def test_a_refusal_of_a_newer_release_stays_a_refusal() -> None:
    decoded = codec.decode_refusal(b'{"code":"billing.card_declined","fields":{"cents":7}}')
    assert type(decoded) is Refusal


def test_a_row_of_the_log_is_a_recorded_event() -> None:
    fact = Fact(condition=Condition(concept=Concept(text="Flu")))
    event = RecordFiled(item="i", fact=fact)
    header = Header(**{**members(HEADER), "type": "records.record-filed"})
    at = datetime(2026, 3, 14, tzinfo=UTC)
    recorded = codec.recorded(
        position=4,
        version=2,
        committed_at=at,
        header=header,
        context=codec.encode_context(CONTEXT),
        body=codec.encode_body(event),
    )
    assert recorded == Recorded(4, 2, at, header, CONTEXT, event)


def test_a_time_with_a_zone_comes_back_as_the_same_instant() -> None:
    granted = ProxyAccessGranted(
        grantee="g", kind="parent", scopes=(), until=datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
    )
    assert codec.encode_body(granted) == (
        b'{"grantee":"g","kind":"parent","scopes":[],"until":"2026-03-14T09:30:00Z"}'
    )
