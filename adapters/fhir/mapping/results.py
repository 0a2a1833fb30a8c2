"""DiagnosticReport with its Observations, or a laboratory Observation alone, as one result."""

from collections.abc import Iterable, Sequence

from adapters.fhir import resources
from adapters.fhir.mapping.observed import effective, ranges, value
from adapters.fhir.mapping.values import codes, concept, concepts, moment, start
from domain.kernel.values import Source
from domain.results import Analyte, Report

# HL7 table 0074 (diagnostic service sections), and the Observation categories of the same meaning.
_LABORATORY = frozenset(
    ("laboratory", "LAB", "BG", "BLB", "CG", "CH", "CP", "HM", "IMM", "MB", "MCB", "MYC", "TX")
)
_IMAGING = frozenset(
    ("imaging", "RAD", "CT", "CUS", "NMR", "NMS", "OUS", "RUS", "RX", "VUS", "XRC")
)
Measured = tuple[resources.Observation, Source]


def is_laboratory(given: resources.Observation) -> bool:
    """Whether an observation counts as a test result when no report holds it."""
    return not _LABORATORY.isdisjoint(codes(given.category))


def report(
    given: resources.DiagnosticReport, measured: Sequence[Measured], encounter: str | None
) -> Report:
    """The report with its observations, in the order of `result`."""
    return Report(
        category=_category(given, [observation for observation, _ in measured]),
        concept=concept(given.code),
        status=given.status,
        effective=start(given.effective_date_time, given.effective_period),
        issued=moment(given.issued),
        encounter=encounter,
        performers=_performers(given.performer),
        observations=tuple(part for one in measured for part in _analytes(*one)),
        conclusion=given.conclusion,
    )


def standalone(given: resources.Observation, source: Source, encounter: str | None) -> Report:
    """A laboratory observation that came without a report: a report of itself."""
    return Report(
        category="laboratory",
        concept=concept(given.code),
        status=given.status,
        effective=effective(given),
        issued=moment(given.issued),
        encounter=encounter,
        performers=_performers(given.performer),
        observations=_analytes(given, source),
    )


def _category(
    given: resources.DiagnosticReport, observations: Sequence[resources.Observation]
) -> str:
    stated = codes(given.category)
    if stated:
        return _known(stated) or "other"
    found = {_known(codes(observation.category)) for observation in observations}
    return (found.pop() if len(found) == 1 else None) or "other"


def _known(stated: tuple[str, ...]) -> str | None:
    if not _LABORATORY.isdisjoint(stated):
        return "laboratory"
    if not _IMAGING.isdisjoint(stated):
        return "imaging"
    return "survey" if "survey" in stated else None


def _performers(given: Iterable[resources.Reference]) -> tuple[str, ...]:
    return tuple(one.display for one in given if one.display)


def _analytes(given: resources.Observation, source: Source) -> tuple[Analyte, ...]:
    """The observation, followed by its components as analytes of their own."""
    return tuple(_analyte(given, part, source) for part in (given, *given.component))


def _analyte(whole: resources.Observation, part: resources.Valued, source: Source) -> Analyte:
    measured = value(part)
    return Analyte(
        concept=concept(part.code),
        status=whole.status,
        effective=effective(whole),
        issued=moment(whole.issued),
        quantity=measured.quantity,
        coded=measured.coded,
        text=measured.text,
        absent=measured.absent_or_unsupported,
        interpretation=concepts(part.interpretation),
        ranges=ranges(part.reference_range),
        source=source,
    )
