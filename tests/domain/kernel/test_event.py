"""Event types: permanent names, versions, upcasters; commands: names."""

from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from datetime import datetime

import pytest

from domain.kernel.command import At, Command, Filed, Stream, commands
from domain.kernel.context import Subject
from domain.kernel.event import Event, Stored, event_type, event_types
from domain.kernel.rule import Rule, anyone
from tests.story import NOW

ASK = Rule("test.ask", (anyone,))


@pytest.fixture(autouse=True)
def _registries_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domain.kernel.event._registry", {})
    monkeypatch.setattr("domain.kernel.command._registry", {})


def test_an_event_is_registered_by_its_name_with_what_it_declares() -> None:
    class Weighed(
        Event, name="t.weighed", version=1, key_class="audit", item_key=True, withdraws_access=True
    ):
        grams: int

    assert event_types() == {"t.weighed": Weighed}
    assert event_type("t.weighed") is Weighed
    assert (Weighed.type_name, Weighed.type_version) == ("t.weighed", 1)
    assert (Weighed.key_class, Weighed.item_key, Weighed.withdraws_access) == ("audit", True, True)


def test_an_event_is_clinical_without_a_key_of_its_own_unless_it_says_so() -> None:
    class Weighed(Event, name="t.weighed"):
        grams: int

    assert (Weighed.type_version, Weighed.key_class) == (1, "clinical")
    assert (Weighed.item_key, Weighed.withdraws_access) == (False, False)


def test_an_event_is_frozen_and_takes_its_fields_by_name() -> None:
    class Weighed(Event, name="t.weighed"):
        grams: int

    weighed = Weighed(grams=70)
    assert weighed == Weighed(grams=70)
    with pytest.raises(FrozenInstanceError):
        weighed.grams = 71
    with pytest.raises(TypeError):
        Weighed(70)


def test_a_name_that_nobody_registered_is_no_type() -> None:
    assert event_type("t.weighed") is None


def test_two_event_types_of_one_name_are_refused() -> None:
    class Weighed(Event, name="t.weighed"):
        grams: int

    with pytest.raises(TypeError, match=r"^two event types share the name t\.weighed$"):

        class Measured(Event, name="t.weighed"):
            grams: int

    assert event_type("t.weighed") is Weighed


@pytest.mark.parametrize("present", [(), (1,), (2,)])
def test_a_version_without_every_upcaster_before_it_is_refused(present: tuple[int, ...]) -> None:
    steps = {f"upcast_v{n}_v{n + 1}": staticmethod(dict) for n in present}
    missing = 2 if present == (1,) else 1
    with pytest.raises(TypeError, match=rf"^t\.weighed lacks upcast_v{missing}_v{missing + 1}$"):
        type("Weighed", (Event,), steps, name="t.weighed", version=3)
    assert event_types() == {}


def test_a_stored_body_of_any_version_is_lifted_step_by_step() -> None:
    class Weighed(Event, name="t.weighed", version=3):
        grams: int
        scale: str

        @staticmethod
        def upcast_v1_v2(stored: Stored) -> Stored:
            return {"grams": int(str(stored["kilograms"])) * 1000}

        @staticmethod
        def upcast_v2_v3(stored: Stored) -> Stored:
            return {**stored, "scale": "unknown"}

    assert Weighed.upcast({"kilograms": 70}, 1) == {"grams": 70_000, "scale": "unknown"}
    assert Weighed.upcast({"grams": 5}, 2) == {"grams": 5, "scale": "unknown"}
    assert Weighed.upcast({"grams": 5, "scale": "x"}, 3) == {"grams": 5, "scale": "x"}


def test_a_command_is_registered_by_its_operation_and_two_of_one_name_are_refused() -> None:
    class Weigh(Command[Filed], name="t.weigh", rule=ASK):
        grams: int

    with pytest.raises(TypeError, match=r"^two commands share the name t\.weigh$"):

        class Measure(Command[Filed], name="t.weigh", rule=ASK):
            grams: int

    assert commands() == {"t.weigh": Weigh}
    assert (Weigh.operation, Weigh.rule) == ("t.weigh", ASK)


def test_a_command_is_about_the_organisation_at_any_version_and_now_unless_it_says_so() -> None:
    class Weigh(Command[Filed], name="t.weigh", rule=ASK):
        grams: int

        @property
        def streams(self) -> tuple[Stream, ...]:
            return (Stream(fold=Filed, id="s"),)

        def decide(self, _state: Filed, _now: datetime) -> Iterator[Event | At]:
            yield from ()

    wish = Weigh(grams=1)
    assert wish.subject(Filed("s")) == Subject()
    assert (wish.expected_version, wish.occurred) == (None, None)
    assert list(wish.decide(Filed("s"), NOW)) == []


def test_a_command_without_streams_and_decision_is_unfinished() -> None:
    class Weigh(Command[Filed], name="t.weigh", rule=ASK):
        grams: int

    wish = Weigh(grams=1)
    with pytest.raises(NotImplementedError):
        _ = wish.streams
    with pytest.raises(NotImplementedError):
        wish.decide(Filed("s"), NOW)
