"""Encounters, care teams and orders: who treats whom, from when to when, and what was asked for.

The care relationship of a clinician is a fact of this capability, with dates; rules read it from
here.
"""

from domain.care.encounters import (
    TREATING,
    CorrectEncounter,
    EncounterCorrected,
    EncounterRelabelled,
    EncounterReported,
    EncounterWithdrawn,
    RelabelEncounter,
    ReportEncounter,
    Visit,
    WithdrawEncounter,
    correct,
    list_patients,
    report,
    view,
)
from domain.care.orders import (
    AnswerOrder,
    Order,
    OrderAnswered,
    OrderReported,
    ReportOrder,
    waits,
)
from domain.care.teams import (
    CareTeamChanged,
    CareTeamJoined,
    CareTeamLeft,
    CareTeamReported,
    JoinCareTeam,
    LeaveCareTeam,
    Member,
    Membership,
    ReportCareTeam,
    Team,
    assign,
)

__all__ = [
    "TREATING",
    "AnswerOrder",
    "CareTeamChanged",
    "CareTeamJoined",
    "CareTeamLeft",
    "CareTeamReported",
    "CorrectEncounter",
    "EncounterCorrected",
    "EncounterRelabelled",
    "EncounterReported",
    "EncounterWithdrawn",
    "JoinCareTeam",
    "LeaveCareTeam",
    "Member",
    "Membership",
    "Order",
    "OrderAnswered",
    "OrderReported",
    "RelabelEncounter",
    "ReportCareTeam",
    "ReportEncounter",
    "ReportOrder",
    "Team",
    "Visit",
    "WithdrawEncounter",
    "assign",
    "correct",
    "list_patients",
    "report",
    "view",
    "waits",
]
