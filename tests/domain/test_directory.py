"""The directory: entries as last listed, roles held."""

from datetime import datetime, timedelta

import pytest

from domain import directory
from domain.directory import (
    ROLES,
    EndRole,
    GiveRole,
    Listing,
    ListOrganization,
    ListPractitioner,
    NotListed,
    Organization,
    OrganizationListed,
    PeriodEndsTooEarly,
    Practitioner,
    PractitionerListed,
    RoleEnded,
    RoleGiven,
    UnknownRole,
)
from domain.kernel.command import Reserved
from domain.kernel.event import Erased, Unknown
from domain.kernel.values import Name, Source
from tests.story import NOW, given

EHR = Source("urn:ehr", "Organization", "1")
CLINIC = Organization(name="Riverside Clinic")
GREY = Practitioner(names=(Name("Grey", ("Meredith",)),))


def test_an_organisation_is_listed_once() -> None:
    wish = ListOrganization(key="npi-1", organization=CLINIC, source=EHR)
    told = OrganizationListed(organization=CLINIC, source=EHR)
    given().when(wish).then(told).when(wish).then()


def test_an_organisation_listed_differently_is_listed_again() -> None:
    renamed = Organization(name="Riverside Hospital")
    given(OrganizationListed(organization=CLINIC)).when(
        ListOrganization(key="npi-1", organization=renamed)
    ).then(OrganizationListed(organization=renamed))


def test_the_same_listing_from_another_source_is_nothing_new() -> None:
    given(OrganizationListed(organization=CLINIC)).when(
        ListOrganization(key="npi-1", organization=CLINIC, source=EHR)
    ).then()


def test_a_practitioner_is_listed_once_and_again_when_something_differs() -> None:
    wish = ListPractitioner(key="npi-2", practitioner=GREY)
    other = Practitioner(names=GREY.names, gender="female")
    given().when(wish).then(PractitionerListed(practitioner=GREY)).when(wish).then().when(
        ListPractitioner(key="npi-2", practitioner=other)
    ).then(PractitionerListed(practitioner=other))


def test_organisations_and_practitioners_with_one_key_are_two_entries() -> None:
    organisation = ListOrganization(key="1", organization=CLINIC).streams[0].reserved
    practitioner = ListPractitioner(key="1", practitioner=GREY).streams[0].reserved
    assert organisation == Reserved("directory.organization", "1")
    assert practitioner == Reserved("directory.practitioner", "1")


@pytest.mark.parametrize("role", sorted(ROLES))
def test_every_role_of_the_directory_is_given_once(role: str) -> None:
    wish = GiveRole(practitioner="p", role=role)
    given(PractitionerListed(practitioner=GREY)).when(wish).then(RoleGiven(role=role)).when(
        wish
    ).then()


def test_a_role_that_the_directory_does_not_know_is_refused() -> None:
    given().when(GiveRole(practitioner="p", role="surgeon")).refused(UnknownRole, role="surgeon")


def test_a_role_ends_once_and_can_be_given_again() -> None:
    end = EndRole(practitioner="p", role="clinician")
    give = GiveRole(practitioner="p", role="clinician")
    listed = PractitionerListed(practitioner=Practitioner(names=()))
    ended = given(listed, RoleGiven(role="clinician")).when(end).then(RoleEnded(role="clinician"))
    ended.when(end).then()
    ended.when(give).then(RoleGiven(role="clinician"))


def test_another_period_ends_the_earlier_one_in_the_same_act() -> None:
    listed = PractitionerListed(practitioner=GREY)
    until = NOW + timedelta(days=30)
    give = GiveRole(practitioner="p", role="clinician", until=until)
    held = RoleGiven(role="clinician", until=until)
    ended = RoleEnded(role="clinician")
    given(listed, RoleGiven(role="clinician")).when(give).then(ended, held).when(give).then()


@pytest.mark.parametrize("since", [None, NOW + timedelta(days=2)])
def test_a_period_that_ends_before_it_begins_or_has_passed_is_refused(
    since: datetime | None,
) -> None:
    until = NOW if since is None else since
    give = GiveRole(practitioner="p", role="clinician", since=since, until=until)
    given(PractitionerListed(practitioner=GREY)).when(give).refused(PeriodEndsTooEarly, until=until)


def test_nobody_who_is_not_listed_is_given_a_role() -> None:
    give = GiveRole(practitioner="p", role="clinician")
    given().when(give).refused(NotListed)
    ward = OrganizationListed(organization=Organization(name="Ward"))
    given(ward).when(give).refused(NotListed)


def test_ending_a_role_that_is_not_held_is_nothing() -> None:
    given(RoleGiven(role="clinician")).when(EndRole(practitioner="p", role="front-desk")).then()


def test_an_entry_keeps_its_roles_when_it_is_listed_again() -> None:
    state = Listing.initial("p")
    for event in (RoleGiven(role="clinician"), PractitionerListed(practitioner=GREY)):
        state = state.evolve(event)
    assert state == Listing("p", GREY, (RoleGiven(role="clinician"),))


def test_erased_and_unknown_events_leave_an_entry_as_it_was() -> None:
    state = Listing("p", GREY, (RoleGiven(role="clinician"),))
    assert state.evolve(Erased("directory.role-given")) == state
    assert state.evolve(Unknown("directory.place-listed", 1)) == state


def test_only_administrators_and_operators_appoint() -> None:
    assert GiveRole.rule is EndRole.rule is directory.appoint
    assert directory.appoint.text == "role(administrator) | operator with a reason"
