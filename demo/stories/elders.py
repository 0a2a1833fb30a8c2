"""Walter Novak, who reads large print and hears little, and Grace Thompson after breast cancer."""

from demo.stories import codes
from demo.stories.analytes import NOT_DETECTED
from demo.stories.chart import Chart
from demo.stories.clinics import RIVERSIDE
from demo.stories.panels import (
    BASIC,
    BLOOD_COUNT,
    COVID_PCR,
    DXA,
    LIPIDS,
    LIVER,
    NT_PROBNP,
    VITAMIN_D,
)
from demo.stories.patients import Person, Relative
from demo.stories.results import basic, blood_count, lipids
from demo.stories.routine import FORMER_SMOKER, NEVER_SMOKED, flu_shots, shingles_shots
from demo.stories.visits import CHECKUP, EMERGENCY, FOLLOW_UP, PROBLEM_VISIT


def walter() -> Chart:
    """The chart of Walter Novak."""
    chart = Chart(
        "walter",
        Person(
            "Walter",
            "Novak",
            "male",
            "1944-10-05",
            "RFH-100105",
            "3 Mill Pond Road",
            "+1-937-555-0105",
            relative=Relative("Irene", "Novak", "WIFE", "wife", "+1-937-555-0106"),
        ),
        RIVERSIDE,
    )
    visit = chart.visit("2018-03-19 10:00", PROBLEM_VISIT, "lungs", "Short of breath on stairs")
    chart.vitals(visit, "138/80", pulse=82, breaths=20, spo2=93, kg=78.6, cm=175, fev1=58)
    chart.smoking(visit, FORMER_SMOKER)
    chart.condition(visit, codes.COPD)
    chart.allergy(
        visit,
        codes.PENICILLIN,
        codes.ANAPHYLAXIS,
        severity="severe",
        criticality="high",
        onset="1969",
    )
    chart.medication(
        visit, codes.FLUTICASONE_SALMETEROL, "Inhale 1 puff twice a day; rinse the mouth"
    )
    chart.medication(visit, codes.ALBUTEROL, "Inhale 2 puffs every 4 to 6 hours if short of breath")
    _walter_flare_up(chart)
    _walter_checks(chart)
    flu_shots(chart, range(2018, 2027), senior=True)
    shingles_shots(chart, "2018-09-10", "2018-12-10")
    chart.vaccine("2017-04-10", codes.PPSV23)
    chart.vaccine("2023-04-17", codes.PCV20)
    return chart


def _walter_flare_up(chart: Chart) -> None:
    visit = chart.visit("2024-01-15 14:20", EMERGENCY, "emergency", "Worse breathing, cough")
    chart.vitals(visit, "146/84", pulse=104, breaths=28, spo2=88, celsius=37.6)
    chart.lab_panel(
        visit, BLOOD_COUNT, blood_count(15.8, wbc=12.9, platelets=244, mcv=92, eosinophils=0.3)
    )
    chart.lab_panel(visit, BASIC, basic(132, 21, 1.08, co2=31))
    chart.lab_panel(visit, NT_PROBNP, {"nt_probnp": 310})
    chart.lab_panel(visit, COVID_PCR, {"covid_pcr": NOT_DETECTED})
    chart.condition(visit, codes.COPD_EXACERBATION, abated="2024-01-29")
    chart.medication(
        visit,
        codes.PREDNISONE_20,
        "Take 2 tablets by mouth once a day for 5 days",
        stopped="2024-01-20",
        why_stopped="Course completed",
    )
    chart.medication(
        visit,
        codes.AZITHROMYCIN,
        "Take 2 tablets on the first day, then 1 tablet once a day for 4 days",
        stopped="2024-01-20",
        why_stopped="Course completed",
    )


def _walter_checks(chart: Chart) -> None:
    checks = (
        ("2019-03-25 10:00", "136/78", 94, 77.9, 56, 1.02, 15.2, 98),
        ("2021-04-12 10:00", "134/78", 94, 76.8, 54, 1.05, 15.4, 97),
        ("2023-04-17 10:00", "134/76", 93, 75.7, 52, 1.06, 15.5, 103),
        ("2024-02-12 10:00", "132/76", 92, 74.2, 49, 1.07, 15.3, 99),
        ("2025-04-14 10:00", "130/74", 92, 73.8, 48, 1.10, 15.4, 96),
        ("2026-10-19 10:00", "128/74", 92, 73.1, 46, 1.12, 15.6, 94),
    )
    for when, pressure, oxygen, weight, fev1, creatinine, hemoglobin, glucose in checks:
        visit = chart.visit(when, FOLLOW_UP, "lungs", "COPD follow-up")
        chart.vitals(visit, pressure, pulse=78, spo2=oxygen, kg=weight, fev1=fev1)
        if when[:4] in ("2019", "2023", "2026"):
            chart.lab_panel(visit, BASIC, basic(glucose, 18, creatinine, co2=28))
            chart.lab_panel(visit, BLOOD_COUNT, blood_count(hemoglobin, mcv=91))
    visit = chart.visit("2022-07-11 13:00", CHECKUP, "hearing", "Hearing test")
    chart.condition(visit, codes.HEARING_LOSS, onset="2019")


def grace() -> Chart:
    """The chart of Grace Thompson."""
    chart = Chart(
        "grace",
        Person(
            "Grace",
            "Thompson",
            "female",
            "1954-03-30",
            "RFH-100309",
            "88 Chapel Street",
            "+1-937-555-0109",
            race="black",
        ),
        RIVERSIDE,
    )
    _grace_cancer(chart)
    _grace_bones(chart)
    _grace_checks(chart)
    flu_shots(chart, range(2020, 2027), senior=True)
    shingles_shots(chart, "2019-02-11", "2019-05-20")
    chart.vaccine("2023-05-15", codes.PCV20)
    return chart


def _grace_cancer(chart: Chart) -> None:
    visit = chart.visit("2019-08-12 11:00", PROBLEM_VISIT, "cancer", "New breast cancer")
    chart.vitals(visit, "134/80", pulse=80, kg=70.4, cm=163)
    chart.smoking(visit, NEVER_SMOKED)
    chart.allergy(visit, codes.SULFONAMIDE, codes.RASH, severity="moderate", onset="1996")
    chart.condition(visit, codes.BREAST_CANCER, onset="2019-08-05", abated="2019-12-16")
    chart.lab_panel(visit, BLOOD_COUNT, blood_count(12.9, wbc=6.1, platelets=238))
    chart.lab_panel(visit, LIVER, {"alt": 21, "ast": 23})
    visit = chart.visit("2020-01-13 11:00", FOLLOW_UP, "cancer", "After surgery and radiation")
    chart.condition(visit, codes.BREAST_CANCER_HISTORY, onset="2019-12-16")
    chart.medication(
        visit,
        codes.ANASTROZOLE,
        "Take 1 tablet by mouth once a day for 5 years",
        stopped="2025-01-13",
        why_stopped="5 years of treatment completed",
    )


def _grace_bones(chart: Chart) -> None:
    scans = (
        ("2020-02-10 13:00", -1.9, -1.7, 24),
        ("2022-02-14 13:00", -2.6, -2.2, 31),
        ("2024-02-19 13:00", -2.4, -2.1, 38),
        ("2026-03-02 13:00", -2.2, -2.0, 41),
    )
    for when, spine, femur, vitamin_d in scans:
        visit = chart.visit(when, CHECKUP, "family", "Bone density scan")
        chart.lab_panel(visit, DXA, {"dxa_spine": spine, "dxa_femur": femur})
        if when[:4] in ("2022", "2026"):
            chart.lab_panel(visit, VITAMIN_D, {"vitamin_d": vitamin_d})
        if when.startswith("2022"):
            chart.condition(visit, codes.OSTEOPOROSIS)
            chart.medication(
                visit,
                codes.ALENDRONATE,
                "Take 1 tablet by mouth once a week with a full glass of water; stay upright "
                "for 30 minutes",
            )


def _grace_checks(chart: Chart) -> None:
    checks = (
        ("2021-05-17 09:00", "132/78", 70.9, 212, 64, 112, 0.81),
        ("2023-05-15 09:00", "130/78", 70.1, 204, 62, 118, 0.84),
        ("2025-05-19 09:00", "128/76", 69.2, 198, 65, 104, 0.86),
        ("2026-09-21 09:00", "128/74", 68.8, 195, 66, 97, 0.87),
    )
    for when, pressure, weight, total, hdl, triglycerides, creatinine in checks:
        visit = chart.visit(when, CHECKUP, "family", "Yearly check-up")
        chart.vitals(visit, pressure, pulse=74, kg=weight, cm=162)
        chart.lab_panel(visit, LIPIDS, lipids(total, hdl, triglycerides))
        if when[:4] in ("2023", "2026"):
            chart.lab_panel(visit, BASIC, basic(94, 15, creatinine))
            chart.lab_panel(visit, BLOOD_COUNT, blood_count(12.8))
