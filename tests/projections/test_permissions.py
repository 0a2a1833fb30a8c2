"""Rows of directory, identity, consent and the trail: what the rules read."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from domain.audit import AccessRefused
from domain.care import CareTeamLeft
from domain.consent import ProxyAccessGranted, ProxyAccessWithdrawn
from domain.directory import (
    Organization,
    OrganizationListed,
    Practitioner,
    PractitionerListed,
    RoleEnded,
    RoleGiven,
)
from domain.identity import AccountClosed, AccountOpened
from domain.kernel.event import Erased, Unknown
from domain.kernel.readmodel import Drop, Put
from domain.kernel.values import Name
from projections import audit, care, consent, directory, identity
from tests.projections.recorded import AT, CHART, OTHER, STREAM, recorded

VERSION_3 = Put(directory.STREAM, {"id": STREAM, "version": 3})


def test_an_entry_is_a_row_of_its_kind_and_moves_its_stream() -> None:
    clinic, grey = Organization(name="Clinic"), Practitioner(names=(Name("Grey"),))
    listed = recorded(OrganizationListed(organization=clinic), version=3, chart=None)
    assert list(directory.project(listed)) == [
        VERSION_3,
        Put(
            directory.ENTRY,
            {"id": STREAM, "kind": "organization"},
            directory.EntryRow(organization=clinic),
        ),
    ]
    listed = recorded(PractitionerListed(practitioner=grey), version=3, chart=None)
    assert list(directory.project(listed)) == [
        VERSION_3,
        Put(
            directory.ENTRY,
            {"id": STREAM, "kind": "practitioner"},
            directory.EntryRow(practitioner=grey),
        ),
    ]


def test_a_role_is_a_row_while_it_is_held_and_both_ends_move_the_stream() -> None:
    row = {"practitioner": STREAM, "role": "clinician"}
    given = recorded(RoleGiven(role="clinician", until=AT), version=3, chart=None)
    ended = recorded(RoleEnded(role="clinician"), version=3, chart=None)
    held = {**row, "since": None, "until": AT}
    assert list(directory.project(given)) == [VERSION_3, Put(directory.ROLE, held)]
    assert list(directory.project(ended)) == [VERSION_3, Drop(directory.ROLE, row)]


def test_an_erased_listing_still_moves_the_stream() -> None:
    erased = recorded(Erased(RoleGiven.type_name), version=3, chart=None)
    assert list(directory.project(erased)) == [VERSION_3]


def test_an_account_is_a_row_sealed_for_itself_while_it_is_open() -> None:
    event = AccountOpened(display_name="Ada", person=OTHER)
    values = {"account": STREAM, "person": OTHER, "practitioner": None, "version": 3}
    row = identity.AccountRow(display_name="Ada")
    assert list(identity.project(recorded(event, version=3, chart=None))) == [
        Put(identity.ACCOUNT, values, row, STREAM)
    ]
    closed = recorded(AccountClosed(reason="left"), version=4, chart=None)
    assert list(identity.project(closed)) == [Drop(identity.ACCOUNT, {"account": STREAM})]


def test_a_grant_is_a_row_for_the_rules_and_one_for_the_patient_until_it_ends() -> None:
    until = datetime(2027, 1, 1, tzinfo=UTC)
    event = ProxyAccessGranted(
        grantee=OTHER, kind="parent", scopes=("records", "results"), until=until
    )
    shown = consent.ProxyRow(
        grantee=OTHER,
        kind="parent",
        scopes=("records", "results"),
        version=3,
        granted=AT,
        until=until,
    )
    panel = {
        "chart": CHART,
        "id": STREAM,
        "at": AT,
        "state": "granted",
        "kind": "",
        "position": 7,
        "item": STREAM,
        "label": "",
        "alike": "",
        "source": "",
    }
    grant = {
        "chart": CHART,
        "stream": STREAM,
        "grantee": OTHER,
        "kind": "parent",
        "scopes": ["records", "results"],
        "until": until,
        "version": 3,
    }
    assert list(consent.project(recorded(event, version=3))) == [
        Put(consent.PROXY, panel, shown, CHART),
        Put(consent.GRANT, grant),
    ]


@pytest.mark.parametrize(
    "end", [ProxyAccessWithdrawn(grantee=OTHER), Erased(ProxyAccessGranted.type_name)]
)
def test_a_grant_that_is_withdrawn_or_erased_loses_both_rows(
    end: ProxyAccessWithdrawn | Erased,
) -> None:
    assert list(consent.project(recorded(end))) == [
        Drop(consent.PROXY, {"chart": CHART, "id": STREAM}),
        Drop(consent.GRANT, {"chart": CHART, "stream": STREAM}),
    ]


@pytest.mark.parametrize("event", [Unknown("records.record-filed", 1), Erased("audit.x")])
def test_every_event_leaves_a_trail_by_its_routing_alone(event: Unknown | Erased) -> None:
    values = {
        "position": 7,
        "chart": CHART,
        "actor": "ada",
        "type": event.type_name,
        "stream": STREAM,
        "at": AT,
    }
    assert list(audit.project(recorded(event))) == [Put(audit.TRAIL, values)]


def test_a_refused_access_is_filed_under_the_chart_that_was_asked_for() -> None:
    [put] = audit.project(recorded(AccessRefused(operation="o", chart=OTHER), chart=None))
    assert isinstance(put, Put)
    assert put.values["chart"] == OTHER


@pytest.mark.parametrize("kind", [Erased, lambda name: Unknown(name, 9)], ids=["erased", "newer"])
def test_a_withdrawal_that_cannot_be_read_closes_what_it_may_have_closed(
    kind: Callable[[str], Erased | Unknown],
) -> None:
    closed = recorded(kind(AccountClosed.type_name), chart=None)
    assert list(identity.project(closed)) == [Drop(identity.ACCOUNT, {"account": STREAM})]
    ended = recorded(kind(RoleEnded.type_name), version=3, chart=None)
    assert list(directory.project(ended)) == [
        VERSION_3,
        Drop(directory.ROLE, {"practitioner": STREAM}),
    ]
    withdrawn = recorded(kind(ProxyAccessWithdrawn.type_name))
    assert list(consent.project(withdrawn)) == [
        Drop(consent.PROXY, {"chart": CHART, "id": STREAM}),
        Drop(consent.GRANT, {"chart": CHART, "stream": STREAM}),
    ]
    left = recorded(kind(CareTeamLeft.type_name))
    assert list(care.project(left)) == [
        *(Drop(t, {"chart": CHART, "id": STREAM}) for t in (care.ENCOUNTER, care.TEAM, care.ORDER)),
        Drop(care.RELATION, {"chart": CHART, "reference": STREAM}),
    ]
