"""Matching: who may be one person, and who must never be taken for another."""

from dataclasses import replace

import pytest

from domain.kernel.values import Identifier, Moment, Name
from domain.registry import Demographics, compare, tokens
from domain.registry.matching import SSN, THRESHOLD, jaro_winkler, soundex

HOME = "12 Elm Street, Springfield, MA, 01101"
SOCIAL = Identifier(SSN, "512-44-7788", "SS")
ROSA = Demographics(
    names=(Name("Delgado", ("Rosa", "Maria")),),
    birth_date=Moment("1968-02-29"),
    gender="female",
    telecoms=("(413) 555-0142", "Rosa.Delgado@example.org"),
    addresses=(HOME,),
    identifiers=(SOCIAL,),
)
UNKNOWN_NUMBER = replace(ROSA, identifiers=())
MRN = Identifier("urn:mrn", "1")


def named(given: str, family: str = "Delgado", **more: object) -> Demographics:
    """Rosa without her number under another name."""
    return replace(UNKNOWN_NUMBER, names=(Name(family, (given,)),), **more)


def test_the_same_social_security_number_decides_by_itself_however_it_is_written() -> None:
    moved = replace(
        ROSA,
        identifiers=(Identifier(SSN, "512447788"),),
        addresses=("1 Oak Road, Boston, MA, 02101",),
        telecoms=(),
        names=(Name("Delgado-Ruiz", ("Rosa",)),),
    )
    assert compare(ROSA, moved).decided_by == SSN


@pytest.mark.parametrize(
    "other",
    [
        replace(ROSA, birth_date=Moment("1990-05-01")),
        replace(ROSA, names=(Name("Delgado", ("Carmen",)),)),
    ],
)
def test_an_identifier_against_the_birth_date_or_the_given_name_decides_nothing(
    other: Demographics,
) -> None:
    assert compare(ROSA, other).decided_by is None


@pytest.mark.parametrize("number", ["000-00-0000", "123-45-6789", "999999999", "", "12"])
def test_a_filler_in_place_of_a_number_is_no_identifier(number: str) -> None:
    filler = (Identifier(SSN, number, "SS"),)
    one, other = replace(ROSA, identifiers=filler), named("Carmen", identifiers=filler)
    verdict = compare(one, other)
    assert verdict.decided_by is None
    assert not any("identifier" in name for name in verdict.evidence)


def test_without_a_number_the_same_demographics_are_proposed_and_never_decided() -> None:
    verdict = compare(UNKNOWN_NUMBER, UNKNOWN_NUMBER)
    assert verdict.decided_by is None
    assert verdict.proposed
    assert verdict.evidence == (
        "+address", "+birth-date", "+family", "+given", "+mail", "+phone", "+sex",
    )  # fmt: skip


@pytest.mark.parametrize(
    "other",
    [
        named("Rose"),
        named("Rosa", "Delgato"),
        named("Rosa", birth_date=Moment("1968-02-28"), telecoms=()),
        named("Rosa", "Ruiz", addresses=()),
        named("Rosa", addresses=(), telecoms=()),
    ],
)
def test_slips_of_the_pen_and_changed_names_are_still_proposed(other: Demographics) -> None:
    assert compare(ROSA, other).proposed


@pytest.mark.parametrize(
    "twin",
    [
        named("Carmen"),
        named("Carlos", gender="male"),
        named("Elena", telecoms=("(413) 555-0142",)),
    ],
)
def test_twins_of_one_household_are_neither_linked_nor_proposed(twin: Demographics) -> None:
    verdict = compare(ROSA, twin)
    assert (verdict.decided_by, verdict.proposed) == (None, False)
    assert {"+birth-date", "+family", "+address"} <= set(verdict.evidence)


def test_father_and_son_of_one_name_and_address_are_neither_linked_nor_proposed() -> None:
    senior = Demographics(
        names=(Name("Reyes Sr.", ("Daniel",)),),
        birth_date=Moment("1950-01-01"),
        gender="male",
        addresses=(HOME,),
        telecoms=("413 555 0142",),
    )
    junior = replace(senior, names=(Name("Reyes Jr.", ("Daniel",)),))
    young = replace(junior, birth_date=Moment("1980-06-01"))
    for son in (young, replace(young, names=senior.names)):
        verdict = compare(senior, son)
        assert (verdict.decided_by, verdict.proposed) == (None, False)
    number = (SOCIAL,)
    same_day = compare(replace(senior, identifiers=number), replace(junior, identifiers=number))
    assert (same_day.decided_by, "-suffix" in same_day.evidence) == (None, True)


def test_strangers_are_below_the_threshold_and_the_order_does_not_matter() -> None:
    other = Demographics(
        names=(Name("Haddad", ("Omar",)),), birth_date=Moment("1975-01-01"), gender="male"
    )
    assert compare(ROSA, other).score < 0
    for one in (other, UNKNOWN_NUMBER, named("Rose")):
        assert compare(ROSA, one) == compare(one, ROSA)


def test_what_is_not_known_is_no_evidence() -> None:
    verdict = compare(Demographics(), ROSA)
    assert (verdict.score, verdict.evidence, verdict.proposed) == (0, (), False)
    only_year = replace(ROSA, birth_date=Moment("1968"), identifiers=())
    assert not any("birth" in name for name in compare(ROSA, only_year).evidence)
    assert THRESHOLD > 0


def test_evidence_names_fields_and_never_tells_a_value() -> None:
    words = " ".join(compare(ROSA, named("Rose")).evidence).casefold()
    assert not any(part in words for part in ("rosa", "delgado", "512", "1968", "elm"))


def test_charts_of_one_person_share_a_token_in_spite_of_slips() -> None:
    mine = set(tokens(MRN, ROSA))
    for other in (
        named("Rosa", "Delgato", telecoms=()),
        named("Roza", telecoms=()),
        replace(ROSA, names=(), birth_date=None, telecoms=()),
        Demographics(telecoms=("+1 413 555 0142",)),
        Demographics(telecoms=("rosa.delgado@EXAMPLE.org",)),
    ):
        assert mine & set(tokens(Identifier("urn:mrn", "2"), other))


def test_a_name_alone_or_a_birth_date_alone_finds_nobody() -> None:
    assert tokens(MRN, Demographics(birth_date=Moment("1968-02-29"))) == ("id|urn:mrn|1",)
    assert tokens(MRN, Demographics(names=(Name("Delgado", ("Rosa",)),))) == ("id|urn:mrn|1",)


@pytest.mark.parametrize(
    ("word", "code"),
    [("Robert", "R163"), ("Rupert", "R163"), ("Ashcraft", "A261"), ("Tymczak", "T522"),
     ("Pfister", "P236"), ("Honeyman", "H555"), ("Lee", "L000"), ("Müller", "M460"), ("李", "")],
)  # fmt: skip
def test_soundex_is_that_of_the_national_archives(word: str, code: str) -> None:
    assert soundex(word) == code


@pytest.mark.parametrize(
    ("one", "other", "similarity"),
    [("martha", "marhta", 0.961), ("dixon", "dicksonx", 0.813), ("dwayne", "duane", 0.840),
     ("abc", "abc", 1.0), ("abc", "xyz", 0.0), ("", "a", 0.0)],
)  # fmt: skip
def test_jaro_winkler_is_as_published(one: str, other: str, similarity: float) -> None:
    assert round(jaro_winkler(one, other), 3) == similarity
    assert jaro_winkler(one, other) == jaro_winkler(other, one)
