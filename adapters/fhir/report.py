"""What an import did, in counts: no name, no value, no text of a patient."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from adapters.fhir.reading import Problem, Received
from adapters.fhir.validation import Finding
from domain.kernel.perform import Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far an import is: the file it is at, of so many, and the resources accounted for."""

    files: int
    of_files: int
    resources: int
    events_written: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """The outcome of an import.

    For every resource type, `resources` is the sum of what it `yielded`, what was `not_imported`
    and the `problems` of that type; `nested` is how many of them came in bundles within bundles,
    and `apart` the conformance resources of packages, which are none of them. `commands` counts by
    operation, `unbound` references that pointed at nothing known by the type they pointed at,
    `late` those to directory entries that this import awaits, `awaited` these entries; `issues`
    what validation found in resources that were taken, by type and judge; `arrived`
    what had waited for its patient and is filed now; `ignored` files that are not FHIR.
    """

    files: int
    ignored: tuple[Problem, ...]
    resources: dict[str, int]
    nested: dict[str, int]
    apart: dict[str, int]
    commands: dict[str, int]
    events_written: int
    unchanged: int
    yielded: dict[str, dict[str, int]]
    not_imported: dict[str, int]
    unbound: dict[str, int]
    late: dict[str, int]
    awaited: int
    issues: dict[str, int]
    arrived: dict[str, int]
    problems: tuple[Problem, ...]
    seconds: float
    resources_per_second: float
    last_position: int | None


@dataclass(slots=True, kw_only=True)
class Tally:
    """The counts of an import while it runs."""

    files: int = 0
    ignored: list[Problem] = field(default_factory=list)
    resources: Counter[str] = field(default_factory=Counter)
    nested: Counter[str] = field(default_factory=Counter)
    apart: Counter[str] = field(default_factory=Counter)
    commands: Counter[str] = field(default_factory=Counter)
    events_written: int = 0
    unchanged: int = 0
    yielded: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    not_imported: Counter[str] = field(default_factory=Counter)
    unbound: Counter[str] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)
    issues: Counter[str] = field(default_factory=Counter)
    arrived: Counter[str] = field(default_factory=Counter)
    problems: list[Problem] = field(default_factory=list)
    last_position: int | None = None

    def receipt(self, operation: str, receipt: Receipt) -> None:
        """Count a command and the events it wrote."""
        self.commands[operation] += 1
        if receipt.repeated or receipt.first is None or receipt.last is None:
            self.unchanged += 1
        else:
            self.events_written += receipt.last - receipt.first + 1
        if receipt.last is not None:
            self.last_position = max(receipt.last, self.last_position or 0)

    def received(self, received: Received) -> None:
        """Count what came in."""
        kinds = [entry.resource_type for entry in received.entries]
        kinds += [one.type for one in received.problems if one.type]
        self.resources.update(kinds)
        if received.nested:
            self.nested.update(kinds)
        self.apart.update(received.apart)
        self.problems.extend(received.problems)

    def found(self, findings: Iterable[Finding]) -> None:
        """Count what validation found."""
        self.issues.update(f"{one.type} {one.judge}" for one in findings)

    @property
    def accounted(self) -> int:
        """How many resources are filed or set aside so far."""
        filed = sum(counts.total() for counts in self.yielded.values())
        return filed + self.not_imported.total() + len(self.problems)

    def report(self, seconds: float) -> ImportReport:
        """The outcome, counts by name, problems by file and entry."""
        total = self.resources.total()
        return ImportReport(
            files=self.files,
            ignored=tuple(self.ignored),
            resources=_sorted(self.resources),
            nested=_sorted(self.nested),
            apart=_sorted(self.apart),
            commands=_sorted(self.commands),
            events_written=self.events_written,
            unchanged=self.unchanged,
            yielded={name: _sorted(self.yielded[name]) for name in sorted(self.yielded)},
            not_imported=_sorted(self.not_imported),
            unbound=_sorted(self.unbound),
            late=_sorted(self.late),
            awaited=self.commands["directory.await-entry"],
            issues=_sorted(self.issues),
            arrived=_sorted(self.arrived),
            problems=tuple(sorted(self.problems, key=lambda one: (one.file, one.entry or 0))),
            seconds=seconds,
            resources_per_second=total / seconds if seconds else 0.0,
            last_position=self.last_position,
        )


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))
