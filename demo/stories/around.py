"""What stands around the visits of some story patients: procedures, plans, teams, papers, orders.

Every entry is written down with its date; nothing is later than 2026-11-20.
"""

from base64 import b64encode

from demo.stories.chart import Chart
from demo.stories.clinics import Json, local_time
from demo.stories.codes import HIV_LABEL, LOINC, Coding, hl7, snomed
from demo.stories.record import concept

_CATEGORY = "http://terminology.hl7.org/CodeSystem/"
_NOTE = Coding(LOINC, "11506-3", "Progress note")
_DISCHARGE = Coding(LOINC, "18842-5", "Discharge summary")
_HIV_RNA = Coding(
    LOINC, "20447-9", "HIV 1 RNA [#/volume] (viral load) in Serum or Plasma by NAA with probe"
    " detection", "HIV viral load",
)  # fmt: skip
_CD4 = Coding(LOINC, "24467-3", "CD3+CD4+ (T4 helper) cells [#/volume] in Blood", "CD4 count")


def surround(chart: Chart) -> None:
    """Add what this patient has beside visits; nothing for most."""
    adds = {"rosa": _rosa, "jun": _jun, "henry": _henry, "walter": _walter, "amara": _amara}
    if chart.key in adds:
        adds[chart.key](chart)


def _rosa(chart: Chart) -> None:
    team = _team(chart, "Diabetes care team", "2016-04-11", ("family", "Family physician"))
    goal = _goal(chart, "HbA1c below 7.0 %", "2016-04-11", wanted=("7.0", "%"))
    _plan(
        chart,
        "Living well with type 2 diabetes",
        "2016-04-11",
        ("Diabetic diet", "in-progress"),
        ("Walking 30 minutes on most days", "in-progress"),
        ("Looking at the feet every evening", "in-progress"),
        careTeam=[team],
        goal=[goal],
    )
    _procedure(
        chart, snomed("73761001", "Colonoscopy (procedure)", "Colonoscopy"), "2019-09-24 09:15",
        "2019-09-24 09:50", "family",
    )  # fmt: skip
    meter = snomed("337414009", "Blood glucose meter (physical object)", "Blood glucose meter")
    _device(chart, meter, "GM-4471-220981", "2016-04-11")
    note = _document(
        chart,
        _NOTE,
        "2026-05-04 10:05",
        "family",
        "Diabetes follow-up",
        "HbA1c 7.2 %. Feet without lesions. Continues metformin and walking.",
    )
    _provenance(chart, note, "2026-05-04 10:06", "family")
    _order(
        chart, "Urine albumin/creatinine ratio", "2026-11-16 09:40", "family",
        why="Yearly kidney check in diabetes",
    )  # fmt: skip
    _order(
        chart, "Eye examination with dilated pupils", "2026-11-16 09:42", "family",
        why="Yearly check for diabetic retinopathy", referral=True,
    )  # fmt: skip


def _jun(chart: Chart) -> None:
    team = _team(chart, "Heart failure team", "2023-05-22", ("heart", "Cardiologist"))
    goal = _goal(chart, "Weight within 1 kg of 60.5 kg", "2023-05-22")
    _plan(
        chart,
        "Heart failure self management",
        "2023-05-22",
        ("Weighing every morning", "in-progress"),
        ("Less than 2 g of sodium a day", "in-progress"),
        ("Calling the clinic after a gain of 1 kg in a day", "in-progress"),
        careTeam=[team],
        goal=[goal],
    )
    _device(chart, _words("Home blood pressure monitor"), "BP-90-11873", "2023-05-22")
    _order(chart, "Echocardiogram", "2026-11-09 10:20", "heart", why="Yearly heart failure check")


def _henry(chart: Chart) -> None:
    _team(chart, "Cardiac rehabilitation team", "2025-03-03", ("heart", "Cardiologist"))
    stent = snomed("705643001", "Coronary artery stent (physical object)", "Coronary stent")
    _device(chart, stent, "DES-30-558120", "2025-02-17")
    _document(
        chart,
        _DISCHARGE,
        "2025-02-20 11:00",
        "heart",
        "Discharge summary",
        "Admitted with chest pain. One stent placed. Home in good condition.",
    )
    _hiv(chart)


def _hiv(chart: Chart) -> None:
    """Known since 2012 and well controlled; every trace of it carries the label."""
    label = (HIV_LABEL,)
    infection = snomed("86406008", "Human immunodeficiency virus infection", "HIV infection")
    clinician = chart.share(chart.clinic.practitioner("family"))
    chart.add(
        "Condition",
        label,
        clinicalStatus=_status("condition-clinical", "active"),
        verificationStatus=_status("condition-ver-status", "confirmed"),
        category=[concept(hl7("condition-category", "problem-list-item", "Problem List Item"))],
        code=concept(infection),
        subject=chart.patient,
        onsetDateTime="2012-03-07",
        recordedDate=_at("2012-03-07 14:00"),
    )
    chart.add(
        "MedicationRequest",
        label,
        status="active",
        intent="order",
        medicationCodeableConcept={
            "text": "Bictegravir 50 mg / emtricitabine 200 mg / tenofovir alafenamide 25 mg tablet"
        },
        subject=chart.patient,
        authoredOn=_at("2019-02-18 09:30"),
        requester=clinician,
        dosageInstruction=[
            {
                "timing": {"repeat": {"frequency": 1, "period": 1, "periodUnit": "d"}},
                "doseAndRate": [{"doseQuantity": {"value": 1, "unit": "tablet"}}],
            }
        ],
    )
    for day, cells in (("2025-06-16", 612), ("2026-06-15", 640)):
        _control(chart, day, cells)


def _control(chart: Chart, day: str, cells: int) -> None:
    """The yearly CD4 count and viral load, as one report."""
    below = {"value": 20, "comparator": "<", "unit": "copies/mL", "code": "{copies}/mL"}
    count = {"value": cells, "unit": "cells/uL", "code": "{cells}/uL"}
    timing = {
        "subject": chart.patient,
        "effectiveDateTime": _at(f"{day} 08:40"),
        "issued": _at(f"{day} 16:20"),
    }
    results = [
        chart.add(
            "Observation",
            (HIV_LABEL,),
            status="final",
            category=[concept(hl7("observation-category", "laboratory", "Laboratory"))],
            code=concept(code),
            valueQuantity={**value, "system": "http://unitsofmeasure.org"},
            **timing,
        )
        for code, value in ((_CD4, count), (_HIV_RNA, below))
    ]
    chart.add(
        "DiagnosticReport",
        (HIV_LABEL,),
        status="final",
        category=[{"coding": [{"system": f"{_CATEGORY}v2-0074", "code": "LAB"}]}],
        code=concept(Coding(LOINC, "11502-2", "Laboratory report"), text="HIV control"),
        result=results,
        **timing,
    )


def _walter(chart: Chart) -> None:
    spirometry = snomed("127783003", "Spirometry (procedure)", "Spirometry")
    _procedure(chart, spirometry, "2025-03-03 10:30", "2025-03-03 10:50", "family")
    _device(chart, _words("Home oxygen concentrator"), "OXY-5-70412", "2025-03-10")
    _plan(
        chart,
        "Breathing easier with COPD",
        "2025-03-03",
        ("Pulmonary rehabilitation twice a week", "in-progress"),
        ("Action plan for bad days explained", "completed"),
    )


def _amara(chart: Chart) -> None:
    _goal(chart, "Breastfeeding for six months", "2026-09-14")
    _plan(
        chart,
        "Birth plan",
        "2026-09-14",
        ("Birth preparation course", "completed"),
        ("Tour of the delivery ward", "scheduled"),
    )
    _order(chart, "Group B streptococcus culture", "2026-11-18 11:10", "family", why="36 weeks")


def _team(chart: Chart, name: str, since: str, *members: tuple[str, str]) -> Json:
    return chart.add(
        "CareTeam",
        (),
        status="active",
        name=name,
        subject=chart.patient,
        period={"start": since},
        participant=[
            {
                "role": [{"text": role}],
                "member": chart.share(chart.clinic.practitioner(by))
                | {"display": _name(chart, by)},
            }
            for by, role in members
        ],
        managingOrganization=[chart.organization],
    )


def _plan(chart: Chart, title: str, since: str, *steps: tuple[str, str], **more: object) -> None:
    chart.add(
        "CarePlan",
        (),
        status="active",
        intent="plan",
        title=title,
        category=[{"coding": [{"system": f"{_CATEGORY}careplan-category", "code": "assess-plan"}]}],
        subject=chart.patient,
        period={"start": since},
        activity=[{"detail": {"code": {"text": step}, "status": state}} for step, state in steps],
        **more,
    )


def _goal(chart: Chart, text: str, since: str, *, wanted: tuple[str, str] | None = None) -> Json:
    target: Json = {}
    if wanted:
        value, unit = wanted
        quantity = {"value": float(value), "comparator": "<", "unit": unit, "code": unit}
        target = {"target": [{"detailQuantity": quantity}]}
    return chart.add(
        "Goal",
        (),
        lifecycleStatus="active",
        achievementStatus=_status("goal-achievement", "in-progress"),
        description={"text": text},
        subject=chart.patient,
        startDate=since,
        **target,
    )


def _procedure(chart: Chart, code: Coding, start: str, end: str, by: str) -> None:
    clinician = chart.share(chart.clinic.practitioner(by))
    chart.add(
        "Procedure",
        (),
        status="completed",
        code=concept(code),
        subject=chart.patient,
        performedPeriod={"start": _at(start), "end": _at(end)},
        performer=[{"actor": clinician | {"display": _name(chart, by)}}],
    )


def _device(chart: Chart, code: Coding, serial: str, since: str) -> None:
    kind = concept(code) if code.code else {"text": code.display}
    device = chart.add(
        "Device", (), status="active", type=kind, serialNumber=serial, patient=chart.patient
    )
    chart.add(
        "DeviceUseStatement",
        (),
        status="active",
        subject=chart.patient,
        device=device,
        timingPeriod={"start": since},
    )


def _document(chart: Chart, code: Coding, when: str, by: str, title: str, words: str) -> Json:
    clinician = chart.share(chart.clinic.practitioner(by))
    content = {"contentType": "text/plain; charset=utf-8", "title": title}
    return chart.add(
        "DocumentReference",
        (),
        status="current",
        docStatus="final",
        type=concept(code),
        category=[{"text": "Clinical note"}],
        subject=chart.patient,
        date=_at(when),
        author=[clinician | {"display": _name(chart, by)}],
        description=title,
        content=[{"attachment": content | {"data": b64encode(words.encode()).decode()}}],
    )


def _provenance(chart: Chart, target: Json, when: str, by: str) -> None:
    clinician = chart.share(chart.clinic.practitioner(by))
    chart.add(
        "Provenance",
        (),
        target=[target],
        recorded=_at(when),
        agent=[
            {
                "type": concept(hl7("provenance-participant-type", "author", "Author")),
                "who": clinician | {"display": _name(chart, by)},
            }
        ],
    )


def _order(
    chart: Chart, text: str, when: str, by: str, *, why: str, referral: bool = False
) -> None:
    clinician = chart.share(chart.clinic.practitioner(by))
    referred = snomed("3457005", "Patient referral (procedure)", "Referral")
    kind = {"category": [concept(referred)]} if referral else {}
    chart.add(
        "ServiceRequest",
        (),
        status="active",
        intent="order",
        code={"text": text},
        subject=chart.patient,
        authoredOn=_at(when),
        requester=clinician | {"display": _name(chart, by)},
        reasonCode=[{"text": why}],
        **kind,
    )


def _status(system: str, code: str) -> Json:
    return {"coding": [{"system": f"{_CATEGORY}{system}", "code": code}]}


def _words(text: str) -> Coding:
    return Coding("", "", text)


def _at(when: str) -> str:
    return local_time(when).isoformat()


def _name(chart: Chart, by: str) -> str:
    match chart.clinic.practitioner(by)["name"]:
        case [{"text": str(text)}]:
            return text
        case [{"family": str(family), "given": [str(given), *_]}]:
            return f"Dr. {given} {family}"
    return ""
