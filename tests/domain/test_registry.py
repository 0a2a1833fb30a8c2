"""Charts and persons: opened once, corrected when something differs."""

from dataclasses import replace

import pytest

from domain.kernel.command import OWN, At, Reserved
from domain.kernel.event import Erased, Unknown
from domain.kernel.refusal import NotFound
from domain.kernel.values import Identifier, Moment, Name, Source
from domain.registry import (
    Chart,
    ChartLinked,
    ChartOpened,
    CorrectDeath,
    DeathCorrected,
    DeathReported,
    DeathTimeUnclear,
    Demographics,
    DemographicsReported,
    Person,
    PersonRegistered,
    RegisterPerson,
    ReportDeath,
    ReportPatient,
)
from tests.story import On, given

CHART, PERSON = "registry.chart", "registry.person-of-chart"
MRN = Identifier("urn:mrn", "4711")
ADA = Demographics(names=(Name("Byron", ("Ada",)),), birth_date=Moment("1990-12"))
LOVELACE = replace(ADA, names=(Name("Lovelace", ("Ada",)),))
EHR = Source("urn:ehr", "Patient", "1")
OPENED = ChartOpened(identifier=MRN, demographics=ADA, source=EHR)
KNOWN = (
    OPENED,
    On(PERSON, PersonRegistered(first_chart=CHART)),
    On(PERSON, ChartLinked(chart=CHART, evidence="first chart")),
)


def reported(demographics: Demographics = ADA, **more: object) -> ReportPatient:
    """The authority's report of Ada."""
    return ReportPatient(identifier=MRN, demographics=demographics, source=EHR, **more)


def test_a_new_patient_gets_a_chart_a_person_and_the_link_between_them() -> None:
    given().when(reported()).then(
        OPENED,
        At(PERSON, PersonRegistered(first_chart=CHART)),
        At(PERSON, ChartLinked(chart=CHART, evidence="first chart")),
    ).when(reported()).then()


def test_a_patient_reported_again_unchanged_is_nothing_new() -> None:
    given(*KNOWN).when(reported()).then()


def test_other_demographics_are_reported_once() -> None:
    told = DemographicsReported(identifier=MRN, demographics=LOVELACE, source=EHR)
    given(*KNOWN).when(reported(LOVELACE)).then(told).when(reported(LOVELACE)).then()


def test_going_back_to_earlier_demographics_is_a_change() -> None:
    changed = On(CHART, DemographicsReported(identifier=MRN, demographics=LOVELACE))
    back = DemographicsReported(identifier=MRN, demographics=ADA, source=EHR)
    given(*KNOWN, changed).when(reported()).then(back)


def test_a_death_is_reported_once_with_the_time_where_it_is_known() -> None:
    died = reported(died=True, death=Moment("2026-02-01"))
    given(*KNOWN).when(died).then(DeathReported(at=Moment("2026-02-01"))).when(died).then()
    given(*KNOWN).when(reported(died=True)).then(DeathReported(at=None))


def test_a_time_of_death_without_a_death_is_no_death() -> None:
    given(*KNOWN).when(reported(death=Moment("2026-02-01"))).then()


def test_a_new_patient_who_has_died_gets_everything_in_order() -> None:
    given().when(reported(died=True)).then(
        OPENED,
        DeathReported(at=None),
        At(PERSON, PersonRegistered(first_chart=CHART)),
        At(PERSON, ChartLinked(chart=CHART, evidence="first chart")),
    )


def test_a_death_that_was_corrected_is_not_reported_by_repeating_it() -> None:
    died = reported(died=True, death=Moment("2026-02-01"))
    later = reported(died=True, death=Moment("2026-03-01"))
    story = given(*KNOWN).when(died).then(DeathReported(at=Moment("2026-02-01")))
    wrong = On(CHART, DeathCorrected(reason="a namesake"))
    corrected = given(*story.facts, wrong)
    corrected.when(died).then()
    corrected.when(later).then(DeathReported(at=Moment("2026-03-01")))


def test_staff_report_a_death_once_and_take_it_back_once() -> None:
    opened = On("a", OPENED)
    march = Moment("2026-03")
    story = given(opened).when(ReportDeath(chart="a")).then(DeathReported())
    story.when(ReportDeath(chart="a")).then()
    dated = story.when(ReportDeath(chart="a", at=march)).then(DeathReported(at=march))
    wrong = CorrectDeath(chart="a", reason="a namesake")
    dated.when(wrong).then(DeathCorrected(reason="a namesake")).when(wrong).then()


@pytest.mark.parametrize("at", ["soon", "2026-03-15", "2026-13", "2026-03-14T10:00:00"])
def test_a_time_of_death_is_a_date_that_has_been(at: str) -> None:
    given(On("a", OPENED)).when(ReportDeath(chart="a", at=Moment(at))).refused(DeathTimeUnclear)


def test_nobody_dies_in_a_chart_that_is_not_there() -> None:
    given().when(ReportDeath(chart="a")).refused(NotFound)
    given().when(CorrectDeath(chart="a", reason="r")).refused(NotFound)


def test_an_erased_chart_is_not_opened_again() -> None:
    erased = (Erased(ChartOpened.type_name), *KNOWN[1:])
    told = DemographicsReported(identifier=MRN, demographics=ADA, source=EHR)
    given(*erased).when(reported()).then(told)


def test_a_chart_and_its_person_are_found_by_the_identifier_and_sealed_for_themselves() -> None:
    chart, person = reported().streams
    assert (chart.reserved, chart.chart, chart.fold) == (
        Reserved(CHART, "urn:mrn|4711"),
        OWN,
        Chart,
    )
    assert (person.reserved, person.chart, person.owner, person.fold) == (
        Reserved(PERSON, "urn:mrn|4711"),
        None,
        OWN,
        Person,
    )


def test_what_a_release_does_not_know_changes_neither_chart_nor_person() -> None:
    unknown = Unknown("registry.charts-merged", 1)
    for state in (Chart.initial("c"), Person.initial("p")):
        assert state.evolve(unknown) == state


def test_a_person_knows_every_linked_chart() -> None:
    person = Person.initial("p").evolve(PersonRegistered(first_chart="a"))
    for chart in ("a", "b"):
        person = person.evolve(ChartLinked(chart=chart, evidence="staff"))
    assert person == Person("p", registered=True, charts=frozenset({"a", "b"}))


def test_a_person_without_a_chart_is_registered_once_under_the_registrars_key() -> None:
    wish = RegisterPerson(key="parent-1")
    given().when(wish).then(PersonRegistered()).when(wish).then()
    [stream] = wish.streams
    assert (stream.reserved, stream.owner) == (Reserved("registry.person", "parent-1"), OWN)
