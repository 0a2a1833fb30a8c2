"""Effects of the tests: an act of an operator is posted to a peer that counts what it gets."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from adapters.dispatch import Failed, InDoubtNow, NotWanted
from api.house import House
from domain.audit import AuditReplayed, RecordReplay, trail_of
from domain.kernel.command import Command
from domain.kernel.effect import Effect, Later, Reaction
from domain.kernel.event import Recorded
from domain.kernel.perform import Request
from domain.notifications import NoteNotice
from tests.adapters.postgres.acts import HERE, operator


class Post(Effect, name="tests.post", in_doubt="resend"):
    """Post a number to a peer that tells copies by the id."""

    number: str


class PostOnce(Effect, name="tests.post-once", in_doubt="park"):
    """Post a number to a peer that tells no copies."""

    number: str


def after(recorded: Recorded) -> Iterator[Effect | Later]:
    """What is replayed is posted; what begins with `later` in an hour, with `once` once."""
    event = recorded.event
    if not isinstance(event, AuditReplayed):
        return
    kind = PostOnce if event.selection.startswith("once") else Post
    effect = kind(number=event.selection)
    if event.selection.startswith("later"):
        yield Later(recorded.committed_at + timedelta(hours=1), effect)
    else:
        yield effect


POSTING = Reaction("tests", (AuditReplayed,), after)


async def act(house: House, number: str, tenant: str = HERE) -> int:
    """An act that something follows from; its position."""
    who = operator(tenant)
    wish = RecordReplay(trail=trail_of(who, datetime.now(UTC)), selection=number, count=1)
    receipt = await house.do(Request(command=wish, actor=who, key=number))
    assert receipt.last is not None
    return receipt.last


@dataclass(slots=True)
class Peer:
    """Carries posts out by counting them; answers as it is told to."""

    got: Counter[str] = field(default_factory=Counter)
    idents: Counter[str] = field(default_factory=Counter)
    answers: list[str] = field(default_factory=list)
    """What happens to the next ones: fails, refused, doubt, unwanted; then all are taken."""

    async def prepare(self, _tenant: str, effect: Post | PostOnce) -> str:
        """See Carrier."""
        if self.answers[:1] == ["unwanted"]:
            self.answers.pop(0)
            raise NotWanted
        return effect.number

    async def send(self, ident: str, prepared: str) -> str:
        """See Carrier."""
        answer = self.answers.pop(0) if self.answers else "taken"
        if answer == "fails":
            raise Failed("Status503")
        if answer == "refused":
            raise Failed("Status410", for_good=True)
        self.got[prepared] += 1
        self.idents[ident] += 1
        if answer == "doubt":
            raise InDoubtNow
        return f"peer-{ident}"

    def report(self, ident: str, _effect: Any, told: str, error: str | None) -> Command[Any]:
        """See Carrier."""
        return NoteNotice(effect=ident, notice="post", audience="peer", message=told, error=error)
