"""The people of the second clinic: Liam Byrne and his peanut allergy, Noor Rahman and her iron."""

from demo.stories import codes
from demo.stories.chart import Chart
from demo.stories.clinics import LAKESIDE
from demo.stories.panels import BLOOD_COUNT, IRON, LEAD, PEANUT_IGE, THYROID, URINE_PREGNANCY
from demo.stories.patients import Person, Relative
from demo.stories.results import blood_count, iron_studies
from demo.stories.routine import NEVER_SMOKED, flu_shots
from demo.stories.visits import CHECKUP, FOLLOW_UP, PROBLEM_VISIT, WELL_CHILD

# Day and vaccine of the CDC child schedule; the dose is counted per vaccine.
_CHILD_SCHEDULE = (
    ("2019-05-20", codes.HEPATITIS_B_CHILD),
    ("2019-07-22", codes.HEPATITIS_B_CHILD),
    ("2019-07-22", codes.ROTAVIRUS),
    ("2019-07-22", codes.DTAP),
    ("2019-07-22", codes.HIB),
    ("2019-07-22", codes.PCV13),
    ("2019-07-22", codes.POLIO),
    ("2019-09-23", codes.ROTAVIRUS),
    ("2019-09-23", codes.DTAP),
    ("2019-09-23", codes.HIB),
    ("2019-09-23", codes.PCV13),
    ("2019-09-23", codes.POLIO),
    ("2019-11-25", codes.ROTAVIRUS),
    ("2019-11-25", codes.DTAP),
    ("2019-11-25", codes.HIB),
    ("2019-11-25", codes.PCV13),
    ("2019-11-25", codes.POLIO),
    ("2019-11-25", codes.HEPATITIS_B_CHILD),
    ("2020-05-26", codes.MMR),
    ("2020-05-26", codes.VARICELLA),
    ("2020-05-26", codes.HEPATITIS_A_CHILD),
    ("2020-08-24", codes.HIB),
    ("2020-08-24", codes.PCV13),
    ("2020-08-24", codes.DTAP),
    ("2020-11-30", codes.HEPATITIS_A_CHILD),
    ("2023-05-30", codes.DTAP),
    ("2023-05-30", codes.POLIO),
    ("2023-05-30", codes.MMR),
    ("2023-05-30", codes.VARICELLA),
)


def liam() -> Chart:
    """The chart of Liam Byrne."""
    chart = Chart(
        "liam",
        Person(
            "Liam",
            "Byrne",
            "male",
            "2019-05-20",
            "LPW-200118",
            "14 Beacon Road",
            "+1-419-555-0118",
            relative=Relative("Aoife", "Byrne", "MTH", "mother", "+1-419-555-0118"),
        ),
        LAKESIDE,
    )
    for place, (day, vaccine) in enumerate(_CHILD_SCHEDULE):
        dose = 1 + sum(earlier == vaccine for _, earlier in _CHILD_SCHEDULE[:place])
        chart.vaccine(day, vaccine, dose)
    flu_shots(chart, range(2020, 2027))
    _liam_growth(chart)
    _liam_peanut(chart)
    visit = chart.visit("2026-08-27 15:30", FOLLOW_UP, "children", "Allergy plan for school")
    chart.vitals(visit, "98/60", kg=25.9, cm=123.5)
    return chart


def _liam_growth(chart: Chart) -> None:
    checks = (
        ("2019-07-22 09:30", "", 5.6, 58.4),
        ("2020-05-26 09:30", "", 9.8, 76.0),
        ("2021-05-24 09:30", "", 12.7, 87.5),
        ("2022-05-23 09:30", "92/54", 14.5, 96.0),
        ("2023-05-30 09:30", "94/56", 16.6, 103.0),
        ("2024-05-20 15:30", "96/58", 18.8, 109.5),
        ("2025-05-27 15:30", "98/58", 21.3, 116.0),
        ("2026-05-26 15:30", "98/60", 25.2, 122.5),
    )
    for when, pressure, weight, height in checks:
        visit = chart.visit(when, WELL_CHILD, "children", "Well-child visit")
        chart.vitals(visit, pressure, kg=weight, cm=height)
        if when.startswith("2020"):
            chart.condition(visit, codes.ECZEMA, onset="2019-11", abated="2023-05-30")
            chart.lab_panel(visit, LEAD, {"lead": "<1.0"})
            chart.lab_panel(visit, BLOOD_COUNT, blood_count(11.8, wbc=8.9, platelets=318, mcv=78))


def _liam_peanut(chart: Chart) -> None:
    visit = chart.visit("2021-03-15 12:40", PROBLEM_VISIT, "children", "Hives after peanut butter")
    chart.vitals(visit, "88/50", pulse=138, breaths=30, spo2=97, kg=12.3)
    visit = chart.visit("2021-03-29 10:00", PROBLEM_VISIT, "allergy", "Peanut reaction")
    chart.allergy(
        visit,
        codes.PEANUT,
        codes.HIVES,
        severity="moderate",
        criticality="high",
        kind="food",
        onset="2021-03-15",
    )
    chart.condition(visit, codes.PEANUT_ALLERGY, onset="2021-03-15")
    chart.lab_panel(visit, PEANUT_IGE, {"peanut_ige": 11.4})
    chart.medication(
        visit,
        codes.EPINEPHRINE_0_15,
        "Inject 0.15 mg into the outer thigh for a severe reaction, then call 911",
        stopped="2026-06-08",
        why_stopped="Weight above 25 kg: change to 0.3 mg",
    )
    chart.medication(visit, codes.CETIRIZINE_5, "Give half a tablet by mouth for mild hives")
    for when, level in (("2023-06-12 10:00", 8.7), ("2026-06-08 10:00", 5.9)):
        visit = chart.visit(when, FOLLOW_UP, "allergy", "Allergy follow-up")
        chart.lab_panel(visit, PEANUT_IGE, {"peanut_ige": level})
    chart.medication(
        visit,
        codes.EPINEPHRINE_0_3,
        "Inject 0.3 mg into the outer thigh for a severe reaction, then call 911",
    )


def noor() -> Chart:
    """The chart of Noor Rahman."""
    chart = Chart(
        "noor",
        Person(
            "Noor",
            "Rahman",
            "female",
            "2000-02-06",
            "LPW-200142",
            "27 Dockside Lane",
            "+1-419-555-0142",
            race="asian",
        ),
        LAKESIDE,
    )
    visit = chart.visit("2026-01-12 13:30", CHECKUP, "women", "Tired, heavy periods")
    chart.vitals(visit, "106/64", pulse=98, kg=54.1, cm=160)
    chart.smoking(visit, NEVER_SMOKED)
    chart.no_known_allergies(visit)
    chart.condition(visit, codes.HEAVY_PERIODS, onset="2025-03")
    chart.condition(visit, codes.IRON_DEFICIENCY)
    chart.lab_panel(visit, URINE_PREGNANCY, {"urine_pregnancy": "Negative"})
    chart.lab_panel(
        visit, BLOOD_COUNT, blood_count(8.9, wbc=6.2, platelets=431, mcv=71, hematocrit=28.4)
    )
    chart.lab_panel(visit, IRON, iron_studies(19, 498, 4))
    chart.lab_panel(visit, THYROID, {"tsh": 1.9})
    chart.medication(visit, codes.FERROUS_SULFATE, "Take 1 tablet by mouth every other day")
    chart.medication(visit, codes.LEVONORGESTREL_IUD, "Placed in the uterus; lasts 8 years")
    _noor_recovery(chart)
    flu_shots(chart, (2024, 2025, 2026))
    for day, dose in (("2012-03-12", 1), ("2012-05-14", 2), ("2012-09-17", 3)):
        chart.vaccine(day, codes.HPV4, dose)
    chart.vaccine("2022-02-14", codes.TDAP)
    return chart


def _noor_recovery(chart: Chart) -> None:
    checks = (
        ("2026-03-09 13:30", 84, 10.6, 389, 77, 32.9, 48, 432, 14),
        ("2026-06-15 13:30", 76, 12.3, 322, 84, 37.2, 71, 374, 31),
        ("2026-11-02 13:30", 72, 13.0, 287, 88, 39.1, 86, 348, 46),
    )
    for when, pulse, hemoglobin, platelets, mcv, hematocrit, iron, tibc, ferritin in checks:
        visit = chart.visit(when, FOLLOW_UP, "women", "Anemia follow-up")
        chart.vitals(visit, "108/66", pulse=pulse, kg=54.6, cm=160)
        count = blood_count(
            hemoglobin, wbc=6.0, platelets=platelets, mcv=mcv, hematocrit=hematocrit
        )
        chart.lab_panel(visit, BLOOD_COUNT, count)
        chart.lab_panel(visit, IRON, iron_studies(iron, tibc, ferritin))
