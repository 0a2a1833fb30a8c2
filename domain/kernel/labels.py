"""Sensitivity labels: what a fact is about, so that it is sealed, shown and shared accordingly.

Codes are HL7 v3 ActCode sensitivity values (HIV, PSY, SUD, SEX, GDIS, SDV, ...), as DS4P and FHIR
`meta.security` use them. A label stands in the sealed body with the rule that assigned it; the
effective labels of a fact are what its newest event says, never a column that somebody edits.
"""

from collections.abc import Iterable
from dataclasses import dataclass

SOURCE = "source"
STAFF = "staff"


@dataclass(frozen=True, slots=True)
class Label:
    """A sensitivity code and what assigned it: the id of a rule, SOURCE, or STAFF.

    Staff's decision that nothing is sensitive is a label with an empty code.
    """

    code: str
    rule: str


def category(labels: Iterable[Label]) -> str:
    """The sensitive category that labels amount to: codes in order joined by `+`, or nothing.

    Facts of one category of one chart share a compartment of keys.
    """
    return "+".join(sorted({label.code for label in labels if label.code}))
