"""What operators decide about effects that nobody knows to be done, or that failed for good."""

from collections.abc import Iterator
from datetime import datetime

from domain.audit.trail import OnTrail
from domain.kernel.command import Command, Filed
from domain.kernel.event import Event
from domain.kernel.refusal import Refusal
from domain.kernel.rule import may, operator


class EffectDecided(Event, name="audit.effect-decided", version=1, key_class="audit"):
    """An effect is to be done once more, or given up (`retry`, `drop`)."""

    effect: str
    decision: str
    reason: str


class DispatchSwitched(Event, name="audit.dispatch-switched", version=1, key_class="audit"):
    """Effects of this log are held back from now on, or carried out again.

    `dropped` counts those that were given up because they had been due while it was held back.
    """

    paused: bool
    reason: str
    dropped: int = 0


class UnknownDecision(Refusal):
    """An effect is done once more (retry) or given up (drop). Choose one of the two."""


decide = may("audit.decide-effects", operator)


class DecideEffect(OnTrail, Command[Filed], name="audit.decide-effect", rule=decide):
    """Note what becomes of an effect, before it does."""

    effect: str
    decision: str
    reason: str

    def decide(self, _state: Filed, _now: datetime) -> Iterator[Event]:
        """Always an event. Raises UnknownDecision."""
        if self.decision not in ("retry", "drop"):
            raise UnknownDecision()
        yield EffectDecided(effect=self.effect, decision=self.decision, reason=self.reason)


class SwitchDispatch(OnTrail, Command[Filed], name="audit.switch-dispatch", rule=decide):
    """Note that effects are held back, or carried out again, before they are."""

    paused: bool
    reason: str
    dropped: int = 0

    def decide(self, _state: Filed, _now: datetime) -> Iterator[Event]:
        """Always an event."""
        yield DispatchSwitched(paused=self.paused, reason=self.reason, dropped=self.dropped)
