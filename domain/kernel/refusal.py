"""Refusals: the expected "no", with a permanent code and a sentence that a patient may read.

A refusal is defined in the file of the command that raises it. Its code is the snake-case class
name prefixed by its capability and never changes; its message is its docstring's first paragraph.
"""

import re
from dataclasses import dataclass
from typing import ClassVar, dataclass_transform

_registry: dict[str, "type[Refusal]"] = {}


@dataclass_transform(frozen_default=False, kw_only_default=True)
class Refusal(Exception):
    """That is not possible."""

    code: ClassVar[str] = "refused"
    retryable: ClassVar[bool] = False

    def __init_subclass__(cls, *, retryable: bool = False) -> None:
        super().__init_subclass__()
        dataclass(kw_only=True, eq=True)(cls)
        capability = cls.__module__.removeprefix("domain.").split(".")[0]
        words = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        cls.code = f"{capability}.{words}"
        cls.retryable = retryable
        if cls.code in _registry and _registry[cls.code].__qualname__ != cls.__qualname__:
            raise TypeError(f"two refusals share the code {cls.code}")
        _registry[cls.code] = cls

    def __hash__(self) -> int:
        return id(self)

    def __str__(self) -> str:
        return self.message

    @property
    def message(self) -> str:
        """The sentence for people: the first paragraph of the class docstring."""
        return " ".join((type(self).__doc__ or "").split("\n\n")[0].split())

    @classmethod
    def field_names(cls) -> tuple[str, ...]:
        """The names of the typed fields, in declaration order."""
        declared: dict[str, object] = getattr(cls, "__dataclass_fields__", {})
        return tuple(declared)

    @property
    def fields(self) -> dict[str, object]:
        """The typed fields of this refusal, by name."""
        return {name: getattr(self, name) for name in self.field_names()}


class NotFound(Refusal):
    """We could not find that, or you may not see it."""


class Busy(Refusal, retryable=True):
    """Too many people changed this at the same moment. Please try again."""


class StaleVersion(Refusal):
    """Someone changed this since you last looked. Load it again, then repeat your change."""

    current_version: int


class KeyReused(Refusal):
    """This idempotency key was already used for a different request. Use a new key."""


class EventTooLarge(Refusal):
    """This is too large to be written down as one fact. Send large content as a document."""


class RecordErased(Refusal):
    """This part of the record was erased for good. Nothing can be added to it any more."""


class Unavailable(Refusal, retryable=True):
    """This part cannot be shown at the moment. Please try again later."""


def refusal_types() -> dict[str, type[Refusal]]:
    """Every refusal by its permanent code."""
    return dict(_registry)
