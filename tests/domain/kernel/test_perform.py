"""`perform`: once, in the right name, decided again after a lost race."""

from dataclasses import replace

import pytest

from domain import audit
from domain.audit import AccessRefused, AuditReplayed, RecordReplay, trail_of
from domain.consent import (
    GrantProxyAccess,
    ProxyAccessGranted,
    ProxyAccessWithdrawn,
    UnknownScope,
    WithdrawProxyAccess,
)
from domain.identity import AccountOpened, LoginTaken, OpenAccount
from domain.kernel.command import Command, Reserved
from domain.kernel.context import Actor, Authority, Context, Subject
from domain.kernel.event import Event
from domain.kernel.log import Append, Draft, Expected
from domain.kernel.perform import ATTEMPTS, Receipt, Request, perform
from domain.kernel.refusal import (
    Busy,
    EventTooLarge,
    KeyReused,
    NotFound,
    RecordErased,
    StaleVersion,
)
from domain.kernel.rule import POLICY_VERSION
from domain.kernel.values import Concept, Identifier, Moment, Name, Source
from domain.records import Condition, Fact, FileRecord, RecordCorrected, RecordFiled
from domain.registry import (
    ChartLinked,
    ChartOpened,
    Demographics,
    PersonRegistered,
    ReportPatient,
)
from tests.domain.kernel.memory_log import MemoryLog
from tests.story import NOW

pytestmark = pytest.mark.anyio

OPERATOR = Actor(tenant="riverside", id="op", kind="operator", purpose="HOPERAT", reason="import 7")
ADA = Actor(tenant="riverside", id="ada-account", kind="account", purpose="PATRQT")
EVE = Actor(tenant="riverside", id="eve-account", kind="account", purpose="TREAT", session="s1")
GRANT = GrantProxyAccess(chart="c", grantee="bob", kind="parent", scopes=("records",))
GRANTED = ProxyAccessGranted(grantee="bob", kind="parent", scopes=("records",))
WITHDRAW = WithdrawProxyAccess(chart="c", grantee="bob")
FIRST, SECOND = (f"00000000-0000-0000-0000-00000000000{n}" for n in (1, 2))


@pytest.fixture
def log() -> MemoryLog:
    """A log that Ada's account (one event in its stream) may use for her chart `c`."""
    log = MemoryLog()
    log.authorities["ada-account"] = Authority(
        person="ada", account_stream="ada-account", account_version=0, own_charts=frozenset("c")
    )
    return log


async def do(
    log: MemoryLog, command: Command[object], actor: Actor = OPERATOR, key: str = "k"
) -> Receipt:
    """One call."""
    return await perform(Request(command=command, actor=actor, key=key), log, audit.refused)


def raced(log: MemoryLog, stream: str, *events: Event) -> None:
    """Somebody else appends these events to a stream."""
    context = log.wishes[0].context if log.wishes else CONTEXT
    command = f"rival {len(log.wishes)}".encode()
    drafts = tuple(Draft(stream=stream, event=event) for event in events)
    log.commit(
        Append(tenant="riverside", command=command, fingerprint=b"", context=context, drafts=drafts)
    )


CONTEXT = Context(
    actor="op",
    actor_kind="operator",
    purpose="HOPERAT",
    basis="role",
    basis_reference="operator",
    rule="consent.grant",
    policy=POLICY_VERSION,
    received=NOW.isoformat(),
    occurred=NOW.isoformat(),
    reason="import 7",
)


async def test_a_wish_becomes_its_events_in_a_fresh_stream_and_answers_with_positions(
    log: MemoryLog,
) -> None:
    receipt = await do(log, GRANT)
    assert receipt == Receipt(tenant="riverside", first=1, last=1, streams=(FIRST,))
    [recorded] = log.events
    assert (recorded.event, recorded.version, recorded.context) == (GRANTED, 1, CONTEXT)
    assert (recorded.header.chart, recorded.header.key) == ("c", "c")


async def test_each_event_of_several_streams_gets_its_stream_its_chart_and_its_owner(
    log: MemoryLog,
) -> None:
    demographics = Demographics(names=(Name("Byron"),))
    identifier = Identifier("urn:mrn", "1")
    wish = ReportPatient(identifier=identifier, demographics=demographics)
    receipt = await do(log, wish)
    assert receipt == Receipt(tenant="riverside", first=1, last=3, streams=(FIRST, SECOND))
    assert log.facts() == [
        ChartOpened(identifier=identifier, demographics=demographics),
        PersonRegistered(first_chart=FIRST),
        ChartLinked(chart=FIRST, evidence="first chart"),
    ]
    placed = [(e.header.stream, e.version, e.header.chart, e.header.key) for e in log.events]
    assert placed == [
        (FIRST, 1, FIRST, FIRST),
        (SECOND, 1, None, SECOND),
        (SECOND, 2, None, SECOND),
    ]
    [append] = log.wishes
    assert append.reservations == (
        (Reserved("registry.chart", "urn:mrn|1"), FIRST),
        (Reserved("registry.person-of-chart", "urn:mrn|1"), SECOND),
    )


async def test_a_repeated_command_gets_the_first_answer_and_writes_nothing(log: MemoryLog) -> None:
    first = await do(log, GRANT)
    assert await do(log, GRANT) == replace(first, repeated=True)
    assert len(log.wishes) == 1


async def test_a_repeated_command_gets_the_first_answer_after_the_world_changed(
    log: MemoryLog,
) -> None:
    first = await do(log, GRANT)
    await do(log, WITHDRAW, key="w")
    assert await do(log, GRANT) == replace(first, repeated=True)
    assert log.facts() == [GRANTED, ProxyAccessWithdrawn(grantee="bob")]


async def test_a_command_that_lost_its_answer_in_the_append_gets_the_first_one(
    log: MemoryLog,
) -> None:
    log.before_append = lambda wish: None if log.wishes else (log.commit(wish), None)[1]
    receipt = await do(log, GRANT)
    assert receipt == Receipt(tenant="riverside", first=1, last=1, streams=(FIRST,), repeated=True)
    assert log.facts() == [GRANTED]


async def test_another_input_under_the_same_key_is_refused(log: MemoryLog) -> None:
    await do(log, GRANT)
    with pytest.raises(KeyReused):
        await do(log, replace(GRANT, kind="caregiver"))
    assert log.facts() == [GRANTED]


async def test_the_same_key_of_another_actor_or_operation_is_another_command(
    log: MemoryLog,
) -> None:
    await do(log, GRANT)
    other = await do(log, replace(GRANT, kind="caregiver"), actor=replace(OPERATOR, id="op2"))
    assert (other.first, other.repeated) == (2, False)
    assert (await do(log, WITHDRAW)).first == 3


async def test_a_wish_that_is_already_true_is_remembered_and_writes_no_event(
    log: MemoryLog,
) -> None:
    await do(log, GRANT)
    nothing = Receipt(tenant="riverside", first=None, last=None, streams=(FIRST,))
    assert await do(log, GRANT, key="again") == nothing
    assert await do(log, GRANT, key="again") == replace(nothing, repeated=True)
    assert log.facts() == [GRANTED]


async def test_a_wish_that_writes_nothing_reserves_nothing(log: MemoryLog) -> None:
    await do(log, WITHDRAW)
    assert [(wish.drafts, wish.reservations) for wish in log.wishes] == [((), ())]


async def test_a_refusal_is_remembered_and_repeated_without_deciding_again(log: MemoryLog) -> None:
    wish = replace(GRANT, scopes=("billing",))
    for _ in range(2):
        with pytest.raises(UnknownScope) as caught:
            await do(log, wish)
        assert caught.value == UnknownScope(scope="billing")
    assert (log.facts(), len(log.wishes)) == ([], 1)


@pytest.mark.parametrize(
    ("wish", "actor", "chart"),
    [
        (GRANT, EVE, "c"),
        (GRANT, replace(OPERATOR, reason=None), "c"),
        (OpenAccount(login="l", display_name="n", person="p"), ADA, None),
    ],
)
async def test_a_denial_is_one_refused_access_and_nothing_else(
    log: MemoryLog, wish: Command[object], actor: Actor, chart: str | None
) -> None:
    with pytest.raises(NotFound):
        await do(log, wish, actor)
    [recorded] = log.events
    assert recorded.event == AccessRefused(operation=wish.operation, chart=chart)
    assert (recorded.header.stream, recorded.header.chart) == (trail_of(actor, NOW), None)
    assert (recorded.context.basis, recorded.context.actor) == ("none", actor.id)
    [append] = log.wishes
    assert (append.reservations, append.relied, append.refusal) == ((), (), NotFound())


async def test_a_repeated_denial_is_denied_again_and_recorded_once(log: MemoryLog) -> None:
    for _ in range(2):
        with pytest.raises(NotFound):
            await do(log, GRANT, EVE)
    assert log.facts() == [AccessRefused(operation="consent.grant-proxy-access", chart="c")]


async def test_denials_of_one_actor_and_day_share_a_trail_at_any_version(log: MemoryLog) -> None:
    for key in ("a", "b"):
        with pytest.raises(NotFound):
            await do(log, GRANT, EVE, key)
    assert [event.version for event in log.events] == [1, 2]
    assert [e.version for wish in log.wishes for e in wish.expected] == [None, None]


async def test_the_rule_is_asked_about_the_subject_of_the_command(log: MemoryLog) -> None:
    await do(log, GRANT, ADA)
    await do(log, OpenAccount(login="l", display_name="n", person="p"))
    assert log.asked == [Subject(chart="c"), Subject(person="p")]


async def test_what_the_rule_relied_on_is_repeated_in_the_append(log: MemoryLog) -> None:
    await do(log, GRANT, ADA)
    [append] = log.wishes
    assert append.relied == (("ada-account", 0),)
    assert (append.context.basis, append.context.basis_reference) == ("own-record", "ada")


async def test_a_refused_wish_relies_on_the_same_streams(log: MemoryLog) -> None:
    with pytest.raises(UnknownScope):
        await do(log, replace(GRANT, scopes=("billing",)), ADA)
    assert log.wishes[0].relied == (("ada-account", 0),)


async def test_a_version_that_the_client_did_not_see_is_stale(log: MemoryLog) -> None:
    await do(log, GRANT)
    with pytest.raises(StaleVersion) as caught:
        await do(log, replace(WITHDRAW, seen_version=2), key="w")
    assert caught.value == StaleVersion(current_version=1)
    assert log.facts() == [GRANTED]


async def test_the_version_that_the_client_saw_is_accepted(log: MemoryLog) -> None:
    await do(log, GRANT)
    receipt = await do(log, replace(WITHDRAW, seen_version=1), key="w")
    assert (receipt.first, receipt.last) == (2, 2)


async def test_a_stale_wish_is_refused_after_a_race_too(log: MemoryLog) -> None:
    await do(log, GRANT)

    def rival(_: Append) -> None:
        if len(log.events) == 1:
            raced(log, FIRST, ProxyAccessWithdrawn(grantee="bob"))

    log.before_append = rival
    with pytest.raises(StaleVersion) as caught:
        await do(log, replace(WITHDRAW, seen_version=1), key="w")
    assert caught.value == StaleVersion(current_version=2)


async def test_a_lost_race_is_decided_again_on_what_won(log: MemoryLog) -> None:
    await do(log, GRANT)

    def rival(_: Append) -> None:
        if len(log.events) == 1:
            raced(log, FIRST, ProxyAccessWithdrawn(grantee="bob"))

    log.before_append = rival
    receipt = await do(log, WITHDRAW, key="w")
    assert (receipt.first, receipt.last, receipt.repeated) == (None, None, False)
    assert log.facts() == [GRANTED, ProxyAccessWithdrawn(grantee="bob")]


async def test_a_race_for_a_reserved_value_ends_in_the_refusal_that_a_person_understands(
    log: MemoryLog,
) -> None:
    mine = OpenAccount(login="ada", display_name="Ada", person="ada")
    theirs = OpenAccount(login="ADA", display_name="Eve", person="eve")
    rival = MemoryLog()
    await do(rival, theirs, key="rival")
    log.before_append = lambda _: None if log.wishes else (log.commit(rival.wishes[0]), None)[1]
    with pytest.raises(LoginTaken):
        await do(log, mine)
    assert log.facts() == [AccountOpened(display_name="Eve", person="eve")]


async def test_a_race_that_is_lost_again_and_again_ends_busy(log: MemoryLog) -> None:
    await do(log, GRANT)
    tries: list[Append] = []

    def rival(wish: Append) -> None:
        tries.append(wish)
        raced(log, FIRST, replace(GRANTED, kind="caregiver" if len(tries) % 2 else "parent"))

    log.before_append = rival
    with pytest.raises(Busy):
        await do(log, WITHDRAW, key="w")
    assert (len(tries), ATTEMPTS) == (8, 8)
    assert log.facts()[-1] == GRANTED


async def test_a_twin_that_wins_the_last_race_gives_the_answer(log: MemoryLog) -> None:
    tries: list[Append] = []

    def rival(wish: Append) -> None:
        tries.append(wish)
        if len(tries) < ATTEMPTS:
            raced(log, wish.expected[0].stream, replace(GRANTED, kind=f"{len(tries)}"))
        else:
            log.commit(wish)

    await do(log, GRANT)
    log.before_append = rival
    receipt = await do(log, WITHDRAW, key="w")
    assert (len(tries), receipt.repeated) == (ATTEMPTS, True)
    assert log.facts()[-1] == ProxyAccessWithdrawn(grantee="bob")


async def test_a_wish_about_what_was_erased_is_refused_at_once_and_may_come_true_later(
    log: MemoryLog,
) -> None:
    log.destroyed.add("c")
    for _ in range(2):
        with pytest.raises(RecordErased):
            await do(log, GRANT)
    assert log.facts() == []
    # The chart is opened again: nothing was remembered.
    log.destroyed.clear()
    await do(log, GRANT)
    assert len(log.facts()) == 1


async def test_a_wish_that_is_too_large_is_refused_and_remembered(log: MemoryLog) -> None:
    def measure(wish: Append) -> None:
        if wish.drafts:
            raise EventTooLarge()

    log.before_append = measure
    with pytest.raises(EventTooLarge):
        await do(log, GRANT)
    log.before_append = None
    with pytest.raises(EventTooLarge):
        await do(log, GRANT)
    assert (log.facts(), [wish.refusal for wish in log.wishes]) == ([], [EventTooLarge()])


async def test_a_permission_that_moved_is_waited_for_before_the_rule_is_asked_again(
    log: MemoryLog,
) -> None:
    def rival(_: Append) -> None:
        if not log.events:
            raced(log, "ada-account", GRANTED)
            log.authorities["ada-account"] = Authority()

    log.before_append = rival
    with pytest.raises(NotFound):
        await do(log, GRANT, ADA)
    assert log.settled == 1
    refused = AccessRefused(operation="consent.grant-proxy-access", chart="c")
    assert log.facts() == [GRANTED, refused]


async def test_an_event_at_any_version_is_appended_behind_what_won_the_race(
    log: MemoryLog,
) -> None:
    mine, theirs = (AuditReplayed(selection=who, count=1) for who in ("mine", "theirs"))
    tries: list[Append] = []

    def rival(wish: Append) -> None:
        tries.append(wish)
        raced(log, "t", theirs)

    log.before_append = rival
    receipt = await do(log, RecordReplay(trail="t", selection="mine", count=1))
    assert receipt == Receipt(tenant="riverside", first=2, last=2, streams=("t",))
    assert log.facts() == [theirs, mine]
    assert [(e.header.stream, e.version) for e in log.events] == [("t", 1), ("t", 2)]
    assert [wish.expected for wish in tries] == [(Expected(stream="t", version=None),)]


async def test_a_fact_is_filed_once_and_corrected_by_other_content(log: MemoryLog) -> None:
    earlier, later = (Source("urn:ehr", "Condition", "1", digest=d) for d in ("d1", "d2"))
    flu, cold = (Fact(condition=Condition(concept=Concept(text=t))) for t in ("Flu", "Cold"))
    wish = FileRecord(chart="c", key="1", source=earlier, fact=flu)
    receipt = await do(log, wish)
    assert receipt == Receipt(tenant="riverside", first=1, last=1, streams=(FIRST,))
    nothing = replace(receipt, first=None, last=None)
    assert await do(log, wish, key="again") == nothing
    assert log.facts() == [RecordFiled(item=FIRST, fact=flu, source=earlier)]
    corrected = await do(log, replace(wish, fact=cold, source=later), key="corrected")
    assert corrected == replace(receipt, first=2, last=2)
    assert log.facts()[1:] == [RecordCorrected(item=FIRST, fact=cold, source=later)]
    assert [(e.header.stream, e.version) for e in log.events] == [(FIRST, 1), (FIRST, 2)]
    assert [(e.header.chart, e.header.key) for e in log.events] == [("c", "c")] * 2
    expected = [wish.expected for wish in log.wishes]
    assert expected == [(Expected(stream=FIRST, version=version),) for version in (0, 1, 1)]
    item = Reserved("records.item", "c|1")
    assert [wish.reservations for wish in log.wishes] == [((item, FIRST),), (), ()]


async def test_a_fact_that_another_filed_in_the_same_moment_is_not_filed_twice(
    log: MemoryLog,
) -> None:
    fact = Fact(condition=Condition(concept=Concept(text="Flu")))
    wish = FileRecord(chart="c", key="1", source=Source("urn:ehr", "Condition", "1"), fact=fact)
    rival = MemoryLog()
    await do(rival, wish, key="rival")
    log.before_append = lambda _: None if log.wishes else (log.commit(rival.wishes[0]), None)[1]
    receipt = await do(log, wish)
    assert receipt == Receipt(tenant="riverside", first=None, last=None, streams=(FIRST,))
    assert log.facts() == [RecordFiled(item=FIRST, fact=fact, source=wish.source)]


async def test_the_context_says_who_why_and_when_in_the_words_of_the_source(
    log: MemoryLog,
) -> None:
    source = Source("urn:ehr", "Condition", "1")
    wish = FileRecord(chart="c", key="1", source=source, fact=Fact(), when=Moment("2025-12"))
    actor = replace(OPERATOR, session="s", client="app")
    request = Request(command=wish, actor=actor, key="k", correlation="co", causation="ca")
    await perform(request, log, audit.refused)
    assert log.events[0].context == replace(
        CONTEXT,
        rule="records.file",
        occurred="2025-12",
        precision="month",
        session="s",
        client="app",
        correlation="co",
        causation="ca",
    )


async def test_an_event_of_the_organisation_has_no_chart_and_its_key(log: MemoryLog) -> None:
    await do(log, RecordReplay(trail="t", selection="s", count=0))
    header = log.events[0].header
    assert (header.stream, header.chart, header.key) == ("t", None, "riverside")
