"""Clinical resources as filed facts and results: written forms survive."""

import json
from hashlib import sha256
from typing import Any

import pytest

from adapters.fhir import resources
from adapters.fhir.mapping import records, results
from adapters.fhir.mapping.values import Unusable
from domain.kernel.values import Coding, Concept, Moment, Period, Quantity, ReferenceRange, Source
from domain.records import Allergy, Component, Condition, Fact, Immunization, Note, Reaction
from domain.results import Analyte
from tests.adapters.fhir.bundles import concept, observation, of_patient, report

UCUM = "http://unitsofmeasure.org"
PULSE = Concept((Coding("http://loinc.org", "8867-4"),))
ORIGIN = Source("urn:example:hospital", "Observation", "o1", "object", "digest")


def observed(text: str | None = None, **members: Any) -> resources.Observation:
    """An Observation; `text` is JSON put in as it is, before the last brace."""
    written = json.dumps(observation("o1", **members))
    content = written if text is None else f"{written[:-1]}, {text}}}"
    return resources.decode(content.encode(), resources.Observation)


def filed(text: str | None = None, **members: Any) -> Any:
    fact, _ = records.observation(observed(text, **members), None)
    return fact.observation


@pytest.mark.parametrize("number", ["1.10", "7", "-0.50", "1.0E3", "72.30000000000000000001", "0"])
def test_a_decimal_keeps_its_written_form(number: str) -> None:
    value = f'"valueQuantity": {{"value": {number}, "unit": "beats", "code": "/min"}}'

    assert filed(value).quantity == Quantity(number, "beats", "/min")


def test_a_number_written_as_text_is_unusable() -> None:
    with pytest.raises(Unusable, match="bad-number"):
        filed(valueQuantity={"value": "1.10"})


def test_an_observation_keeps_its_times_as_written() -> None:
    fact, when = records.observation(
        observed(effectiveDateTime="2010-04-29T02:05:00.000Z", issued="2010-04-29T02:05:00.120Z"),
        "visit",
    )

    assert when == Moment("2010-04-29T02:05:00.000Z")
    assert fact.encounter == "visit"
    assert fact.observation is not None
    assert fact.observation.effective == when
    assert fact.observation.issued == Moment("2010-04-29T02:05:00.120Z")


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ({"effectiveInstant": "2010-04-29T02:05:00Z"}, "2010-04-29T02:05:00Z"),
        ({"effectivePeriod": {"start": "2010-04"}}, "2010-04"),
        ({"issued": "2010-04-29T02:05:00Z"}, "2010-04-29T02:05:00Z"),
        ({}, None),
    ],
)
def test_an_observation_happened_at_the_best_time_known(
    members: dict[str, Any], expected: str | None
) -> None:
    _, when = records.observation(observed(**members), None)

    assert when == (expected and Moment(expected))


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ('"valueString": ""', "text", ""),
        ('"valueBoolean": false', "text", "false"),
        ('"valueBoolean": true', "text", "true"),
        ('"valueInteger": 0', "text", "0"),
        ('"valueCodeableConcept": {"text": "Yes"}', "coded", Concept((), "Yes")),
        ('"dataAbsentReason": {"text": "unknown"}', "absent", Concept((), "unknown")),
        ('"valueRatio": {}', "other_value", "Ratio"),
    ],
)
def test_each_kind_of_value_has_one_place(text: str, field: str, value: object) -> None:
    places = ("quantity", "coded", "text", "absent", "other_value")

    found = {place: getattr(filed(text), place) for place in places}

    assert found == {**dict.fromkeys(places), field: value}


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ('"valueSampledData": {"data": "1 2", "period": 10}', "SampledData",
         "2 samples, every 10 ms"),
        ('"valueRange": {"low": {"value": 1.0}}', "Range", "1.0 or more"),
        ('"valueRange": {"low": {"value": 1}, "high": {"value": 2, "unit": "mg"}}', "Range",
         "1 to 2 mg"),
        ('"valueRatio": {"numerator": {"value": 1}, "denominator": {"value": 128}}', "Ratio",
         "1:128"),
        ('"valueTime": "10:00:00"', "Time", "10:00:00"),
        ('"valueDateTime": "2010"', "DateTime", "2010"),
        ('"valuePeriod": {"start": "2010", "end": "2011-02"}', "Period", "2010 to 2011-02"),
    ],
)  # fmt: skip
def test_other_kinds_of_values_are_told_in_words_with_their_digits(
    text: str, kind: str, words: str
) -> None:
    fact = filed(text)

    assert (fact.other_value, fact.text, fact.absent) == (kind, words, None)


def test_an_observation_carries_components_interpretation_and_ranges() -> None:
    fact = filed(
        component=[
            {"code": concept("8480-6"), "valueQuantity": {"value": 120, "system": UCUM}},
            {"code": concept("x"), "valueRange": {}},
        ],
        interpretation=[concept("H")],
        referenceRange=[{"low": {"value": 60}, "high": {"comparator": "<", "value": 9}}],
    )

    absent = Concept(
        (
            Coding(
                "http://terminology.hl7.org/CodeSystem/data-absent-reason",
                "unsupported",
                "Unsupported",
            ),
        ),
        "Range",
    )
    assert fact.categories == ("vital-signs",)
    assert fact.components == (
        Component(
            concept=Concept((Coding("http://loinc.org", "8480-6"),)),
            quantity=Quantity("120", system=UCUM),
        ),
        Component(concept=Concept((Coding("http://loinc.org", "x"),)), absent=absent),
    )
    assert fact.interpretation == (Concept((Coding("http://loinc.org", "H"),)),)
    assert fact.ranges == (ReferenceRange(Quantity("60"), Quantity("9", comparator="<")),)


def test_a_condition_is_filed_with_onset_and_abatement() -> None:
    content = of_patient(
        "Condition",
        "c1",
        clinicalStatus=concept("resolved"),
        verificationStatus={"text": "confirmed"},
        category=[concept("encounter-diagnosis")],
        code=concept("44054006", text="Diabetes"),
        onsetPeriod={"start": "2001", "end": "2002"},
        abatementDateTime="2005-03",
        recordedDate="2003",
    )
    given = resources.decode(json.dumps(content).encode(), resources.Condition)

    assert records.condition(given, "visit") == (
        Fact(
            encounter="visit",
            condition=Condition(
                concept=Concept((Coding("http://loinc.org", "44054006"),), "Diabetes"),
                clinical_status="resolved",
                verification_status="confirmed",
                categories=(Concept((Coding("http://loinc.org", "encounter-diagnosis"),)),),
                onset=Moment("2001"),
                abated=Moment("2005-03"),
                recorded=Moment("2003"),
            ),
        ),
        Moment("2001"),
    )


def test_an_allergy_is_filed_with_its_reactions() -> None:
    content = of_patient(
        "AllergyIntolerance",
        "a1",
        type="allergy",
        category=["food"],
        criticality="high",
        code=concept("1"),
        recordedDate="1999-01-02",
        reaction=[{"manifestation": [{"text": "Hives"}], "severity": "mild"}],
    )
    given = resources.decode(json.dumps(content).encode(), resources.AllergyIntolerance)

    assert records.allergy(given, None) == (
        Fact(
            allergy=Allergy(
                concept=Concept((Coding("http://loinc.org", "1"),)),
                kind="allergy",
                categories=("food",),
                criticality="high",
                reactions=(Reaction(manifestations=(Concept((), "Hives"),), severity="mild"),),
                recorded=Moment("1999-01-02"),
            )
        ),
        Moment("1999-01-02"),
    )


def test_an_immunization_is_filed_with_its_lot() -> None:
    content = of_patient(
        "Immunization",
        "i1",
        status="completed",
        vaccineCode=concept("140"),
        occurrenceDateTime="2019-02-24T01:33:50-05:00",
        primarySource=True,
        lotNumber="L1",
    )
    given = resources.decode(json.dumps(content).encode(), resources.Immunization)

    when = Moment("2019-02-24T01:33:50-05:00")
    assert records.immunization(given, None) == (
        Fact(
            immunization=Immunization(
                vaccine=Concept((Coding("http://loinc.org", "140"),)),
                status="completed",
                given=when,
                lot="L1",
                primary_source=True,
            )
        ),
        when,
    )


def test_a_note_is_filed_without_its_words() -> None:
    content = report(
        "n1",
        effectiveDateTime="2010-04-29",
        issued="2010-05-01T00:00:00.000Z",
        presentedForm=[{"contentType": "text/plain", "data": "c2VjcmV0"}, {"data": "eA=="}],
    )
    given = resources.decode(json.dumps(content).encode(), resources.DiagnosticReport)

    assert records.note(given, None) == (
        Fact(
            note=Note(
                concept=Concept((Coding("http://loinc.org", "24323-8"),)),
                status="final",
                period=Period(Moment("2010-04-29")),
                issued=Moment("2010-05-01T00:00:00.000Z"),
                media_types=("text/plain",),
                digests=tuple(sha256(data).hexdigest() for data in (b"c2VjcmV0", b"eA==")),
            )
        ),
        Moment("2010-04-29"),
    )


@pytest.mark.parametrize(
    ("stated", "observations", "category"),
    [
        (["LAB"], ["vital-sign"], "laboratory"),
        (["RAD"], [], "imaging"),
        (["imaging"], [], "imaging"),
        (["34117-2"], ["laboratory"], "other"),
        ([], ["survey", "survey"], "survey"),
        ([], ["laboratory"], "laboratory"),
        ([], ["exam"], "other"),
        ([], ["survey", "laboratory"], "other"),
        ([], [], "other"),
    ],
)
def test_a_report_has_the_category_it_states_else_that_of_all_its_observations(
    stated: list[str], observations: list[str], category: str
) -> None:
    content = report("r1", category=[concept(one) for one in stated])
    given = resources.decode(json.dumps(content).encode(), resources.DiagnosticReport)

    measured = [(observed(category=one), ORIGIN) for one in observations]

    assert results.report(given, measured, None).category == category


def test_a_report_is_received_with_its_observations_in_order() -> None:
    content = report(
        "r1",
        effectivePeriod={"start": "2011"},
        performer=[{"display": "Lab"}, {"reference": "Practitioner/1"}],
        conclusion="Fine",
    )
    given = resources.decode(json.dumps(content).encode(), resources.DiagnosticReport)
    panel = observed(component=[{"code": concept("c"), "valueString": "part"}])

    received = results.report(given, [(observed(valueString="a"), ORIGIN), (panel, ORIGIN)], "v")

    part = Concept((Coding("http://loinc.org", "c"),))
    assert received.observations == (
        Analyte(concept=PULSE, status="final", text="a", source=ORIGIN),
        Analyte(concept=PULSE, status="final", source=ORIGIN),
        Analyte(concept=part, status="final", text="part", source=ORIGIN),
    )
    assert (received.effective, received.performers) == (Moment("2011"), ("Lab",))
    assert (received.encounter, received.conclusion) == ("v", "Fine")


def test_a_laboratory_observation_alone_is_a_report_of_itself() -> None:
    given = observed(category="laboratory", valueString="a", effectiveDateTime="2011-01-02")

    received = results.standalone(given, ORIGIN, "visit")

    assert results.is_laboratory(given)
    assert not results.is_laboratory(observed(category="vital-signs"))
    assert (received.category, received.concept, received.status) == ("laboratory", PULSE, "final")
    assert received.effective == Moment("2011-01-02")
    assert [analyte.text for analyte in received.observations] == ["a"]
