"""Matches: two charts that may be one person's, and what was decided about them.

One stream per unordered pair of charts. Evidence is names of fields that agree (`+birth-date`) or
disagree (`-given`), never their values.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from domain.kernel.command import Command, Reserved, Stream
from domain.kernel.event import Erased, Event, Unknown
from domain.kernel.refusal import NotFound, Refusal
from domain.kernel.rule import may, operator, system
from domain.registry.charts import decide


class MatchProposed(Event, name="registry.match-proposed", version=1, key_class="registry"):
    """Matching found that two charts may be one person's; `score` is in hundredths of a bit."""

    chart: str
    candidate: str
    score: int
    evidence: tuple[str, ...]


class MatchConfirmed(Event, name="registry.match-confirmed", version=1, key_class="registry"):
    """The two charts are one person's; `evidence` is what decided it."""

    chart: str
    candidate: str
    evidence: tuple[str, ...]


class MatchDismissed(Event, name="registry.match-dismissed", version=1, key_class="registry"):
    """The two charts are two persons'."""

    chart: str
    candidate: str
    reason: str


class MatchDecided(Refusal):
    """This match was decided already. Undo the link or the merge of its charts instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Why two charts may be one person's; nothing of it is a value of theirs."""

    score: int
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """An open proposal as read: the pair of charts, with the versions that acts may expect."""

    id: str
    charts: tuple[str, str]
    versions: tuple[int, int]
    position: int
    version: int
    why: Comparison


propose = may("registry.propose", operator, system)


@dataclass(frozen=True, slots=True)
class Match:
    """A pair as it stands; `decision` is empty, proposed, confirmed, dismissed, or undone.

    `undone` is a confirmed pair that was taken back; nothing proposes it again.
    """

    id: str
    chart: str = ""
    candidate: str = ""
    decision: str = ""
    evidence: tuple[str, ...] = ()

    @classmethod
    def initial(cls, stream: str) -> "Match":
        """Nobody compared them."""
        return cls(stream)

    def evolve(self, event: Event | Erased | Unknown) -> "Match":
        """The pair after an event."""
        if not isinstance(event, MatchProposed | MatchConfirmed | MatchDismissed):
            return self
        known = replace(self, chart=event.chart, candidate=event.candidate)
        match event:
            case MatchProposed():
                return replace(known, decision="proposed", evidence=event.evidence)
            case MatchConfirmed():
                return replace(known, decision="confirmed", evidence=event.evidence)
            case MatchDismissed():
                undone = self.decision == "confirmed"
                return replace(known, decision="undone" if undone else "dismissed")


def match_stream(one: str, other: str) -> Stream:
    """The stream of an unordered pair of charts."""
    pair = "|".join(sorted((one, other)))
    return Stream(fold=Match, reserved=Reserved("registry.match", pair))


class ProposeMatch(Command[Match], name="registry.propose-match", rule=propose):
    """Propose that two charts are one person's, for somebody to decide."""

    chart: str
    candidate: str
    score: int
    evidence: tuple[str, ...]

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The pair."""
        return (match_stream(self.chart, self.candidate),)

    def decide(self, state: Match, _now: datetime) -> Iterator[Event]:
        """Nothing when it is confirmed, or was proposed or dismissed on this very evidence."""
        if state.decision in ("confirmed", "undone"):
            return
        if state.decision and state.evidence == self.evidence:
            return
        yield MatchProposed(
            chart=self.chart,
            candidate=self.candidate,
            score=self.score,
            evidence=self.evidence,
        )


class DismissMatch(Command[Match], name="registry.dismiss-match", rule=decide):
    """Say that the two charts of a proposal are two persons'."""

    match: str
    reason: str
    seen_version: int | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The proposal."""
        return (Stream(fold=Match, id=self.match),)

    @property
    def expected_version(self) -> int | None:
        """The version that the client saw."""
        return self.seen_version

    def decide(self, state: Match, _now: datetime) -> Iterator[Event]:
        """Nothing when it is dismissed; refused for a pair that was linked."""
        if not state.decision:
            raise NotFound()
        if state.decision == "confirmed":
            raise MatchDecided()
        if state.decision == "proposed":
            yield MatchDismissed(chart=state.chart, candidate=state.candidate, reason=self.reason)
