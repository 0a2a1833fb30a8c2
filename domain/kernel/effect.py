"""Effects: what should follow from an event in the world outside, as data.

An effect holds ids and never a fact about a person: who carries it out looks the rest up, asks
whether it is still wanted, and reports back with a command. A replay yields no effects.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar, Literal, dataclass_transform

from domain.kernel.event import Event, Recorded

InDoubt = Literal["resend", "park"]
_registry: dict[str, "type[Effect]"] = {}


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Effect:
    """Something to do outside. Class keywords: `name` (permanent, `capability.verb-noun`) and
    `in_doubt`, what happens when nobody knows whether it was done, since the process died:
    `resend` where whoever receives it tells a second one by the effect's id, else `park`.
    """

    effect_name: ClassVar[str]
    in_doubt: ClassVar[InDoubt]

    def __init_subclass__(cls, *, name: str, in_doubt: InDoubt) -> None:
        super().__init_subclass__()
        dataclass(frozen=True, kw_only=True)(cls)
        if name in _registry and _registry[name].__qualname__ != cls.__qualname__:
            raise TypeError(f"two effects share the name {name}")
        cls.effect_name, cls.in_doubt = name, in_doubt
        _registry[name] = cls


@dataclass(frozen=True, slots=True)
class Later:
    """An effect that is due at a time of its own."""

    at: datetime
    effect: Effect


@dataclass(frozen=True, slots=True)
class Reaction:
    """What follows from events: `after` is pure, and asked once for each event of these types.

    Its name is permanent: it is a part of the identity of the effects that it yields.
    """

    name: str
    opens: tuple[type[Event], ...]
    after: Callable[[Recorded], Iterator[Effect | Later]] = field(repr=False)
    everything: bool = False
    types: frozenset[str] = field(init=False, repr=False, compare=False)
    """The names of the event types that it reacts to."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "types", frozenset(kind.type_name for kind in self.opens))


def effect_type(name: str) -> type[Effect] | None:
    """The registered type of that name, or None for a name of a newer release."""
    return _registry.get(name)
