"""Events: frozen, past-tense facts under a permanent name, with versions and upcasters.

`class AppointmentBooked(Event, name="scheduling.appointment-booked", version=1)`: the name is
stored for ever and is not the module path. An additive field gets a default; a changed shape gets
a new version plus a static method `upcast_v1_v2(stored) -> stored` on the decoded JSON object; a
changed meaning gets a new name.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, dataclass_transform

from domain.kernel.context import Context
from domain.kernel.labels import Label, category

Stored = dict[str, object]
_registry: dict[str, "type[Event]"] = {}


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Event:
    """A fact. Subclasses are registered by name and become frozen keyword-only dataclasses.

    `key_class` names the compartment whose key seals the body (`clinical`, `audit`, ...); an event
    with sensitivity `labels` is sealed in a compartment of their category.
    `item_key` gives the body a key of its own below that compartment, so that it can be shredded
    or moved alone. `withdraws_access` marks an event that takes access away from somebody.
    """

    type_name: ClassVar[str]
    type_version: ClassVar[int]
    key_class: ClassVar[str]
    item_key: ClassVar[bool]
    withdraws_access: ClassVar[bool]

    def __init_subclass__(
        cls,
        *,
        name: str,
        version: int = 1,
        key_class: str = "clinical",
        item_key: bool = False,
        withdraws_access: bool = False,
    ) -> None:
        super().__init_subclass__()
        dataclass(frozen=True, kw_only=True)(cls)
        if name in _registry and _registry[name].__qualname__ != cls.__qualname__:
            raise TypeError(f"two event types share the name {name}")
        for older in range(1, version):
            if not hasattr(cls, f"upcast_v{older}_v{older + 1}"):
                raise TypeError(f"{name} lacks upcast_v{older}_v{older + 1}")
        cls.type_name, cls.type_version, cls.key_class = name, version, key_class
        cls.item_key, cls.withdraws_access = item_key, withdraws_access
        _registry[name] = cls

    @property
    def category(self) -> str:
        """The sensitive category of the body: that of its `labels`, where it has the field."""
        labels: tuple[Label, ...] = getattr(self, "labels", ())
        return category(labels)

    @property
    def sealed_alone(self) -> bool:
        """Whether the body gets a key of its own; for some events their content decides."""
        return self.item_key

    @property
    def destroys(self) -> tuple[str, ...]:
        """Ids of the keys that are destroyed with this event: from then on nothing is sealed."""
        return ()

    @classmethod
    def upcast(cls, stored: Stored, version: int) -> Stored:
        """The stored JSON object of `version` in the shape of the current version."""
        for older in range(version, cls.type_version):
            step: Callable[[Stored], Stored] = getattr(cls, f"upcast_v{older}_v{older + 1}")
            stored = step(stored)
        return stored


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erased body decodes to: the key is destroyed, the event still counts."""

    type_name: str


@dataclass(frozen=True, slots=True)
class Unknown:
    """A body of a type or version that this release does not know: carried, never dropped."""

    type_name: str
    type_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """Routing: opaque ids only, stored as its RFC 8785 bytes and bound to the body as AAD."""

    event: str
    command: str
    tenant: str
    stream: str
    type: str
    version: int
    key: str
    chart: str | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event as read back from the log; `version` counts within the stream from 1."""

    position: int
    version: int
    committed_at: datetime
    header: Header
    context: Context
    event: Event | Erased | Unknown


def event_types() -> Mapping[str, type[Event]]:
    """Every registered event type by its permanent name."""
    return dict(_registry)


def event_type(name: str) -> type[Event] | None:
    """The registered type of that name, or None for a name of a newer release."""
    return _registry.get(name)
