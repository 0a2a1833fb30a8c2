"""Rosa Delgado: ten years with type 2 diabetes, and a new HbA1c last week."""

from demo.stories import codes
from demo.stories.chart import Chart
from demo.stories.clinics import RIVERSIDE
from demo.stories.codes import LOINC, Coding
from demo.stories.panels import A1C, B12, BASIC, LIPIDS, LIVER, URINE_ALBUMIN
from demo.stories.patients import Person
from demo.stories.results import basic, lipids
from demo.stories.routine import NEVER_SMOKED, flu_shots, shingles_shots
from demo.stories.visits import CHECKUP, FOLLOW_UP, Visit

_RIGHT_EYE = Coding(
    LOINC, "71491-5", "Right eye Diabetic retinopathy severity level by Ophthalmoscopy", "Right eye"
)
_LEFT_EYE = Coding(
    LOINC, "71490-7", "Left eye Diabetic retinopathy severity level by Ophthalmoscopy", "Left eye"
)
_NO_RETINOPATHY = Coding(LOINC, "LA18643-9", "No apparent retinopathy")

# Date, blood pressure, weight (kg), HbA1c (%), glucose, BUN, creatinine, potassium.
_CHECKS = (
    ("2016-07-18 09:00", "142/88", 86.9, 8.1, 158, 15, 0.72, 4.2),
    ("2017-01-23 09:30", "138/86", 86.1, 7.6, 141, 14, 0.74, 4.4),
    ("2018-02-12 08:45", "136/84", 86.8, 7.4, 138, 15, 0.74, 4.3),
    ("2021-03-15 10:00", "134/82", 88.2, 8.0, 161, 17, 0.80, 4.4),
    ("2023-09-11 09:00", "130/80", 84.3, 7.8, 147, 17, 0.83, 4.6),
    ("2024-03-11 08:30", "128/78", 81.2, 7.5, 136, 18, 0.84, 4.5),
    ("2025-03-17 09:00", "126/78", 79.0, 7.3, 131, 18, 0.85, 4.7),
    ("2026-05-04 09:30", "126/76", 78.1, 7.2, 128, 17, 0.86, 4.6),
)
# Date, total cholesterol, HDL, triglycerides, urine albumin/creatinine.
_YEARLY = {
    "2018-02-12 08:45": (196, 42, 178, 24),
    "2021-03-15 10:00": (188, 43, 170, 46),
    "2024-03-11 08:30": (159, 47, 138, 38),
    "2026-05-04 09:30": (150, 50, 121, 27),
}


def rosa() -> Chart:
    """The chart of Rosa Delgado."""
    chart = Chart(
        "rosa",
        Person(
            "Rosa",
            "Delgado",
            "female",
            "1968-08-30",
            "RFH-100417",
            "218 Sycamore Street",
            "+1-937-555-0117",
            language="es",
            race="other",
            hispanic=True,
        ),
        RIVERSIDE,
    )
    _diagnosis(chart)
    for row in _CHECKS:
        _check(chart, *row)
    _treatment_steps(chart)
    _eye_exams(chart)
    flu_shots(chart, range(2019, 2027))
    shingles_shots(chart, "2019-05-06", "2019-08-12")
    for dose, day in enumerate(("2021-04-08", "2021-05-10", "2021-10-11"), start=1):
        chart.vaccine(day, codes.HEPATITIS_B_ADULT, dose)
    chart.vaccine("2023-09-11", codes.PCV20)
    _last_week(chart)
    return chart


def _diagnosis(chart: Chart) -> None:
    visit = chart.visit("2016-04-11 09:30", CHECKUP, "family", "Thirst and tiredness")
    chart.vitals(visit, "148/92", pulse=84, kg=88.4, cm=160, celsius=36.7, breaths=16)
    chart.smoking(visit, NEVER_SMOKED)
    chart.condition(visit, codes.TYPE_2_DIABETES)
    chart.condition(visit, codes.HYPERTENSION)
    chart.condition(visit, codes.MIXED_HYPERLIPIDEMIA)
    chart.condition(visit, codes.OBESITY)
    chart.allergy(visit, codes.PENICILLIN, codes.HIVES, severity="moderate", onset="1991")
    chart.lab_panel(visit, A1C, {"a1c": 9.4})
    chart.lab_panel(visit, BASIC, basic(212, 14, 0.70, sodium=137, potassium=4.2))
    chart.lab_panel(visit, LIPIDS, lipids(238, 39, 246))
    chart.lab_panel(visit, LIVER, {"alt": 41, "ast": 34})
    chart.lab_panel(visit, URINE_ALBUMIN, {"uacr": 18})
    chart.medication(
        visit,
        codes.METFORMIN_500,
        "Take 1 tablet by mouth twice a day with meals",
        stopped="2017-01-23",
        why_stopped="Dose increased",
    )
    chart.medication(
        visit,
        codes.LISINOPRIL_10,
        "Take 1 tablet by mouth every morning",
        stopped="2021-03-15",
        why_stopped="Dose increased",
    )
    chart.medication(
        visit,
        codes.ATORVASTATIN_20,
        "Take 1 tablet by mouth at bedtime",
        stopped="2021-03-15",
        why_stopped="Dose increased",
    )


def _check(
    chart: Chart,
    when: str,
    pressure: str,
    weight: float,
    a1c: float,
    glucose: float,
    bun: float,
    creatinine: float,
    potassium: float,
) -> None:
    visit = chart.visit(when, FOLLOW_UP, "family", "Diabetes follow-up")
    chart.vitals(visit, pressure, pulse=78, kg=weight)
    chart.lab_panel(visit, A1C, {"a1c": a1c})
    chart.lab_panel(visit, BASIC, basic(glucose, bun, creatinine, potassium=potassium))
    if when in _YEARLY:
        total, hdl, triglycerides, albumin = _YEARLY[when]
        chart.lab_panel(visit, LIPIDS, lipids(total, hdl, triglycerides))
        chart.lab_panel(visit, URINE_ALBUMIN, {"uacr": albumin})
    if when.startswith("2021"):
        chart.condition(visit, codes.DIABETIC_ALBUMINURIA)
        _stronger_doses(chart, visit)


def _stronger_doses(chart: Chart, visit: Visit) -> None:
    chart.medication(visit, codes.LISINOPRIL_20, "Take 1 tablet by mouth every morning")
    chart.medication(visit, codes.ATORVASTATIN_40, "Take 1 tablet by mouth at bedtime")
    # Long use of metformin can lower vitamin B12.
    chart.lab_panel(visit, B12, {"b12": 318})


def _treatment_steps(chart: Chart) -> None:
    visit = chart.visit("2017-01-23 10:00", FOLLOW_UP, "nurse", "Metformin dose")
    chart.medication(visit, codes.METFORMIN_1000, "Take 1 tablet by mouth twice a day with meals")
    visit = chart.visit("2023-03-06 09:00", FOLLOW_UP, "family", "Diabetes above target")
    chart.vitals(visit, "132/82", pulse=80, kg=88.9)
    chart.lab_panel(visit, A1C, {"a1c": 8.6})
    chart.medication(
        visit,
        codes.SEMAGLUTIDE_START,
        "Inject 0.25 mg under the skin once a week for 4 weeks, then 0.5 mg once a week",
        stopped="2024-03-11",
        why_stopped="Dose increased",
    )
    visit = chart.visit("2024-03-11 09:10", FOLLOW_UP, "nurse", "Semaglutide dose")
    chart.medication(visit, codes.SEMAGLUTIDE_1, "Inject 1 mg under the skin once a week")


def _eye_exams(chart: Chart) -> None:
    for when in ("2022-06-14 13:30", "2024-06-18 14:00", "2026-06-16 13:00"):
        visit = chart.visit(when, CHECKUP, "eyes", "Diabetic eye exam")
        chart.finding(visit, _RIGHT_EYE, _NO_RETINOPATHY)
        chart.finding(visit, _LEFT_EYE, _NO_RETINOPATHY)


def _last_week(chart: Chart) -> None:
    visit = chart.visit("2026-11-12 08:30", FOLLOW_UP, "family", "Diabetes follow-up")
    chart.vitals(visit, "124/76", pulse=74, kg=77.6, cm=160)
    chart.lab_panel(
        visit,
        A1C,
        {"a1c": 7.1},
        conclusion="HbA1c 7.1 %: close to the goal of below 7 %, the best in ten years.",
    )
    chart.lab_panel(visit, BASIC, basic(124, 17, 0.86, sodium=140, potassium=4.5))
