"""FHIR observations: values, reference ranges, flags, vital signs and questionnaire scores."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from demo.stories.analytes import Analyte, Missing, Panel, Range, Result
from demo.stories.clinics import Json
from demo.stories.codes import LOINC, Coding, hl7

UCUM = "http://unitsofmeasure.org"
_FLAGS = {
    "N": "Normal",
    "A": "Abnormal",
    "L": "Low",
    "H": "High",
    "LL": "Critical low",
    "HH": "Critical high",
}


@dataclass(frozen=True, slots=True)
class Vital:
    """One vital sign: its LOINC code, its UCUM unit and the unit as people write it."""

    code: Coding
    unit: str
    shown: str


def _vital(loinc: str, display: str, name: str, unit: str, shown: str = "") -> Vital:
    return Vital(Coding(LOINC, loinc, display, name), unit, shown or unit)


SYSTOLIC = _vital("8480-6", "Systolic blood pressure", "Systolic", "mm[Hg]", "mmHg")
DIASTOLIC = _vital("8462-4", "Diastolic blood pressure", "Diastolic", "mm[Hg]", "mmHg")
BLOOD_PRESSURE = Coding(LOINC, "85354-9", "Blood pressure panel with all children optional")
BODY_MASS_INDEX = _vital("39156-5", "Body mass index (BMI) [Ratio]", "Body mass index", "kg/m2")
VITALS = {
    "pulse": _vital("8867-4", "Heart rate", "Heart rate", "/min", "beats/min"),
    "breaths": _vital("9279-1", "Respiratory rate", "Breathing rate", "/min", "breaths/min"),
    "celsius": _vital("8310-5", "Body temperature", "Temperature", "Cel", "°C"),
    "spo2": _vital(
        "59408-5", "Oxygen saturation in Arterial blood by Pulse oximetry", "Oxygen saturation", "%"
    ),
    "kg": _vital("29463-7", "Body weight", "Weight", "kg"),
    "cm": _vital("8302-2", "Body height", "Height", "cm"),
    "fev1": _vital("20152-5", "FEV1 measured/predicted", "Lung function (FEV1 of predicted)", "%"),
}
SURVEYS = {
    "PHQ-9": Coding(
        LOINC, "44261-6", "Patient Health Questionnaire 9 item (PHQ-9) total score [Reported]"
    ),
    "GAD-7": Coding(
        LOINC, "70274-6", "Generalized anxiety disorder 7 item (GAD-7) total score [Reported.PHQ]"
    ),
}


def blood_pressure(pressure: str) -> list[Json]:
    """The components of a blood pressure written as systolic/diastolic in mmHg."""
    systolic, diastolic = (float(part) for part in pressure.split("/"))
    return [
        {
            "code": {"coding": [vital.code.fhir], "text": vital.code.plain},
            "valueQuantity": quantity(value, vital.unit, vital.shown),
        }
        for vital, value in ((SYSTOLIC, systolic), (DIASTOLIC, diastolic))
    ]


def vital_signs(measured: Mapping[str, float]) -> list[tuple[Vital, float]]:
    """The vital signs by their names in `VITALS`, and the body mass index of kg and cm."""
    found = [(VITALS[name], value) for name, value in measured.items()]
    if {"kg", "cm"} <= measured.keys():
        index = measured["kg"] / (measured["cm"] / 100) ** 2
        found.append((BODY_MASS_INDEX, round(index, 1)))
    return found


def laboratory_fields(
    panel: Panel, analyte: Analyte, result: Result, age: int, gender: str
) -> Json:
    """Category, code, value, flag and range of one result of a patient of that age and gender."""
    kind = ("imaging", "Imaging") if panel.imaging else ("laboratory", "Laboratory")
    within = analyte.range_for(gender, age)
    return {
        "category": category(*kind),
        "code": {"coding": [analyte.code.fhir], "text": analyte.name},
        **dict(_value_fields(analyte, result, within)),
    }


def category(code: str, display: str) -> list[Json]:
    """The `category` of an observation (laboratory, vital-signs, survey, ...)."""
    return [{"coding": [hl7("observation-category", code, display).fhir]}]


def quantity(value: float, unit: str, shown: str = "", comparator: str = "") -> Json:
    """A FHIR Quantity in UCUM."""
    found: Json = {"value": value}
    if comparator:
        found["comparator"] = comparator
    return {**found, "unit": shown or unit, "system": UCUM, "code": unit}


def interpretation(flag: str) -> list[Json]:
    """The `interpretation` of an observation."""
    return [{"coding": [hl7("v3-ObservationInterpretation", flag, _FLAGS[flag]).fhir]}]


def reference_range(analyte: Analyte, within: Range) -> list[Json]:
    """The `referenceRange` of an analyte: bounds as quantities and a text."""
    found: Json = {}
    for name, bound in (("low", within.low), ("high", within.high)):
        if bound is not None:
            found[name] = quantity(bound, analyte.unit)
    found["text"] = within.text or f"{within.low:g}-{within.high:g} {analyte.unit}"
    return [found]


def _value_fields(
    analyte: Analyte, result: Result, within: Range | None
) -> Iterator[tuple[str, object]]:
    match result:
        case Missing(code, display, text):
            reason = hl7("data-absent-reason", code, display)
            yield "dataAbsentReason", {"coding": [reason.fhir], "text": text}
        case Coding(_, code):
            yield "valueCodeableConcept", {"coding": [result.fhir], "text": result.plain}
            if analyte.expected:
                yield "interpretation", interpretation("N" if code == analyte.expected else "A")
        case str() if result[:1] not in "<>":
            yield "valueString", result
            yield "interpretation", interpretation("N" if result == analyte.expected else "A")
        case _:
            comparator = result[:1] if isinstance(result, str) else ""
            number = float(result[1:]) if isinstance(result, str) else result
            yield "valueQuantity", quantity(number, analyte.unit, comparator=comparator)
            if within:
                yield "interpretation", interpretation(analyte.flag(number, within))
    if within:
        yield "referenceRange", reference_range(analyte, within)
    elif analyte.expected:
        yield "referenceRange", [{"text": _expectation(analyte.expected)}]


def _expectation(expected: str) -> str:
    return {"131194007": "Non-reactive", "260415000": "Not detected"}.get(expected, expected)
