"""Jun Chen, whose daughter keeps his heart medicines in order, and Henry Park after his attack."""

from datetime import timedelta

from demo.stories import codes
from demo.stories.analytes import HEMOLYZED
from demo.stories.chart import Chart
from demo.stories.clinics import RIVERSIDE
from demo.stories.codes import LOINC, Coding
from demo.stories.panels import (
    A1C,
    BASIC,
    BLOOD_COUNT,
    ECHOCARDIOGRAM,
    LIPIDS,
    LIVER,
    MAGNESIUM,
    NT_PROBNP,
    TROPONIN,
)
from demo.stories.patients import Person, Relative
from demo.stories.results import basic, blood_count, lipids
from demo.stories.routine import FORMER_SMOKER, flu_shots, shingles_shots
from demo.stories.visits import CHECKUP, EMERGENCY, FOLLOW_UP, HOSPITAL_STAY, VIDEO, Visit

_NYHA = Coding(LOINC, "88020-3", "Functional capacity NYHA")
_CLASS_2 = Coding(LOINC, "LA28405-1", "Class-II")

# Date, blood pressure, pulse, weight (kg), NT-proBNP, glucose, BUN, creatinine, potassium, Hb.
_JUN_CHECKS = (
    ("2023-05-22 10:00", "126/72", 76, 62.4, 1640, 98, 27, 1.60, 4.6, 13.1),
    ("2023-11-20 10:30", "122/70", 72, 62.0, 1380, 101, 28, 1.62, 4.8, 13.0),
    ("2024-06-10 10:00", "118/68", 70, 61.6, 1190, 97, 29, 1.64, 4.9, 12.8),
    ("2025-04-07 10:15", "116/68", 68, 61.1, 1120, 96, 31, 1.68, 5.0, 12.6),
    ("2025-10-20 10:00", "114/66", 68, 60.8, 1080, 99, 32, 1.71, 5.0, 12.5),
    ("2026-05-18 10:00", "116/66", 66, 60.9, 1010, 95, 32, 1.72, 4.9, 12.4),
)
_MINUTES_TO_RESULT = timedelta(minutes=55)


def jun() -> Chart:
    """The chart of Jun Chen."""
    chart = Chart(
        "jun",
        Person(
            "Jun",
            "Chen",
            "male",
            "1945-03-14",
            "RFH-100233",
            "77 Willow Court",
            "+1-937-555-0133",
            language="zh",
            race="asian",
            relative=Relative("Mei", "Chen", "DAU", "natural daughter", "+1-937-555-0134"),
        ),
        RIVERSIDE,
    )
    _jun_falls_ill(chart)
    for row in _JUN_CHECKS:
        _jun_check(chart, *row)
    _jun_dose_after_eighty(chart)
    _jun_potassium(chart)
    flu_shots(chart, range(2022, 2027), senior=True)
    shingles_shots(chart, "2019-09-16", "2020-01-13")
    chart.vaccine("2023-05-22", codes.PCV20)
    chart.vaccine("2025-10-20", codes.COVID)
    return chart


def _jun_falls_ill(chart: Chart) -> None:
    visit = chart.visit("2023-02-06 21:40", EMERGENCY, "emergency", "Short of breath, racing heart")
    chart.vitals(visit, "158/94", pulse=132, breaths=26, spo2=90, celsius=36.9, kg=64.9, cm=168)
    chart.lab_panel(visit, NT_PROBNP, {"nt_probnp": 6420}, minutes=12, issued=_MINUTES_TO_RESULT)
    chart.lab_panel(visit, TROPONIN, {"troponin": 31}, minutes=12, issued=_MINUTES_TO_RESULT)
    stay = chart.visit("2023-02-07 02:40", HOSPITAL_STAY, "heart", "Heart failure", minutes=5700)
    chart.lab_panel(stay, BASIC, basic(118, 36, 1.78, sodium=133, potassium=4.1, co2=21))
    chart.lab_panel(stay, BLOOD_COUNT, blood_count(12.9, wbc=9.8, platelets=211))
    chart.lab_panel(stay, MAGNESIUM, {"magnesium": 1.6})
    chart.lab_panel(
        stay,
        ECHOCARDIOGRAM,
        {"ejection_fraction": 33},
        minutes=480,
        conclusion="Left ventricle pumps weakly (33 %); left atrium enlarged.",
    )
    chart.condition(stay, codes.HEART_FAILURE)
    chart.condition(stay, codes.ATRIAL_FIBRILLATION)
    chart.condition(stay, codes.KIDNEY_DISEASE_3B, onset="2022-06")
    chart.condition(stay, codes.HYPERTENSIVE_HEART_KIDNEY, onset="2004")
    chart.allergy(stay, codes.LATEX, codes.RASH, kind="environment", onset="1988")
    chart.smoking(stay, FORMER_SMOKER)
    _jun_medicines(chart, stay)


def _jun_medicines(chart: Chart, stay: Visit) -> None:
    chart.medication(
        stay,
        codes.APIXABAN_5,
        "Take 1 tablet by mouth twice a day",
        stopped="2025-04-07",
        why_stopped="Dose reduced: age 80 and creatinine 1.7",
    )
    chart.medication(
        stay,
        codes.METOPROLOL_25,
        "Take 1 tablet by mouth once a day",
        stopped="2023-05-22",
        why_stopped="Dose increased",
    )
    chart.medication(
        stay,
        codes.LISINOPRIL_10,
        "Take 1 tablet by mouth once a day",
        stopped="2023-05-19",
        why_stopped="Stopped 3 days before changing to sacubitril/valsartan",
    )
    chart.medication(stay, codes.FUROSEMIDE_40, "Take 1 tablet by mouth every morning")
    chart.medication(stay, codes.ATORVASTATIN_20, "Take 1 tablet by mouth at bedtime")


def _jun_check(
    chart: Chart,
    when: str,
    pressure: str,
    pulse: float,
    weight: float,
    probnp: float,
    glucose: float,
    bun: float,
    creatinine: float,
    potassium: float,
    hemoglobin: float,
) -> None:
    visit = chart.visit(when, FOLLOW_UP, "heart", "Heart failure follow-up")
    chart.vitals(visit, pressure, pulse=pulse, kg=weight, spo2=96)
    chart.finding(visit, _NYHA, _CLASS_2)
    chart.lab_panel(visit, NT_PROBNP, {"nt_probnp": probnp})
    chart.lab_panel(visit, BASIC, basic(glucose, bun, creatinine, potassium=potassium))
    if when[:4] in ("2024", "2026"):
        chart.lab_panel(visit, BLOOD_COUNT, blood_count(hemoglobin, wbc=6.4, platelets=198))
    if when.startswith("2023-05"):
        chart.medication(visit, codes.SACUBITRIL_VALSARTAN, "Take 1 tablet by mouth twice a day")
        chart.medication(visit, codes.METOPROLOL_50, "Take 1 tablet by mouth once a day")
        chart.medication(visit, codes.DAPAGLIFLOZIN, "Take 1 tablet by mouth every morning")
    if when.startswith("2024"):
        chart.lab_panel(visit, ECHOCARDIOGRAM, {"ejection_fraction": 40})


def _jun_dose_after_eighty(chart: Chart) -> None:
    visit = chart.visit("2025-04-07 11:00", VIDEO, "heart", "Blood thinner dose")
    chart.medication(visit, codes.APIXABAN_2_5, "Take 1 tablet by mouth twice a day")


def _jun_potassium(chart: Chart) -> None:
    visit = chart.visit("2026-11-09 10:00", FOLLOW_UP, "heart", "Heart failure follow-up")
    chart.vitals(visit, "112/64", pulse=68, kg=61.2, spo2=96)
    chart.lab_panel(visit, NT_PROBNP, {"nt_probnp": 1060})
    chart.lab_panel(
        visit,
        BASIC,
        basic(97, 33, 1.74, potassium=5.0, sodium=138),
        corrected="potassium",
        issued=timedelta(days=2, hours=4),
        conclusion="Corrected: potassium first reported as 5.9 from a hemolyzed specimen; "
        "the repeat is 5.0 mmol/L.",
    )
    chart.lab_panel(visit, BLOOD_COUNT, blood_count(12.3, wbc=6.1, platelets=192))


def henry() -> Chart:
    """The chart of Henry Park."""
    chart = Chart(
        "henry",
        Person(
            "Henry",
            "Park",
            "male",
            "1960-06-02",
            "RFH-100502",
            "9 Foundry Lane",
            "+1-937-555-0152",
            race="asian",
            relative=Relative("Susan", "Park", "WIFE", "wife", "+1-937-555-0153"),
        ),
        RIVERSIDE,
    )
    _henry_before(chart)
    _henry_attack(chart)
    _henry_stay(chart)
    _henry_rehabilitation(chart)
    _henry_lipids(chart)
    flu_shots(chart, range(2022, 2025))
    flu_shots(chart, range(2025, 2027), senior=True)
    shingles_shots(chart, "2021-03-08", "2021-06-14")
    chart.vaccine("2025-07-14", codes.PCV20)
    return chart


def _henry_before(chart: Chart) -> None:
    visit = chart.visit("2022-08-15 08:20", CHECKUP, "family", "Yearly check-up")
    chart.vitals(visit, "146/90", pulse=78, kg=86.2, cm=174)
    chart.smoking(visit, FORMER_SMOKER)
    chart.condition(visit, codes.HYPERTENSION)
    chart.condition(visit, codes.MIXED_HYPERLIPIDEMIA)
    chart.allergy(visit, codes.CODEINE, codes.RASH)
    chart.lab_panel(visit, LIPIDS, lipids(244, 38, 198))
    chart.lab_panel(visit, BASIC, basic(104, 16, 0.98))
    chart.lab_panel(visit, A1C, {"a1c": 5.8})
    chart.medication(visit, codes.LISINOPRIL_10, "Take 1 tablet by mouth once a day")
    chart.medication(
        visit,
        codes.ATORVASTATIN_20,
        "Take 1 tablet by mouth at bedtime",
        stopped="2025-02-18",
        why_stopped="High-intensity statin after heart attack",
    )


def _henry_attack(chart: Chart) -> None:
    visit = chart.visit("2025-02-17 05:50", EMERGENCY, "emergency", "Chest pain")
    chart.vitals(visit, "164/98", pulse=104, breaths=22, spo2=95, celsius=36.8)
    for minutes, value in ((10, 88), (70, 412), (190, 1860)):
        chart.lab_panel(
            visit,
            TROPONIN,
            {"troponin": value},
            minutes=minutes,
            issued=_MINUTES_TO_RESULT,
        )
    chart.lab_panel(
        visit,
        BASIC,
        basic(148, 18, 1.04, potassium=HEMOLYZED),
        minutes=10,
        issued=_MINUTES_TO_RESULT,
    )
    chart.lab_panel(
        visit,
        BLOOD_COUNT,
        blood_count(15.1, wbc=12.4, platelets=262),
        minutes=10,
        issued=_MINUTES_TO_RESULT,
    )
    chart.condition(visit, codes.HEART_ATTACK, abated="2025-03-17")


def _henry_stay(chart: Chart) -> None:
    stay = chart.visit(
        "2025-02-17 10:50", HOSPITAL_STAY, "heart", "Heart attack (NSTEMI)", minutes=4300
    )
    chart.condition(stay, codes.CORONARY_DISEASE)
    chart.lab_panel(stay, BASIC, basic(121, 17, 1.01, potassium=4.1))
    chart.lab_panel(stay, LIPIDS, lipids(201, 37, 190), minutes=1200)
    chart.lab_panel(
        stay,
        ECHOCARDIOGRAM,
        {"ejection_fraction": 48},
        minutes=1500,
        conclusion="Front wall of the heart moves less; ejection fraction 48 %.",
    )
    chart.medication(stay, codes.ASPIRIN_81, "Take 1 tablet by mouth once a day")
    chart.medication(
        stay,
        codes.TICAGRELOR,
        "Take 1 tablet by mouth twice a day for 12 months",
        stopped="2026-02-18",
        why_stopped="12 months after the stent completed",
    )
    chart.medication(stay, codes.ATORVASTATIN_80, "Take 1 tablet by mouth at bedtime")
    chart.medication(stay, codes.METOPROLOL_25, "Take 1 tablet by mouth once a day")
    chart.medication(
        stay,
        codes.NITROGLYCERIN,
        "Dissolve 1 tablet under the tongue for chest pain; call 911 if not gone in 5 minutes",
    )


def _henry_rehabilitation(chart: Chart) -> None:
    sessions = (
        ("2025-03-17 14:00", "132/82", 74, 84.9),
        ("2025-04-14 14:00", "128/78", 70, 83.8),
        ("2025-05-12 14:00", "124/76", 66, 82.6),
    )
    for when, pressure, pulse, weight in sessions:
        visit = chart.visit(when, FOLLOW_UP, "heart", "Cardiac rehabilitation", minutes=60)
        chart.vitals(visit, pressure, pulse=pulse, kg=weight)


def _henry_lipids(chart: Chart) -> None:
    checks = (
        ("2025-04-21 08:10", "128/78", 152, 40, 148, 38, 31),
        ("2025-10-13 08:00", "126/76", 139, 42, 132, 36, 29),
        ("2026-10-26 08:00", "122/74", 118, 44, 115, 33, 28),
    )
    for when, pressure, total, hdl, triglycerides, alt, ast in checks:
        visit = chart.visit(when, FOLLOW_UP, "heart", "Heart follow-up")
        chart.vitals(visit, pressure, pulse=64, kg=82.1)
        chart.lab_panel(visit, LIPIDS, lipids(total, hdl, triglycerides))
        chart.lab_panel(visit, LIVER, {"alt": alt, "ast": ast})
        if when.startswith("2025-10"):
            chart.lab_panel(visit, BASIC, basic(101, 16, 1.02, potassium=4.4))
            chart.medication(visit, codes.EZETIMIBE, "Take 1 tablet by mouth once a day")
