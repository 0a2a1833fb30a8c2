"""Tess Morgan and her mother Laura, and Amara Okoye who expects her first child."""

from demo.stories import codes
from demo.stories.analytes import A_POSITIVE, NON_REACTIVE, NOT_DETECTED
from demo.stories.chart import Chart
from demo.stories.clinics import RIVERSIDE
from demo.stories.panels import (
    BASIC,
    BLOOD_COUNT,
    BLOOD_TYPE,
    CHLAMYDIA_GONORRHEA,
    COVID_PCR,
    GLUCOSE_SCREEN,
    GLUCOSE_TOLERANCE,
    HIV,
    IRON,
    LIPIDS,
    PRENATAL_SEROLOGY,
    URINE_CULTURE,
    URINE_PREGNANCY,
)
from demo.stories.patients import Person, Relative
from demo.stories.results import basic, blood_count, iron_studies, lipids
from demo.stories.routine import NEVER_SMOKED, flu_shots
from demo.stories.visits import (
    CHECKUP,
    CONTRACEPTION,
    FIRST_PRENATAL,
    FOLLOW_UP,
    PRENATAL,
    PROBLEM_VISIT,
    WELL_CHILD,
    Visit,
)


def tess() -> Chart:
    """The chart of Tess Morgan."""
    chart = Chart(
        "tess",
        Person(
            "Tess",
            "Morgan",
            "female",
            "2011-04-23",
            "RFH-100815",
            "52 Orchard Hill",
            "+1-937-555-0182",
            relative=Relative("Laura", "Morgan", "MTH", "mother", "+1-937-555-0181"),
        ),
        RIVERSIDE,
    )
    visit = chart.visit("2019-10-21 15:30", PROBLEM_VISIT, "teens", "Cough at night, wheezing")
    chart.vitals(visit, "98/60", pulse=96, breaths=24, spo2=95, kg=27.1, cm=129)
    chart.condition(visit, codes.ASTHMA)
    chart.allergy(
        visit, codes.PENICILLIN, codes.RASH, severity="mild", criticality="low", onset="2015"
    )
    chart.medication(
        visit,
        codes.FLUTICASONE_44,
        "Inhale 2 puffs twice a day with a spacer; rinse the mouth afterwards",
    )
    chart.medication(visit, codes.ALBUTEROL, "Inhale 2 puffs every 4 hours if wheezing")
    _tess_asthma(chart)
    _tess_confidential(chart)
    for day, vaccine, dose in (
        ("2022-05-16", codes.TDAP, None),
        ("2022-05-16", codes.MENINGOCOCCAL, 1),
        ("2022-05-16", codes.HPV9, 1),
        ("2022-12-05", codes.HPV9, 2),
    ):
        chart.vaccine(day, vaccine, dose)
    flu_shots(chart, range(2020, 2027))
    return chart


def _tess_asthma(chart: Chart) -> None:
    checks = (
        ("2022-05-16 15:00", WELL_CHILD, "Yearly check-up", "104/62", 42.3, 150, 88),
        ("2024-05-20 15:00", WELL_CHILD, "Yearly check-up", "108/66", 52.0, 161, 91),
        ("2025-11-10 15:30", FOLLOW_UP, "Asthma follow-up", "110/68", 54.8, 164, 90),
        ("2026-05-11 15:00", WELL_CHILD, "Yearly check-up", "112/68", 55.6, 165, 93),
    )
    for when, kind, reason, pressure, weight, height, fev1 in checks:
        visit = chart.visit(when, kind, "teens", reason)
        chart.vitals(visit, pressure, pulse=76, kg=weight, cm=height, spo2=98, fev1=fev1)
        if when.startswith("2025"):
            chart.lab_panel(visit, COVID_PCR, {"covid_pcr": NOT_DETECTED})
        if when.startswith("2026"):
            chart.lab_panel(
                visit,
                BLOOD_COUNT,
                blood_count(13.1, wbc=6.9, platelets=271, mcv=87, eosinophils=0.6),
            )


def _tess_confidential(chart: Chart) -> None:
    labels = (codes.RESTRICTED, codes.SEXUAL_HEALTH_LABEL)
    visit = chart.visit(
        "2026-10-06 16:10", CONTRACEPTION, "teens", "Confidential visit", labels=labels
    )
    chart.vitals(visit, "110/66", pulse=80, kg=56.0, cm=165)
    chart.lab_panel(visit, URINE_PREGNANCY, {"urine_pregnancy": "Negative"})
    chart.lab_panel(
        visit,
        CHLAMYDIA_GONORRHEA,
        {"chlamydia": NOT_DETECTED, "gonorrhea": NOT_DETECTED},
        labels=(codes.STD_LABEL,),
    )
    chart.medication(
        visit,
        codes.ETONOGESTREL_IMPLANT,
        "Placed under the skin of the left upper arm; lasts 3 years",
    )


def laura() -> Chart:
    """The chart of Laura Morgan."""
    chart = Chart(
        "laura",
        Person(
            "Laura",
            "Morgan",
            "female",
            "1983-09-12",
            "RFH-100814",
            "52 Orchard Hill",
            "+1-937-555-0181",
        ),
        RIVERSIDE,
    )
    visit = chart.visit("2021-02-08 10:00", PROBLEM_VISIT, "family", "Headaches with nausea")
    chart.vitals(visit, "118/74", pulse=72, kg=66.8, cm=168)
    chart.smoking(visit, NEVER_SMOKED)
    chart.no_known_allergies(visit)
    chart.condition(visit, codes.MIGRAINE, onset="2008")
    chart.lab_panel(visit, BLOOD_COUNT, blood_count(13.4))
    chart.medication(
        visit,
        codes.SUMATRIPTAN,
        "Take 1 tablet by mouth when a migraine starts; may repeat once after 2 hours",
    )
    for when, pressure, weight in (
        ("2023-02-13 10:00", "120/76", 67.4),
        ("2025-02-17 10:00", "122/76", 68.0),
        ("2026-08-24 10:00", "120/78", 67.1),
    ):
        visit = chart.visit(when, CHECKUP, "family", "Yearly check-up")
        chart.vitals(visit, pressure, pulse=70, kg=weight, cm=168)
        if when.startswith("2025"):
            chart.lab_panel(visit, LIPIDS, lipids(184, 62, 96))
            chart.lab_panel(visit, BASIC, basic(88, 12, 0.74))
    flu_shots(chart, range(2021, 2027))
    chart.vaccine("2023-02-13", codes.TDAP)
    return chart


def amara() -> Chart:
    """The chart of Amara Okoye: last period 2026-03-12, due 2026-12-17."""
    chart = Chart(
        "amara",
        Person(
            "Amara",
            "Okoye",
            "female",
            "1995-01-28",
            "RFH-100923",
            "6 Lantern Street",
            "+1-937-555-0193",
            race="black",
            relative=Relative("Chidi", "Okoye", "HUSB", "husband", "+1-937-555-0194"),
        ),
        RIVERSIDE,
    )
    visit = chart.visit("2026-05-14 09:00", FIRST_PRENATAL, "obstetrics", "Pregnant, 9 weeks")
    chart.vitals(visit, "112/68", pulse=80, kg=68.2, cm=167)
    chart.smoking(visit, NEVER_SMOKED)
    chart.allergy(visit, codes.LATEX, codes.HIVES, kind="environment", onset="2014")
    chart.condition(visit, codes.PREGNANCY, onset="2026-03-12")
    _amara_first_labs(chart, visit)
    _amara_visits(chart)
    _amara_glucose(chart)
    chart.vaccine("2026-09-24", codes.TDAP)
    chart.vaccine("2026-10-08", codes.INFLUENZA)
    chart.vaccine("2026-11-05", codes.RSV_MATERNAL)
    return chart


def _amara_first_labs(chart: Chart, visit: Visit) -> None:
    chart.lab_panel(visit, BLOOD_COUNT, blood_count(12.2, wbc=8.1, platelets=251, mcv=86))
    chart.lab_panel(visit, BLOOD_TYPE, {"abo_rh": A_POSITIVE, "antibody_screen": "Negative"})
    chart.lab_panel(
        visit,
        PRENATAL_SEROLOGY,
        {
            "rubella_igg": "Positive (immune)",
            "hbsag": "Negative",
            "rpr": NON_REACTIVE,
            "hcv_antibody": NON_REACTIVE,
        },
    )
    chart.lab_panel(visit, HIV, {"hiv": NON_REACTIVE}, labels=(codes.RESTRICTED, codes.HIV_LABEL))
    chart.lab_panel(visit, URINE_CULTURE, {"urine_culture": "No growth"})
    chart.medication(
        visit,
        codes.ASPIRIN_81,
        "From 12 weeks, take 1 tablet by mouth every evening until 36 weeks",
        stopped="2026-11-19",
        why_stopped="36 weeks reached",
    )


def _amara_visits(chart: Chart) -> None:
    visits = (
        ("2026-06-11 09:00", "13 weeks", "110/66", 69.1),
        ("2026-07-09 09:00", "17 weeks", "108/64", 70.8),
        ("2026-08-06 09:00", "21 weeks", "110/66", 72.9),
        ("2026-10-08 09:00", "30 weeks", "114/70", 76.8),
        ("2026-11-05 09:00", "34 weeks", "116/72", 78.3),
        ("2026-11-19 09:00", "36 weeks", "118/74", 79.0),
    )
    for when, week, pressure, weight in visits:
        visit = chart.visit(when, PRENATAL, "obstetrics", f"Prenatal visit, {week}")
        chart.vitals(visit, pressure, pulse=84, kg=weight)
        if week == "34 weeks":
            chart.lab_panel(visit, BLOOD_COUNT, blood_count(10.6, wbc=9.4, platelets=219, mcv=79))
            chart.lab_panel(visit, IRON, iron_studies(38, 468, 9))
            chart.medication(visit, codes.FERROUS_SULFATE, "Take 1 tablet by mouth every other day")


def _amara_glucose(chart: Chart) -> None:
    visit = chart.visit("2026-09-10 09:00", PRENATAL, "obstetrics", "Prenatal visit, 26 weeks")
    chart.vitals(visit, "112/68", pulse=82, kg=75.0)
    chart.lab_panel(visit, GLUCOSE_SCREEN, {"glucose_50g": 152}, minutes=75)
    chart.lab_panel(visit, BLOOD_COUNT, blood_count(11.4, wbc=9.0, platelets=232, mcv=83))
    visit = chart.visit("2026-09-17 07:45", PRENATAL, "obstetrics", "Glucose tolerance test")
    chart.lab_panel(
        visit,
        GLUCOSE_TOLERANCE,
        {"glucose_fasting": 92, "glucose_1h": 191, "glucose_2h": 162, "glucose_3h": 128},
        minutes=185,
        conclusion="Two values above the limit: gestational diabetes.",
    )
    visit = chart.visit("2026-09-24 09:00", PRENATAL, "obstetrics", "Prenatal visit, 28 weeks")
    chart.vitals(visit, "112/70", pulse=82, kg=75.6)
    chart.condition(visit, codes.GESTATIONAL_DIABETES, onset="2026-09-18")
