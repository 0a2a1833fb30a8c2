"""Blood counts, infection tests and imaging, and the panels in which all analytes are ordered."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from demo.stories.analytes import Analyte, Panel, Range, analyte, between, up_to
from demo.stories.chemistry import CHEMISTRY
from demo.stories.codes import LOINC, Coding

_HEMATOLOGY: dict[str, Analyte] = {
    "wbc": analyte(
        "6690-2",
        "Leukocytes [#/volume] in Blood by Automated count",
        "White blood cells",
        "10*3/uL",
        Range(5.0, 14.5, to_age=9),
        Range(4.0, 11.0),
    ),
    "hemoglobin": replace(
        analyte(
            "718-7",
            "Hemoglobin [Mass/volume] in Blood",
            "Hemoglobin",
            "g/dL",
            Range(11.0, 14.5, to_age=11),
            Range(12.0, 15.5, gender="female"),
            Range(13.5, 17.5, gender="male"),
        ),
        critical_low=7.0,
        critical_high=20.0,
    ),
    "hematocrit": analyte(
        "4544-3",
        "Hematocrit [Volume Fraction] of Blood by Automated count",
        "Hematocrit",
        "%",
        Range(33.0, 43.0, to_age=11),
        Range(36.0, 46.0, gender="female"),
        Range(40.0, 52.0, gender="male"),
    ),
    "mcv": analyte(
        "787-2",
        "MCV [Entitic volume] by Automated count",
        "MCV",
        "fL",
        Range(74, 90, to_age=9),
        Range(80, 100),
    ),
    "platelets": analyte(
        "777-3",
        "Platelets [#/volume] in Blood by Automated count",
        "Platelets",
        "10*3/uL",
        between(150, 400),
    ),
    "eosinophils": analyte(
        "711-2",
        "Eosinophils [#/volume] in Blood by Automated count",
        "Eosinophils",
        "10*3/uL",
        between(0.0, 0.5),
    ),
}

_INFECTION_AND_TYPING = {
    "hiv": analyte(
        "56888-1",
        "HIV 1+2 Ab+HIV1 p24 Ag [Presence] in Serum or Plasma by Immunoassay",
        "HIV antigen and antibody",
        expected="131194007",
    ),
    "hcv_antibody": analyte(
        "13955-0",
        "Hepatitis C virus Ab [Presence] in Serum or Plasma by Immunoassay",
        "Hepatitis C antibody",
        expected="131194007",
    ),
    "hcv_rna": analyte(
        "11011-4",
        "Hepatitis C virus RNA [Units/volume] (viral load) in Serum or "
        "Plasma by NAA with probe detection",
        "Hepatitis C viral load",
        "[IU]/mL",
        up_to(14, "Not detected (<15 IU/mL)"),
    ),
    "hbsag": analyte(
        "5196-1",
        "Hepatitis B virus surface Ag [Presence] in Serum or Plasma by Immunoassay",
        "Hepatitis B surface antigen",
        expected="Negative",
    ),
    "rpr": analyte(
        "20507-0", "Reagin Ab [Presence] in Serum by RPR", "Syphilis (RPR)", expected="131194007"
    ),
    "chlamydia": analyte(
        "43304-5",
        "Chlamydia trachomatis rRNA [Presence] in Specimen by NAA with probe detection",
        "Chlamydia",
        expected="260415000",
    ),
    "gonorrhea": analyte(
        "43305-2",
        "Neisseria gonorrhoeae rRNA [Presence] in Specimen by NAA with probe detection",
        "Gonorrhea",
        expected="260415000",
    ),
    "urine_pregnancy": analyte(
        "2106-3",
        "Choriogonadotropin (pregnancy test) [Presence] in Urine",
        "Urine pregnancy test",
        expected="Negative",
    ),
    "rubella_igg": analyte(
        "25514-1",
        "Rubella virus IgG Ab [Presence] in Serum by Immunoassay",
        "Rubella immunity",
        expected="Positive (immune)",
    ),
    "abo_rh": analyte("882-1", "ABO and Rh group [Type] in Blood", "Blood group"),
    "antibody_screen": analyte(
        "890-4",
        "Blood group antibody screen [Presence] in Serum or Plasma",
        "Red cell antibody screen",
        expected="Negative",
    ),
    "urine_culture": analyte(
        "630-4", "Bacteria identified in Urine by Culture", "Urine culture", expected="No growth"
    ),
    "covid_pcr": analyte(
        "94500-6",
        "SARS-CoV-2 (COVID-19) RNA [Presence] in Respiratory specimen by NAA with probe detection",
        "COVID-19 PCR",
        expected="260415000",
    ),
}

_IMAGING = {
    "dxa_spine": analyte(
        "38267-1",
        "DXA Lumbar spine [T-score] Bone density",
        "Lumbar spine T-score",
        "{T-score}",
        Range(-1.0, None, "-1.0 or higher; -2.5 or lower is osteoporosis"),
    ),
    "dxa_femur": analyte(
        "38263-0",
        "DXA Femur [T-score] Bone density",
        "Hip T-score",
        "{T-score}",
        Range(-1.0, None, "-1.0 or higher; -2.5 or lower is osteoporosis"),
    ),
    "ejection_fraction": analyte(
        "10230-1", "Left ventricular Ejection fraction", "Ejection fraction", "%", between(52, 72)
    ),
}

ANALYTES: Final[Mapping[str, Analyte]] = {
    **CHEMISTRY,
    **_HEMATOLOGY,
    **_INFECTION_AND_TYPING,
    **_IMAGING,
}


def _panel(loinc: str, display: str, name: str, analytes: str, *, imaging: bool = False) -> Panel:
    return Panel(Coding(LOINC, loinc, display), name, tuple(analytes.split()), imaging)


def _single(key: str) -> Panel:
    analyte = ANALYTES[key]
    return Panel(analyte.code, analyte.name, (key,))


BASIC = _panel(
    "24321-2",
    "Basic metabolic 2000 panel - Serum or Plasma",
    "Basic metabolic panel",
    "glucose bun creatinine egfr sodium potassium chloride co2 calcium",
)
LIPIDS = _panel(
    "24331-1",
    "Lipid 1996 panel - Serum or Plasma",
    "Lipid panel",
    "cholesterol triglycerides hdl ldl",
)
BLOOD_COUNT = _panel(
    "58410-2",
    "CBC panel - Blood by Automated count",
    "Complete blood count",
    "wbc hemoglobin hematocrit mcv platelets eosinophils",
)
IRON = _panel(
    "50190-8",
    "Iron and Iron binding capacity panel - Serum or Plasma",
    "Iron studies",
    "iron tibc iron_saturation ferritin",
)
THYROID = Panel(ANALYTES["tsh"].code, "Thyroid function", ("tsh", "free_t4", "tpo"))
TROPONIN = _panel(
    "89577-1",
    "Troponin I.cardiac panel - Serum or Plasma by High sensitivity method",
    "Troponin series",
    "troponin",
)
HEPATITIS_C = Panel(
    ANALYTES["hcv_antibody"].code,
    "Hepatitis C screen with reflex to viral load",
    ("hcv_antibody", "hcv_rna"),
)
CHLAMYDIA_GONORRHEA = Panel(
    ANALYTES["chlamydia"].code, "Chlamydia and gonorrhea", ("chlamydia", "gonorrhea")
)
GLUCOSE_TOLERANCE = Panel(
    ANALYTES["glucose_3h"].code,
    "Glucose tolerance test, 3 hours",
    ("glucose_fasting", "glucose_1h", "glucose_2h", "glucose_3h"),
)
PRENATAL_SEROLOGY = Panel(
    ANALYTES["rubella_igg"].code,
    "Prenatal infection screen",
    ("rubella_igg", "hbsag", "rpr", "hcv_antibody"),
)
BLOOD_TYPE = Panel(
    ANALYTES["abo_rh"].code, "Blood type and antibody screen", ("abo_rh", "antibody_screen")
)
ECHOCARDIOGRAM = Panel(
    ANALYTES["ejection_fraction"].code, "Echocardiogram", ("ejection_fraction",), imaging=True
)
LIVER = Panel(ANALYTES["alt"].code, "Liver enzymes", ("alt", "ast"))
DXA = _panel(
    "83311-1",
    "Bone density quantitative measurement by DXA panel",
    "Bone density scan (DXA)",
    "dxa_spine dxa_femur",
    imaging=True,
)
A1C, URINE_ALBUMIN, HIV, LEAD = (_single(k) for k in ("a1c", "uacr", "hiv", "lead"))
B12, VITAMIN_D, MAGNESIUM = (_single(k) for k in ("b12", "vitamin_d", "magnesium"))
NT_PROBNP, PEANUT_IGE, GLUCOSE_SCREEN = (
    _single(k) for k in ("nt_probnp", "peanut_ige", "glucose_50g")
)
URINE_PREGNANCY, URINE_CULTURE, COVID_PCR = (
    _single(k) for k in ("urine_pregnancy", "urine_culture", "covid_pcr")
)
