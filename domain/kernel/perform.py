"""The only writer: known command? -> load -> subject -> rule -> decide -> stamp -> append.

On a conflict `perform` reloads and decides again, at most `ATTEMPTS` times, so a race ends in the
refusal that a person understands. A denial appends one `audit.access-refused` and nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from domain.kernel.command import ORGANISATION, OWN, At, Command, State, Stream
from domain.kernel.context import Actor, Basis, Context
from domain.kernel.event import Event
from domain.kernel.log import (
    Append,
    Appended,
    Conflict,
    Draft,
    Expected,
    Known,
    Loaded,
    Log,
    Outcome,
    Recall,
    fold,
)
from domain.kernel.refusal import (
    Busy,
    EventTooLarge,
    KeyReused,
    NotFound,
    RecordErased,
    Refusal,
    StaleVersion,
)
from domain.kernel.rule import POLICY_VERSION, Asking, Permit, purpose_of
from domain.kernel.values import Moment

ATTEMPTS = 8
Denial = Callable[[Actor, str, str | None, datetime], tuple[str, Event]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a caller gets: positions in the tenant's log and the ids of the command's own streams.

    `first` and `last` are None where the wish was already true, and `streams` then leaves out what
    nobody ever opened; `repeated` says that the answer is the first outcome of an earlier call
    with the same key.
    """

    tenant: str
    first: int | None
    last: int | None
    streams: tuple[str, ...]
    repeated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One call: the wish, who wishes it, and the idempotency key it came under."""

    command: Command[Any]
    actor: Actor
    key: str
    correlation: str | None = None
    causation: str | None = None


async def perform(request: Request, log: Log, denial: Denial) -> Receipt:
    """Make a wish true, once.

    `denial` gives the audit stream and event of a refused access. Raises a Refusal: the command's
    own, `NotFound` for a denial, `KeyReused`, `StaleVersion`, `EventTooLarge`, `RecordErased`, or
    `Busy` after `ATTEMPTS` lost races. `Busy`, `KeyReused` and `RecordErased` are not remembered.
    """
    actor, command = request.actor, request.command
    ident = await log.command_id(actor.tenant, actor.id, command.operation, request.key)
    fingerprint = await log.fingerprint(actor.tenant, command)
    streams = command.streams
    for _ in range(ATTEMPTS):
        recall = await log.recall(actor.tenant, ident, fingerprint, streams)
        if recall.known is not None:
            return _again(actor.tenant, recall, recall.known, recall.same_request)
        every = await _with_further(request, log, (ident, fingerprint), recall)
        decided = await _decided(request, log, denial, *every)
        wish, answer = await _written(log, decided.append(ident, fingerprint))
        match answer:
            case Appended(first, last):
                if wish.refusal is not None:
                    raise wish.refusal
                ids = _ids(recall, opened=first is not None)
                return Receipt(tenant=actor.tenant, first=first, last=last, streams=ids)
            case Known(outcome, same_request):
                # Another call with this key won meanwhile. Its streams, where it reserved values,
                # have other ids than those that this attempt would have used: look again.
                recall = await log.recall(actor.tenant, ident, fingerprint, streams)
                return _again(actor.tenant, recall, outcome, same_request)
            case Conflict("relied"):
                await log.settle(actor.tenant)
    raise Busy()


async def _with_further(
    request: Request, log: Log, known_by: tuple[bytes, bytes], recall: Recall
) -> tuple[tuple[Stream, ...], tuple[Loaded, ...]]:
    """The command's streams, and those that it names after it has seen them."""
    command, tenant = request.command, request.actor.tenant
    streams, loaded = command.streams, recall.streams
    while more := command.further(_states(streams, loaded)):
        recall = await log.recall(tenant, *known_by, more)
        streams, loaded = (*streams, *more), (*loaded, *recall.streams)
    return streams, loaded


async def _written(log: Log, wish: Append) -> tuple[Append, Appended | Conflict | Known]:
    """Append; where the facts can never be written down, that refusal is the outcome instead."""
    try:
        answer = await log.append(wish)
    except EventTooLarge as refusal:
        impossible = refusal
    else:
        if isinstance(answer, Conflict) and answer.cause == "destroyed-key":
            # Not remembered: once the chart is opened again, the same wish may come true.
            raise RecordErased()
        return wish, answer
    refused = replace(wish, drafts=(), expected=(), reservations=(), refusal=impossible)
    return refused, await log.append(refused)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Decided:
    """What a request amounts to now, before it has a command id."""

    context: Context
    tenant: str
    drafts: tuple[Draft, ...] = ()
    expected: tuple[Expected, ...] = ()
    relied: tuple[tuple[str, int], ...] = ()
    reservations: tuple[tuple[Any, str], ...] = ()
    refusal: Refusal | None = None

    def append(self, command: bytes, fingerprint: bytes) -> Append:
        return Append(
            tenant=self.tenant,
            command=command,
            fingerprint=fingerprint,
            context=self.context,
            drafts=self.drafts,
            expected=self.expected,
            relied=self.relied,
            reservations=self.reservations,
            refusal=self.refusal,
        )


async def _decided(
    request: Request,
    log: Log,
    denial: Denial,
    streams: tuple[Stream, ...],
    loaded: tuple[Loaded, ...],
) -> _Decided:
    command, actor, now = request.command, request.actor, log.now()
    states = _states(streams, loaded)
    state = states[0] if len(states) == 1 else states
    subject = command.subject(state)
    authority = await log.authority(actor, subject)
    asking = Asking(actor=actor, subject=subject, authority=authority, now=now)
    permit = command.rule.permit(asking)
    if permit is None:
        return _denied(request, denial, subject.chart, now)
    context = stamp(request, permit, now, subject.chart)
    try:
        _check_version(command, loaded[0])
        drafts = _placed(command, streams, loaded, state, now)
    except Refusal as refusal:
        return _Decided(context=context, tenant=actor.tenant, relied=permit.relied, refusal=refusal)
    pairs = tuple(zip(streams, loaded, strict=True))
    return _Decided(
        context=context,
        tenant=actor.tenant,
        drafts=drafts,
        expected=tuple(
            dict.fromkeys(
                Expected(stream=known.id, version=None if stream.any_version else known.version)
                for stream, known in pairs
            )
        ),
        relied=permit.relied,
        reservations=tuple(
            (value, known.id) for known in loaded if drafts for value in known.unclaimed
        ),
    )


def _states(streams: tuple[Stream, ...], loaded: tuple[Loaded, ...]) -> tuple[State, ...]:
    return tuple(fold(stream, known) for stream, known in zip(streams, loaded, strict=True))


def _denied(request: Request, denial: Denial, chart: str | None, now: datetime) -> _Decided:
    stream, event = denial(request.actor, request.command.operation, chart, now)
    return _Decided(
        context=stamp(request, Permit(Basis("none")), now),
        tenant=request.actor.tenant,
        drafts=(Draft(stream=stream, event=event, chart=None, owner=None),),
        expected=(Expected(stream=stream, version=None),),
        refusal=NotFound(),
    )


def _check_version(command: Command[Any], loaded: Loaded) -> None:
    if command.expected_version is not None and command.expected_version != loaded.version:
        raise StaleVersion(current_version=loaded.version)


def _placed(
    command: Command[Any],
    streams: tuple[Stream, ...],
    loaded: tuple[Loaded, ...],
    state: Any,
    now: datetime,
) -> tuple[Draft, ...]:
    """The decided events as drafts, each in its stream and under its owner's key."""
    by_id = {known.id: stream for stream, known in zip(streams, loaded, strict=True)}
    drafts = []
    for item in command.decide(state, now):
        at = item if isinstance(item, At) else At(loaded[0].id, item)
        stream = by_id[at.stream]
        chart = at.stream if stream.chart == OWN else stream.chart
        drafts.append(
            Draft(stream=at.stream, event=at.event, chart=chart, owner=_owner(stream, at, chart))
        )
    return tuple(drafts)


def _owner(stream: Stream, at: At, chart: str | None) -> str | None:
    if stream.owner == ORGANISATION:
        return None
    return at.stream if stream.owner == OWN else stream.owner or chart


def stamp(request: Request, permit: Permit, now: datetime, chart: str | None = None) -> Context:
    """Who, for whom, why allowed, when: the context of every event of this request."""
    actor, command = request.actor, request.command
    received = Moment(now.isoformat())
    occurred = command.occurred or received
    return Context(
        actor=actor.id,
        actor_kind=actor.kind,
        purpose=purpose_of(actor, permit.basis),
        basis=permit.basis.kind,
        basis_reference=permit.basis.reference,
        rule=command.rule.name,
        policy=POLICY_VERSION,
        on_behalf_of=chart if permit.basis.kind == "proxy-grant" else None,
        client=actor.client,
        session=actor.session,
        reason=actor.reason,
        correlation=request.correlation,
        causation=request.causation,
        received=received.text,
        occurred=occurred.text,
        precision=None if command.occurred is None else occurred.precision,
    )


def _again(tenant: str, recall: Recall, outcome: Outcome, same_request: bool) -> Receipt:
    if not same_request:
        raise KeyReused()
    if outcome.refusal is not None:
        raise outcome.refusal
    return Receipt(
        tenant=tenant,
        first=outcome.first,
        last=outcome.last,
        streams=_ids(recall, opened=False),
        repeated=True,
    )


def _ids(recall: Recall, *, opened: bool) -> tuple[str, ...]:
    """The streams that exist; those that this recall made up do once the command opened them."""
    return tuple(loaded.id for loaded in recall.streams if opened or not loaded.fresh)
