"""Omar Haddad and a test he waits for, Mei Chen who cares for her father, Daniel Reyes."""

from datetime import timedelta

from demo.stories import codes
from demo.stories.analytes import IN_PROGRESS, NON_REACTIVE, REACTIVE
from demo.stories.chart import Chart
from demo.stories.clinics import RIVERSIDE
from demo.stories.panels import (
    BASIC,
    BLOOD_COUNT,
    HEPATITIS_C,
    HIV,
    LIPIDS,
    LIVER,
    THYROID,
)
from demo.stories.patients import Person, Relative
from demo.stories.results import basic, blood_count, lipids
from demo.stories.routine import NEVER_SMOKED, flu_shots
from demo.stories.visits import CHECKUP, FOLLOW_UP, PROBLEM_VISIT, VIDEO


def omar() -> Chart:
    """The chart of Omar Haddad."""
    chart = Chart(
        "omar",
        Person(
            "Omar",
            "Haddad",
            "male",
            "1982-02-19",
            "RFH-100661",
            "31 Quarry Road, Apt 4",
            "+1-937-555-0161",
            language="ar",
        ),
        RIVERSIDE,
    )
    for when, pressure, weight, total, hdl, triglycerides in (
        ("2023-10-09 11:00", "128/82", 83.5, 192, 46, 131),
        ("2025-10-13 11:00", "126/80", 82.7, 186, 48, 109),
    ):
        visit = chart.visit(when, CHECKUP, "family", "Yearly check-up")
        chart.vitals(visit, pressure, pulse=70, kg=weight, cm=178)
        chart.lab_panel(visit, LIPIDS, lipids(total, hdl, triglycerides))
        if when.startswith("2023"):
            chart.lab_panel(visit, BASIC, basic(92, 14, 0.96))
            chart.smoking(visit, NEVER_SMOKED)
            chart.no_known_allergies(visit)
    flu_shots(chart, (2024, 2025))
    chart.vaccine("2023-10-09", codes.TDAP)
    _omar_screening(chart)
    return chart


def _omar_screening(chart: Chart) -> None:
    labels = (codes.RESTRICTED,)
    visit = chart.visit(
        "2026-11-16 15:30", PROBLEM_VISIT, "family", "Confidential screening", labels=labels
    )
    chart.vitals(visit, "130/82", pulse=76, kg=82.9, cm=178)
    chart.lab_panel(
        visit,
        HIV,
        {"hiv": NON_REACTIVE},
        labels=(codes.HIV_LABEL,),
        conclusion="No HIV antigen or antibody found.",
    )
    chart.lab_panel(
        visit,
        HEPATITIS_C,
        {"hcv_antibody": REACTIVE, "hcv_rna": IN_PROGRESS},
        status="preliminary",
        issued=timedelta(days=1, hours=3),
        labels=(codes.STD_LABEL,),
        conclusion="Antibody reactive. A viral load decides whether there is an infection now.",
    )
    chart.lab_panel(visit, LIVER, {"alt": 58, "ast": 43})


def mei() -> Chart:
    """The chart of Mei Chen."""
    chart = Chart(
        "mei",
        Person(
            "Mei",
            "Chen",
            "female",
            "1979-05-07",
            "RFH-100234",
            "79 Willow Court",
            "+1-937-555-0134",
            language="zh",
            race="asian",
            relative=Relative("Jun", "Chen", "NFTH", "natural father", "+1-937-555-0133"),
        ),
        RIVERSIDE,
    )
    visit = chart.visit("2022-01-18 09:00", PROBLEM_VISIT, "family", "Tired, cold, weight gain")
    chart.vitals(visit, "112/72", pulse=58, kg=61.8, cm=162)
    chart.smoking(visit, NEVER_SMOKED)
    chart.no_known_allergies(visit)
    chart.condition(visit, codes.HYPOTHYROIDISM)
    chart.lab_panel(visit, THYROID, {"tsh": 14.8, "free_t4": 0.6, "tpo": 412})
    chart.lab_panel(visit, LIPIDS, lipids(228, 61, 132))
    chart.medication(
        visit,
        codes.LEVOTHYROXINE_50,
        "Take 1 tablet by mouth every morning, 30 minutes before breakfast",
        stopped="2022-03-15",
        why_stopped="Dose increased",
    )
    _mei_thyroid_checks(chart)
    flu_shots(chart, range(2022, 2027))
    chart.vaccine("2021-06-21", codes.TDAP)
    return chart


def _mei_thyroid_checks(chart: Chart) -> None:
    checks = (
        ("2022-03-15 09:00", "114/72", 66, 61.0, 6.9, 0.9),
        ("2022-06-14 09:00", "112/70", 68, 60.1, 2.6, 1.2),
        ("2023-06-20 09:00", "116/74", 70, 59.6, 2.2, 1.3),
        ("2024-06-25 09:00", "118/74", 72, 59.9, 2.9, 1.2),
        ("2025-07-01 09:00", "120/76", 72, 60.3, 3.1, 1.2),
        ("2026-09-15 09:00", "122/78", 74, 60.9, 5.2, 1.0),
    )
    for when, pressure, pulse, weight, tsh, free_t4 in checks:
        visit = chart.visit(when, FOLLOW_UP, "family", "Thyroid check")
        chart.vitals(visit, pressure, pulse=pulse, kg=weight)
        chart.lab_panel(visit, THYROID, {"tsh": tsh, "free_t4": free_t4})
        if when.startswith("2022-03"):
            chart.medication(
                visit,
                codes.LEVOTHYROXINE_75,
                "Take 1 tablet by mouth every morning, 30 minutes before breakfast",
            )
        if when.startswith("2024"):
            chart.lab_panel(visit, LIPIDS, lipids(189, 64, 98))


def daniel() -> Chart:
    """The chart of Daniel Reyes."""
    chart = Chart(
        "daniel",
        Person(
            "Daniel",
            "Reyes",
            "male",
            "1989-07-11",
            "RFH-100748",
            "140 Canal Street",
            "+1-937-555-0174",
            race="white",
            hispanic=True,
        ),
        RIVERSIDE,
    )
    visit = chart.visit("2025-09-08 16:00", CHECKUP, "family", "Worry and poor sleep")
    chart.vitals(visit, "132/84", pulse=88, kg=79.4, cm=176)
    chart.smoking(visit, NEVER_SMOKED)
    chart.no_known_allergies(visit)
    # A thyroid that works too hard can look like anxiety.
    chart.lab_panel(visit, THYROID, {"tsh": 1.8, "free_t4": 1.2})
    chart.lab_panel(visit, BLOOD_COUNT, blood_count(15.0))
    chart.condition(visit, codes.ANXIETY)
    chart.survey(visit, "GAD-7", 15, "Severe anxiety (15-21)")
    chart.survey(visit, "PHQ-9", 9, "Mild depression (5-9)")
    _daniel_treatment(chart)
    flu_shots(chart, (2025, 2026))
    chart.vaccine("2025-09-08", codes.TDAP)
    return chart


def _daniel_treatment(chart: Chart) -> None:
    labels = (codes.RESTRICTED, codes.PSYCHIATRY_LABEL)
    checks = (
        ("2025-09-22 17:00", 14, "Moderate anxiety (10-14)", 8, "Mild depression (5-9)"),
        ("2025-11-03 17:00", 10, "Moderate anxiety (10-14)", 6, "Mild depression (5-9)"),
        ("2026-02-02 17:00", 7, "Mild anxiety (5-9)", 5, "Mild depression (5-9)"),
        ("2026-06-01 17:00", 5, "Mild anxiety (5-9)", 3, "Minimal depression (0-4)"),
        ("2026-11-10 17:00", 4, "Minimal anxiety (0-4)", 3, "Minimal depression (0-4)"),
    )
    for when, anxiety, anxiety_level, mood, mood_level in checks:
        visit = chart.visit(when, VIDEO, "mind", "Therapy follow-up", labels=labels)
        chart.survey(visit, "GAD-7", anxiety, anxiety_level)
        chart.survey(visit, "PHQ-9", mood, mood_level)
        if when.startswith("2025-09"):
            chart.medication(
                visit,
                codes.SERTRALINE,
                "Take half a tablet by mouth every morning for 1 week, then 1 tablet",
            )
