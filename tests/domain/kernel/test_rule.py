"""Rules: each clause says yes to the one it names, and to nobody else."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from domain.kernel.context import (
    Actor,
    Authority,
    Basis,
    CareRelation,
    Grant,
    RoleHeld,
    Subject,
)
from domain.kernel.rule import (
    Asking,
    Clause,
    Permit,
    Rule,
    anyone,
    may,
    oneself,
    operator,
    proxy,
    purpose_of,
    role,
    rules,
    signed_in,
    system,
    treating,
)
from tests.story import NOW

MOMENT = timedelta(microseconds=1)
ACCOUNT = Actor(tenant="riverside", id="account", kind="account", purpose="PATRQT")
PATIENT = Authority(
    person="ada", account_stream="account", account_version=2, own_charts=frozenset({"c"})
)
GRANT = Grant(chart="c", scopes=frozenset({"records"}), stream="grant", version=3)
PROXY = Authority(person="bob", account_stream="account", account_version=1, grants=(GRANT,))
CLINICIAN = RoleHeld(role="clinician", stream="grey", version=5)
SEEN = CareRelation(chart="c", reference="visit", version=2, since=NOW)
DOCTOR = Authority(practitioner="grey", relations=(SEEN,), roles=(CLINICIAN,))
HERE = Subject(chart="c")


def asked(
    clause: Clause,
    authority: Authority = PATIENT,
    subject: Subject = HERE,
    actor: Actor = ACCOUNT,
    now: datetime = NOW,
) -> Permit | None:
    """What a rule of this one clause answers."""
    rule = Rule("test.ask", (clause,))
    return rule.permit(Asking(actor=actor, subject=subject, authority=authority, now=now))


def test_oneself_is_the_person_whose_chart_it_is_relying_on_the_account() -> None:
    assert asked(oneself) == Permit(Basis("own-record", "ada"), (("account", 2),))


def test_oneself_is_the_person_whom_it_is_about() -> None:
    about = Subject(person="ada")
    assert asked(oneself, subject=about) == Permit(Basis("own-record", "ada"), (("account", 2),))


@pytest.mark.parametrize(
    "subject", [Subject(chart="other"), Subject(person="eve"), Subject()], ids=str
)
def test_oneself_is_nobody_else(subject: Subject) -> None:
    assert asked(oneself, subject=subject) is None


def test_oneself_without_an_open_account_is_nobody() -> None:
    assert asked(oneself, authority=replace(PATIENT, account_stream=None)) is None


def test_nobody_is_oneself_where_neither_person_is_known() -> None:
    nobody = Authority(account_stream="account", account_version=1)
    assert asked(oneself, authority=nobody, subject=Subject()) is None


def test_a_proxy_is_a_person_with_a_grant_for_the_scope_relying_on_account_and_grant() -> None:
    yes = Permit(Basis("proxy-grant", "grant"), (("account", 1), ("grant", 3)), sensitive=False)
    assert asked(proxy("records"), authority=PROXY) == yes


@pytest.mark.parametrize(
    ("changed", "allowed"),
    [
        ({"until": NOW + MOMENT}, True),
        ({"until": NOW}, False),
        ({"until": NOW - timedelta(days=1)}, False),
        ({"chart": "other"}, False),
        ({"scopes": frozenset({"results"})}, False),
        ({"scopes": frozenset()}, False),
    ],
)
def test_a_grant_counts_for_its_chart_its_scopes_and_until_it_ends(
    changed: dict[str, object], allowed: bool
) -> None:
    authority = replace(PROXY, grants=(replace(GRANT, **changed),))
    assert (asked(proxy("records"), authority=authority) is not None) is allowed


def test_a_grant_in_force_counts_beside_one_that_is_over() -> None:
    over = replace(GRANT, stream="old", until=NOW)
    permit = asked(proxy("records"), authority=replace(PROXY, grants=(over, GRANT)))
    assert permit == Permit(
        Basis("proxy-grant", "grant"), (("account", 1), ("grant", 3)), sensitive=False
    )


def test_somebody_without_a_chart_in_question_is_no_proxy() -> None:
    assert asked(proxy("records"), authority=PROXY, subject=Subject()) is None


def test_a_clinician_treats_relying_on_the_role_and_the_relationship() -> None:
    yes = Permit(Basis("care-relationship", "visit"), (("grey", 5), ("visit", 2)))
    assert asked(treating, authority=DOCTOR) == yes


@pytest.mark.parametrize(
    ("changed", "allowed"),
    [
        ({"since": NOW + MOMENT}, False),
        ({"until": NOW + MOMENT}, True),
        ({"until": NOW}, False),
        ({"chart": "other"}, False),
    ],
)
def test_a_relationship_counts_for_its_chart_and_its_dates(
    changed: dict[str, object], allowed: bool
) -> None:
    authority = replace(DOCTOR, relations=(replace(SEEN, **changed),))
    assert (asked(treating, authority=authority) is not None) is allowed


@pytest.mark.parametrize("held", [(), (replace(CLINICIAN, role="front-desk"),)])
def test_a_relationship_without_the_clinicians_role_opens_nothing(
    held: tuple[RoleHeld, ...],
) -> None:
    assert asked(treating, authority=replace(DOCTOR, roles=held)) is None


def test_a_role_opens_what_names_it_relying_on_where_it_was_given() -> None:
    clause = role("compliance", "clinician")
    yes = Permit(Basis("role", "clinician"), (("grey", 5),))
    assert asked(clause, authority=DOCTOR) == yes
    assert asked(clause, authority=DOCTOR, subject=Subject(chart="other")) == yes


def test_a_role_that_is_not_named_opens_nothing() -> None:
    assert asked(role("compliance"), authority=DOCTOR) is None
    assert asked(role("clinician"), authority=PATIENT) is None


@pytest.mark.parametrize(
    ("kind", "reason", "allowed"),
    [
        ("operator", "audit 7", True),
        ("operator", None, False),
        ("operator", "", False),
        ("account", "audit 7", False),
        ("system", "audit 7", False),
    ],
)
def test_an_operator_needs_a_reason(kind: str, reason: str | None, allowed: bool) -> None:
    actor = replace(ACCOUNT, kind=kind, reason=reason)
    wanted = Permit(Basis("role", "operator")) if allowed else None
    assert asked(operator, actor=actor) == wanted


@pytest.mark.parametrize("kind", ["account", "operator", "system", "anonymous"])
def test_the_system_is_the_system_alone(kind: str) -> None:
    wanted = Permit(Basis("system")) if kind == "system" else None
    assert asked(system, actor=replace(ACCOUNT, kind=kind, reason="r")) == wanted


@pytest.mark.parametrize("kind", ["account", "operator", "system", "anonymous"])
def test_only_an_account_that_is_open_is_signed_in(kind: str) -> None:
    actor = replace(ACCOUNT, kind=kind, reason="r")
    wanted = (
        Permit(Basis("own-record", "account"), (("account", 2),)) if kind == "account" else None
    )
    assert asked(signed_in, actor=actor) == wanted
    assert asked(signed_in, actor=actor, authority=Authority()) is None


@pytest.mark.parametrize("kind", ["account", "operator", "system", "anonymous"])
def test_anyone_is_anyone(kind: str) -> None:
    permit = asked(anyone, Authority(), Subject(), replace(ACCOUNT, kind=kind))
    assert permit == Permit(Basis("system", kind))


def test_the_first_clause_that_says_yes_gives_the_basis() -> None:
    rule = Rule("test.ask", (oneself, proxy("records"), anyone))
    asking = Asking(actor=ACCOUNT, subject=HERE, authority=PROXY, now=NOW)
    assert rule.permit(asking) == Permit(
        Basis("proxy-grant", "grant"), (("account", 1), ("grant", 3)), sensitive=False
    )
    assert rule.text == "oneself | proxy(records) | anyone"


@pytest.fixture
def _rules_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domain.kernel.rule._registry", {})


@pytest.mark.usefixtures("_rules_of_its_own")
def test_a_declared_rule_is_listed_by_name() -> None:
    later, sooner = may("b.view", anyone), may("a.view", oneself, role("x", "y"))
    assert list(rules()) == [sooner, later]
    assert sooner.text == "oneself | role(x, y)"


@pytest.mark.usefixtures("_rules_of_its_own")
def test_two_rules_of_one_name_are_refused() -> None:
    may("a.view", anyone)
    with pytest.raises(TypeError, match=r"^two rules share the name a\.view$"):
        may("a.view", oneself)


@pytest.mark.usefixtures("_rules_of_its_own")
def test_a_rule_that_lets_nobody_pass_is_refused() -> None:
    with pytest.raises(TypeError, match=r"^rule a\.view lets nobody pass: name a clause$"):
        may("a.view")
    assert list(rules()) == []


@pytest.mark.parametrize(
    ("basis", "purpose"),
    [
        (Basis("own-record", "ada"), "PATRQT"),
        (Basis("proxy-grant", "grant"), "PATRQT"),
        (Basis("consent", "grant"), "PATRQT"),
        (Basis("care-relationship", "visit"), "TREAT"),
        (Basis("break-glass", "glass"), "ETREAT"),
        (Basis("role", "compliance"), "HCOMPL"),
        (Basis("role", "administrator"), "HOPERAT"),
        (Basis("system"), "HOPERAT"),
        (Basis("none"), "HOPERAT"),
    ],
)
def test_a_purpose_that_nobody_stated_follows_from_the_basis(basis: Basis, purpose: str) -> None:
    assert purpose_of(replace(ACCOUNT, purpose=""), basis) == purpose
    assert purpose_of(replace(ACCOUNT, purpose="HPAYMT"), basis) == "HPAYMT"
