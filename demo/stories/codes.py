"""The clinical vocabulary of the stories: problems, allergens, drugs and vaccines.

Codes and displays are those of SNOMED CT (US edition), ICD-10-CM (2026), RxNorm and CVX; only
concepts that one of the people has are listed.
"""

from dataclasses import dataclass
from typing import Final

SNOMED: Final = "http://snomed.info/sct"
ICD10CM: Final = "http://hl7.org/fhir/sid/icd-10-cm"
RXNORM: Final = "http://www.nlm.nih.gov/research/umls/rxnorm"
CVX: Final = "http://hl7.org/fhir/sid/cvx"
LOINC: Final = "http://loinc.org"
TERMINOLOGY: Final = "http://terminology.hl7.org/CodeSystem/"


@dataclass(frozen=True, slots=True)
class Coding:
    """One concept of one code system; `shown` is how patients call it, where that differs."""

    system: str
    code: str
    display: str
    shown: str = ""

    @property
    def plain(self) -> str:
        """What patients call it, else the display without the semantic tag of SNOMED CT."""
        if self.shown:
            return self.shown
        tagged = self.system == SNOMED and self.display.endswith(")")
        return self.display.rpartition(" (")[0] if tagged else self.display

    @property
    def fhir(self) -> dict[str, object]:
        """A FHIR R4 `Coding`."""
        return {"system": self.system, "code": self.code, "display": self.display}


@dataclass(frozen=True, slots=True)
class Problem:
    """A diagnosis as a problem list shows it: the clinical and the billing concept."""

    text: str
    snomed: Coding
    icd10: Coding


def snomed(code: str, display: str, shown: str = "") -> Coding:
    """A SNOMED CT concept."""
    return Coding(SNOMED, code, display, shown)


def hl7(system: str, code: str, display: str) -> Coding:
    """A concept of an HL7 terminology code system, named by its last path segment."""
    return Coding(TERMINOLOGY + system, code, display)


def _problem(text: str, sct: tuple[str, str], icd: tuple[str, str]) -> Problem:
    return Problem(text, snomed(*sct), Coding(ICD10CM, *icd))


def _drug(code: str, display: str) -> Coding:
    return Coding(RXNORM, code, display)


def _cvx(code: str, display: str, shown: str) -> Coding:
    return Coding(CVX, code, display, shown)


# Problems
TYPE_2_DIABETES = _problem(
    "Type 2 diabetes",
    ("44054006", "Diabetes mellitus type 2 (disorder)"),
    ("E11.65", "Type 2 diabetes mellitus with hyperglycemia"),
)
DIABETIC_ALBUMINURIA = _problem(
    "Protein in the urine from diabetes",
    ("90781000119102", "Microalbuminuria due to type 2 diabetes mellitus (disorder)"),
    ("E11.29", "Type 2 diabetes mellitus with other diabetic kidney complication"),
)
HYPERTENSION = _problem(
    "High blood pressure",
    ("59621000", "Essential hypertension (disorder)"),
    ("I10", "Essential (primary) hypertension"),
)
HYPERTENSIVE_HEART_KIDNEY = _problem(
    "High blood pressure with heart and kidney disease",
    ("38341003", "Hypertensive disorder, systemic arterial (disorder)"),
    (
        "I13.0",
        "Hypertensive heart and chronic kidney disease with heart failure and stage 1 through "
        "stage 4 chronic kidney disease, or unspecified chronic kidney disease",
    ),
)
MIXED_HYPERLIPIDEMIA = _problem(
    "High cholesterol and triglycerides",
    ("267434003", "Mixed hyperlipidemia (disorder)"),
    ("E78.2", "Mixed hyperlipidemia"),
)
OBESITY = _problem(
    "Obesity, class 1",
    ("443371000124107", "Obese class I (finding)"),
    ("E66.811", "Obesity, class 1"),
)
HEART_FAILURE = _problem(
    "Heart failure with reduced pumping strength",
    ("441481004", "Chronic systolic heart failure (disorder)"),
    ("I50.22", "Chronic systolic (congestive) heart failure"),
)
ATRIAL_FIBRILLATION = _problem(
    "Atrial fibrillation",
    ("49436004", "Atrial fibrillation (disorder)"),
    ("I48.91", "Unspecified atrial fibrillation"),
)
KIDNEY_DISEASE_3B = _problem(
    "Chronic kidney disease, stage 3b",
    ("700379002", "Chronic kidney disease stage 3B (disorder)"),
    ("N18.32", "Chronic kidney disease, stage 3b"),
)
HYPOTHYROIDISM = _problem(
    "Underactive thyroid (Hashimoto)",
    ("21983002", "Hashimoto thyroiditis (disorder)"),
    ("E06.3", "Autoimmune thyroiditis"),
)
ASTHMA = _problem(
    "Asthma, mild persistent",
    ("426979002", "Mild persistent asthma (disorder)"),
    ("J45.30", "Mild persistent asthma, uncomplicated"),
)
MIGRAINE = _problem(
    "Migraine without aura",
    ("56097005", "Migraine without aura (disorder)"),
    ("G43.009", "Migraine without aura, not intractable, without status migrainosus"),
)
COPD = _problem(
    "COPD",
    ("13645005", "Chronic obstructive lung disease (disorder)"),
    ("J44.9", "Chronic obstructive pulmonary disease, unspecified"),
)
COPD_EXACERBATION = _problem(
    "COPD flare-up",
    ("195951007", "Acute exacerbation of chronic obstructive airways disease (disorder)"),
    ("J44.1", "Chronic obstructive pulmonary disease with (acute) exacerbation"),
)
HEARING_LOSS = _problem(
    "Age-related hearing loss, both ears",
    ("49526009", "Presbycusis (disorder)"),
    ("H91.13", "Presbycusis, bilateral"),
)
PREGNANCY = _problem(
    "Pregnancy, first",
    ("77386006", "Pregnancy (finding)"),
    ("Z34.00", "Encounter for supervision of normal first pregnancy, unspecified trimester"),
)
GESTATIONAL_DIABETES = _problem(
    "Gestational diabetes, managed by diet",
    ("11687002", "Gestational diabetes mellitus (disorder)"),
    ("O24.410", "Gestational diabetes mellitus in pregnancy, diet controlled"),
)
PEANUT_ALLERGY = _problem(
    "Peanut allergy",
    ("91935009", "Allergy to peanut (finding)"),
    ("Z91.010", "Allergy to peanuts"),
)
ECZEMA = _problem(
    "Eczema",
    ("24079001", "Atopic dermatitis (disorder)"),
    ("L20.9", "Atopic dermatitis, unspecified"),
)
IRON_DEFICIENCY = _problem(
    "Iron-deficiency anemia from heavy periods",
    ("87522002", "Iron deficiency anemia (disorder)"),
    ("D50.0", "Iron deficiency anemia secondary to blood loss (chronic)"),
)
HEAVY_PERIODS = _problem(
    "Heavy menstrual periods",
    ("386692008", "Menorrhagia (finding)"),
    ("N92.0", "Excessive and frequent menstruation with regular cycle"),
)
HEART_ATTACK = _problem(
    "Heart attack (NSTEMI)",
    ("401314000", "Acute non-ST segment elevation myocardial infarction (disorder)"),
    ("I21.4", "Non-ST elevation (NSTEMI) myocardial infarction"),
)
CORONARY_DISEASE = _problem(
    "Coronary artery disease, stent",
    ("53741008", "Coronary arteriosclerosis (disorder)"),
    ("I25.10", "Atherosclerotic heart disease of native coronary artery without angina pectoris"),
)
BREAST_CANCER = _problem(
    "Breast cancer, right, treated",
    ("254837009", "Malignant neoplasm of breast (disorder)"),
    ("C50.411", "Malignant neoplasm of upper-outer quadrant of right female breast"),
)
BREAST_CANCER_HISTORY = _problem(
    "Breast cancer survivor",
    ("429087003", "History of malignant neoplasm of breast (situation)"),
    ("Z85.3", "Personal history of malignant neoplasm of breast"),
)
OSTEOPOROSIS = _problem(
    "Osteoporosis",
    ("64859006", "Osteoporosis (disorder)"),
    ("M81.0", "Age-related osteoporosis without current pathological fracture"),
)
ANXIETY = _problem(
    "Generalized anxiety",
    ("21897009", "Generalized anxiety disorder (disorder)"),
    ("F41.1", "Generalized anxiety disorder"),
)

# Drugs
METFORMIN_500 = _drug("861007", "metformin hydrochloride 500 MG Oral Tablet")
METFORMIN_1000 = _drug("861004", "metformin hydrochloride 1000 MG Oral Tablet")
SEMAGLUTIDE_START = _drug(
    "1991306", "0.25 MG, 0.5 MG Dose 1.5 ML semaglutide 1.34 MG/ML Pen Injector"
)
SEMAGLUTIDE_1 = _drug("2398841", "3 ML semaglutide 1.34 MG/ML Pen Injector")
LISINOPRIL_10 = _drug("314076", "lisinopril 10 MG Oral Tablet")
LISINOPRIL_20 = _drug("314077", "lisinopril 20 MG Oral Tablet")
ATORVASTATIN_20 = _drug("617310", "atorvastatin 20 MG Oral Tablet")
ATORVASTATIN_40 = _drug("617311", "atorvastatin 40 MG Oral Tablet")
ATORVASTATIN_80 = _drug("259255", "atorvastatin 80 MG Oral Tablet")
EZETIMIBE = _drug("349556", "ezetimibe 10 MG Oral Tablet")
APIXABAN_5 = _drug("1364445", "apixaban 5 MG Oral Tablet")
APIXABAN_2_5 = _drug("1364435", "apixaban 2.5 MG Oral Tablet")
METOPROLOL_25 = _drug("866427", "24 HR metoprolol succinate 25 MG Extended Release Oral Tablet")
METOPROLOL_50 = _drug("866436", "24 HR metoprolol succinate 50 MG Extended Release Oral Tablet")
SACUBITRIL_VALSARTAN = _drug("1656340", "sacubitril 24 MG / valsartan 26 MG Oral Tablet")
DAPAGLIFLOZIN = _drug("1488564", "dapagliflozin 10 MG Oral Tablet")
FUROSEMIDE_40 = _drug("313988", "furosemide 40 MG Oral Tablet")
ASPIRIN_81 = _drug("243670", "aspirin 81 MG Oral Tablet")
TICAGRELOR = _drug("1116635", "ticagrelor 90 MG Oral Tablet")
NITROGLYCERIN = _drug("198039", "nitroglycerin 0.4 MG Sublingual Tablet")
LEVOTHYROXINE_50 = _drug("966221", "levothyroxine sodium 0.05 MG Oral Tablet")
LEVOTHYROXINE_75 = _drug("966222", "levothyroxine sodium 0.075 MG Oral Tablet")
ALBUTEROL = _drug("745679", "200 ACTUAT albuterol 0.09 MG/ACTUAT Metered Dose Inhaler")
FLUTICASONE_44 = _drug(
    "895994", "120 ACTUAT fluticasone propionate 0.044 MG/ACTUAT Metered Dose Inhaler"
)
FLUTICASONE_SALMETEROL = _drug(
    "896209",
    "60 ACTUAT fluticasone propionate 0.25 MG/ACTUAT / salmeterol 0.05 MG/ACTUAT "
    "Dry Powder Inhaler",
)
PREDNISONE_20 = _drug("312615", "prednisone 20 MG Oral Tablet")
AZITHROMYCIN = _drug("308460", "azithromycin 250 MG Oral Tablet")
ETONOGESTREL_IMPLANT = _drug("389221", "etonogestrel 68 MG Drug Implant")
LEVONORGESTREL_IUD = _drug("807283", "Mirena 52 MG Intrauterine System")
SUMATRIPTAN = _drug("313161", "sumatriptan 50 MG Oral Tablet")
FERROUS_SULFATE = _drug("310325", "ferrous sulfate 325 MG Oral Tablet")
EPINEPHRINE_0_15 = _drug("727316", "0.3 ML epinephrine 0.5 MG/ML Auto-Injector")
EPINEPHRINE_0_3 = _drug("1870230", "NDA020800 0.3 ML epinephrine 1 MG/ML Auto-Injector")
CETIRIZINE_5 = _drug("1014676", "cetirizine hydrochloride 5 MG Oral Tablet")
ANASTROZOLE = _drug("199224", "anastrozole 1 MG Oral Tablet")
ALENDRONATE = _drug("904431", "alendronic acid 70 MG Oral Tablet")
SERTRALINE = _drug("312941", "sertraline 50 MG Oral Tablet")

# Allergens and what they do
PENICILLIN = snomed("764146007", "Substance with penicillin structure (substance)", "Penicillin")
SULFONAMIDE = snomed("763875007", "Product containing sulfonamide (product)", "Sulfa medicines")
PEANUT = snomed("762952008", "Peanut (substance)")
LATEX = snomed("111088007", "Latex (substance)")
CODEINE = Coding(RXNORM, "2670", "codeine", "Codeine")
HIVES = snomed("247472004", "Wheal (finding)", "Hives")
RASH = snomed("271807003", "Eruption of skin (disorder)", "Skin rash")
ANAPHYLAXIS = snomed("39579001", "Anaphylaxis (disorder)")
NO_KNOWN_ALLERGY = snomed("716186003", "No known allergy (situation)")

# Vaccines
HEPATITIS_B_CHILD = _cvx(
    "08", "hepatitis B vaccine, pediatric or pediatric/adolescent dosage", "Hepatitis B vaccine"
)
ROTAVIRUS = _cvx("116", "rotavirus, live, pentavalent vaccine", "Rotavirus vaccine")
DTAP = _cvx(
    "20",
    "diphtheria, tetanus toxoids and acellular pertussis vaccine",
    "Diphtheria, tetanus and whooping cough vaccine (DTaP)",
)
HIB = _cvx("48", "Haemophilus influenzae type b vaccine, PRP-T conjugate", "Hib vaccine")
PCV13 = _cvx("133", "pneumococcal conjugate vaccine, 13 valent", "Pneumococcal vaccine (PCV13)")
POLIO = _cvx("10", "poliovirus vaccine, inactivated", "Polio vaccine")
MMR = _cvx(
    "03", "measles, mumps and rubella virus vaccine", "Measles, mumps and rubella vaccine (MMR)"
)
VARICELLA = _cvx("21", "varicella virus vaccine", "Chickenpox vaccine")
HEPATITIS_A_CHILD = _cvx(
    "83", "hepatitis A vaccine, pediatric/adolescent dosage, 2 dose schedule", "Hepatitis A vaccine"
)
INFLUENZA_QUADRIVALENT = _cvx(
    "150", "Influenza, injectable, quadrivalent, preservative free", "Flu vaccine"
)
INFLUENZA = _cvx("140", "Influenza, seasonal, injectable, preservative free", "Flu vaccine")
INFLUENZA_HIGH_DOSE_QUADRIVALENT = _cvx(
    "197",
    "influenza, high-dose seasonal, quadrivalent, 0.7mL dose, preservative free",
    "Flu vaccine, high dose",
)
INFLUENZA_HIGH_DOSE = _cvx(
    "135", "influenza, high dose seasonal, preservative-free", "Flu vaccine, high dose"
)
TDAP = _cvx(
    "115",
    "tetanus toxoid, reduced diphtheria toxoid, and acellular pertussis vaccine, adsorbed",
    "Tetanus, diphtheria and whooping cough vaccine (Tdap)",
)
HPV4 = _cvx("62", "human papilloma virus vaccine, quadrivalent", "HPV vaccine")
HPV9 = _cvx("165", "Human Papillomavirus 9-valent vaccine", "HPV vaccine")
MENINGOCOCCAL = _cvx(
    "136",
    "meningococcal oligosaccharide (groups A, C, Y and W-135) diphtheria toxoid conjugate "
    "vaccine (MCV4O)",
    "Meningococcal vaccine (ACWY)",
)
SHINGLES = _cvx("187", "zoster vaccine recombinant", "Shingles vaccine")
PPSV23 = _cvx(
    "33", "pneumococcal polysaccharide vaccine, 23 valent", "Pneumococcal vaccine (PPSV23)"
)
PCV20 = _cvx(
    "216",
    "Pneumococcal conjugate vaccine 20-valent (PCV20), polysaccharide CRM197 conjugate, "
    "adjuvant, preservative free",
    "Pneumococcal vaccine (PCV20)",
)
HEPATITIS_B_ADULT = _cvx("43", "hepatitis B vaccine, adult dosage", "Hepatitis B vaccine")
COVID = _cvx("309", "COVID-19, mRNA, LNP-S, PF, tris-sucrose, 30 mcg/0.3 mL", "COVID-19 vaccine")
RSV_MATERNAL = _cvx(
    "305",
    "RSV, bivalent, protein subunit RSVpreF, diluent reconstituted, 0.5 mL, PF",
    "RSV vaccine in pregnancy",
)

# Sensitivity labels (v3-ActCode, v3-Confidentiality)
RESTRICTED = hl7("v3-Confidentiality", "R", "restricted")
HIV_LABEL = hl7("v3-ActCode", "HIV", "HIV/AIDS information sensitivity")
STD_LABEL = hl7("v3-ActCode", "STD", "sexually transmitted disease information sensitivity")
SEXUAL_HEALTH_LABEL = hl7(
    "v3-ActCode", "SEX", "sexuality and reproductive health information sensitivity"
)
PSYCHIATRY_LABEL = hl7("v3-ActCode", "PSY", "psychiatry disorder information sensitivity")
