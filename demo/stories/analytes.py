"""What the laboratory measures: analytes, their reference ranges, panels and derived values.

Ranges are those of an adult US reference laboratory unless a row says otherwise. Units are UCUM.
"""

from dataclasses import dataclass
from typing import Final

from demo.stories.codes import LOINC, Coding, hl7, snomed

NEGATIVE: Final = snomed("260385009", "Negative (qualifier value)")
POSITIVE: Final = snomed("10828004", "Positive (qualifier value)")
NON_REACTIVE: Final = snomed("131194007", "Non-Reactive (qualifier value)")
REACTIVE: Final = snomed("11214006", "Reactive (qualifier value)")
NOT_DETECTED: Final = snomed("260415000", "Not detected (qualifier value)")
A_POSITIVE: Final = snomed("278149003", "Blood group A Rh(D) positive (finding)")


@dataclass(frozen=True, slots=True)
class Missing:
    """Why a measurement has no value (FHIR `data-absent-reason` and a sentence)."""

    code: str
    display: str
    text: str


HEMOLYZED: Final = Missing("error", "Error", "Specimen hemolyzed; please collect again")
IN_PROGRESS: Final = Missing("temp-unknown", "Temporarily Unknown", "Test in progress")

Result = float | str | Coding | Missing
"""A number, a text such as "Negative" or "<0.1", a coded finding, or the lack of any of them."""


@dataclass(frozen=True, slots=True)
class Range:
    """A reference range; both bounds belong to it, ages are full years and belong to it too."""

    low: float | None = None
    high: float | None = None
    text: str = ""
    gender: str = ""
    from_age: int = 0
    to_age: int = 150

    def fits(self, gender: str, age: int) -> bool:
        """Whether this is the range for such a patient."""
        return self.gender in ("", gender) and self.from_age <= age <= self.to_age


@dataclass(frozen=True, slots=True)
class Analyte:
    """One thing that can be measured; `unit` is UCUM and empty for a finding without one."""

    code: Coding
    name: str
    unit: str = ""
    ranges: tuple[Range, ...] = ()
    critical_low: float | None = None
    critical_high: float | None = None
    expected: str = ""

    def range_for(self, gender: str, age: int) -> Range | None:
        """The first range that fits, or None for an analyte without one."""
        return next((r for r in self.ranges if r.fits(gender, age)), None)

    def flag(self, value: float, within: Range) -> str:
        """The v3-ObservationInterpretation code of a number: N, L, LL, H or HH."""
        if within.high is not None and value > within.high:
            critical = self.critical_high is not None and value >= self.critical_high
            return "HH" if critical else "H"
        if within.low is not None and value < within.low:
            critical = self.critical_low is not None and value <= self.critical_low
            return "LL" if critical else "L"
        return "N"


@dataclass(frozen=True, slots=True)
class Panel:
    """What is ordered and reported together; `imaging` panels are read, not assayed."""

    code: Coding
    name: str
    analytes: tuple[str, ...]
    imaging: bool = False

    @property
    def report_category(self) -> Coding:
        """The v2-0074 section that reports it."""
        return hl7("v2-0074", *(("RAD", "Radiology") if self.imaging else ("LAB", "Laboratory")))


def analyte(
    loinc: str, display: str, name: str, unit: str = "", *ranges: Range, expected: str = ""
) -> Analyte:
    """An analyte with a LOINC code; `expected` is the normal finding of a test without a number."""
    return Analyte(Coding(LOINC, loinc, display), name, unit, ranges, expected=expected)


def between(low: float, high: float) -> Range:
    """A range for everyone."""
    return Range(low, high)


def by_sex(female: tuple[float, float], male: tuple[float, float]) -> tuple[Range, Range]:
    """The ranges of women and of men."""
    return Range(*female, gender="female"), Range(*male, gender="male")


def up_to(high: float, text: str) -> Range:
    """A range without a lower bound."""
    return Range(None, high, text)
