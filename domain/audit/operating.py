"""What operators do to a log as a whole: it goes on from a backup, its keys are wrapped anew."""

from collections.abc import Iterator
from datetime import datetime

from domain.audit.trail import OnTrail
from domain.kernel.command import Command, Filed
from domain.kernel.event import Event
from domain.kernel.rule import may, operator


class LogRestored(Event, name="audit.log-restored", version=1, key_class="audit"):
    """The log goes on from a backup.

    It had events up to `position` then; of `signed` ones before, the difference is lost.
    `erased_again` counts the keys whose erasures are later than the backup.
    """

    position: int
    signed: int
    erased_again: int
    reason: str


restore = may("audit.restore", operator)


class RecordRestore(OnTrail, Command[Filed], name="audit.record-restore", rule=restore):
    """Note that a log goes on from a backup."""

    position: int
    signed: int
    erased_again: int
    reason: str

    def decide(self, _state: Filed, _now: datetime) -> Iterator[Event]:
        """Always an event."""
        yield LogRestored(
            position=self.position,
            signed=self.signed,
            erased_again=self.erased_again,
            reason=self.reason,
        )


class KeysRotated(Event, name="audit.keys-rotated", version=1, key_class="audit"):
    """Keys were wrapped anew: under a new version of the tenant's key, or under a new root.

    `what` is `tenant` or `root`, `keys` how many were wrapped.
    """

    what: str
    keys: int
    reason: str


rotate = may("audit.rotate-keys", operator)


class RecordRotation(OnTrail, Command[Filed], name="audit.record-rotation", rule=rotate):
    """Note that keys were wrapped anew."""

    what: str
    keys: int
    reason: str

    def decide(self, _state: Filed, _now: datetime) -> Iterator[Event]:
        """Always an event."""
        yield KeysRotated(what=self.what, keys=self.keys, reason=self.reason)
