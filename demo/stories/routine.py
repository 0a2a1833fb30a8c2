"""What comes back year after year: seasonal vaccines and the social history."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final

from demo.stories import codes
from demo.stories.chart import Chart
from demo.stories.codes import Coding, snomed

NEVER_SMOKED: Final = snomed("266919005", "Never smoked tobacco (finding)")
FORMER_SMOKER: Final = snomed("8517006", "Ex-smoker (finding)")
_QUADRIVALENT: Final = range(2013, 2024)
_QUADRIVALENT_HIGH_DOSE: Final = range(2020, 2024)


def flu_shots(chart: Chart, years: Iterable[int], *, senior: bool = False) -> None:
    """A flu vaccination on the first Wednesday of each October, in the formulation of that season.

    `senior` is the high-dose vaccine for people of 65 and older.
    """
    for year in years:
        vaccine = _high_dose(year) if senior else _standard(year)
        chart.vaccine(_first_wednesday_of_october(year), vaccine)


def _first_wednesday_of_october(year: int) -> str:
    first = date(year, 10, 1)
    return (first + timedelta(days=(2 - first.weekday()) % 7)).isoformat()


def _standard(year: int) -> Coding:
    return codes.INFLUENZA_QUADRIVALENT if year in _QUADRIVALENT else codes.INFLUENZA


def _high_dose(year: int) -> Coding:
    if year in _QUADRIVALENT_HIGH_DOSE:
        return codes.INFLUENZA_HIGH_DOSE_QUADRIVALENT
    return codes.INFLUENZA_HIGH_DOSE


def shingles_shots(chart: Chart, first: str, second: str) -> None:
    """The two doses of the recombinant shingles vaccine."""
    chart.vaccine(first, codes.SHINGLES, 1)
    chart.vaccine(second, codes.SHINGLES, 2)
