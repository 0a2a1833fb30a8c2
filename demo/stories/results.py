"""Sets of laboratory values as a clinician names them, and the values that follow from others."""

import hashlib
from collections.abc import Iterable, Mapping
from typing import Final

from demo.stories.analytes import Result

# The middle of what a healthy person has, the step of the report, and the steps either way.
_UNREMARKABLE: Final[Mapping[str, tuple[float, float, int]]] = {
    "sodium": (139, 1, 2),
    "potassium": (4.3, 0.1, 3),
    "chloride": (103, 1, 2),
    "co2": (25, 1, 2),
    "calcium": (9.4, 0.1, 3),
    "wbc": (6.6, 0.1, 12),
    "mcv": (89, 1, 2),
    "platelets": (246, 1, 24),
}


def basic(glucose: float, bun: float, creatinine: float, **others: Result) -> dict[str, Result]:
    """Values of a basic metabolic panel; what is not given is unremarkable.

    eGFR follows from creatinine, age and sex.
    """
    return {"glucose": glucose, "bun": bun, "creatinine": creatinine, **others}


def lipids(total: float, hdl: float, triglycerides: float) -> dict[str, Result]:
    """Values of a lipid panel in mg/dL; LDL follows by Friedewald's formula."""
    return {"cholesterol": total, "hdl": hdl, "triglycerides": triglycerides}


def blood_count(hemoglobin: float, **others: Result) -> dict[str, Result]:
    """Values of a blood count; what is not given is unremarkable.

    A hematocrit that is not given is three times the hemoglobin.
    """
    return {"hemoglobin": hemoglobin, "hematocrit": round(hemoglobin * 3, 1), **others}


def iron_studies(iron: float, tibc: float, ferritin: float) -> dict[str, Result]:
    """Values of iron studies; the saturation follows."""
    return {"iron": iron, "tibc": tibc, "ferritin": ferritin}


def with_unremarkable(
    values: Mapping[str, Result], analytes: Iterable[str], specimen: str
) -> dict[str, Result]:
    """The values together with ordinary ones for what was measured and not worth a word.

    They vary from one `specimen` (a name) to the next and are the same in every run.
    """
    missing = [key for key in analytes if key in _UNREMARKABLE and key not in values]
    return {**values, **{key: _unremarkable(key, f"{specimen}/{key}") for key in missing}}


def _unremarkable(key: str, name: str) -> float:
    middle, step, steps = _UNREMARKABLE[key]
    draw = int.from_bytes(hashlib.sha256(name.encode()).digest()[:4])
    return round(middle + step * (draw % (2 * steps + 1) - steps), 1)


def estimated_gfr(creatinine: float, age: int, gender: str) -> float:
    """The CKD-EPI 2021 estimate in mL/min/1.73 m2, rounded to a whole number."""
    female = gender == "female"
    kappa, alpha = (0.7, -0.241) if female else (0.9, -0.302)
    ratio = creatinine / kappa
    gfr: float = 142 * min(ratio, 1.0) ** alpha * max(ratio, 1.0) ** -1.2 * 0.9938**age
    return round(gfr * (1.012 if female else 1.0))


def with_derived(values: Mapping[str, Result], age: int, gender: str) -> dict[str, Result]:
    """The values together with eGFR, LDL and iron saturation where they can be computed."""
    numbers = {key: value for key, value in values.items() if isinstance(value, int | float)}
    derived: dict[str, Result] = {}
    if "creatinine" in numbers:
        derived["egfr"] = estimated_gfr(numbers["creatinine"], age, gender)
    if {"cholesterol", "hdl", "triglycerides"} <= numbers.keys():
        rest = numbers["hdl"] + numbers["triglycerides"] / 5
        derived["ldl"] = round(numbers["cholesterol"] - rest)
    if {"iron", "tibc"} <= numbers.keys():
        derived["iron_saturation"] = round(100 * numbers["iron"] / numbers["tibc"])
    return {**values, **derived}
