"""What an import did, in counts: no name, no value, no text of a patient."""

from collections import Counter, defaultdict
from dataclasses import dataclass, field

from adapters.fhir.reading import Problem
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
    and the `problems` of that type. `commands` counts by operation, `unbound` references that
    pointed at nothing known by the type they pointed at, `ignored` files that are not FHIR.
    """

    files: int
    ignored: tuple[Problem, ...]
    resources: dict[str, int]
    commands: dict[str, int]
    events_written: int
    unchanged: int
    yielded: dict[str, dict[str, int]]
    not_imported: dict[str, int]
    unbound: dict[str, int]
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
    commands: Counter[str] = field(default_factory=Counter)
    events_written: int = 0
    unchanged: int = 0
    yielded: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    not_imported: Counter[str] = field(default_factory=Counter)
    unbound: Counter[str] = field(default_factory=Counter)
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
            commands=_sorted(self.commands),
            events_written=self.events_written,
            unchanged=self.unchanged,
            yielded={name: _sorted(self.yielded[name]) for name in sorted(self.yielded)},
            not_imported=_sorted(self.not_imported),
            unbound=_sorted(self.unbound),
            problems=tuple(sorted(self.problems, key=lambda one: (one.file, one.entry or 0))),
            seconds=seconds,
            resources_per_second=total / seconds if seconds else 0.0,
            last_position=self.last_position,
        )


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))
