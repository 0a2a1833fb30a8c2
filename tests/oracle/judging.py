"""The trail as the compliance officer reads it, compared with what the answers showed."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.oracle.answers import Asked, Seen
from tests.oracle.asking import Asker

LOOK, LIST, REFUSAL = "audit.records-viewed", "audit.list-viewed", "audit.access-refused"
NODE = "id position type actor chart rule basis operation panels records count outcome"
Json = dict[str, Any]


async def trail(
    asker: Asker, officer: str, until: str | None, chart: str | None = None
) -> list[Json]:
    """Every entry after the one with the id `until`, newest first, page by page.

    With a chart only those about it, and of a list only what it showed of this chart.
    """
    entries: list[Json] = []
    about = after = "" if chart is None else f', chart: "{chart}"'
    while True:
        name = f"Page{len(asker.asked)}"
        document = (
            f"query {name} {{ trail: auditTrail(first: {100 if until else 1}{after}) {{ edges {{"
            f" node {{ {NODE} }} }} pageInfo {{ hasNextPage endCursor }} }} }}"
        )
        page = (await asker.ask(officer, document, name, {"trail": ("auditTrail", chart, {})}))[
            "data"
        ]["trail"]
        for edge in page["edges"]:
            if edge["node"]["id"] == until:
                return entries
            entries.append(edge["node"])
        if until is None or not page["pageInfo"]["hasNextPage"]:
            return entries
        after = f'{about}, after: "{page["pageInfo"]["endCursor"]}"'


async def shares(
    asker: Asker, officer: str, until: str, entries: list[Json]
) -> dict[str, list[Json]]:
    """What each list among the entries showed of each chart, as the trail of the chart says it."""
    lists: dict[str, list[Json]] = {entry["id"]: [] for entry in entries if entry["type"] == LIST}
    for chart in list(asker.planner.known.charts):
        for entry in await trail(asker, officer, until, chart):
            if entry["id"] in lists:
                lists[entry["id"]].append(entry)
    return lists


@dataclass(slots=True)
class Judge:
    """Finds what is in one of both only.

    Ids of records are the same in answers and in the trail. Ids of charts and of events are not:
    each must stand for one record of the trail, and always for the same one.
    """

    accounts: Mapping[str, str]
    stands_for: dict[str, str] = field(default_factory=dict)
    nobody: str | None = None
    """The chart under which wishes about no chart at all are on record."""
    wrong: list[str] = field(default_factory=list)
    ids: int = 0

    def compare(
        self, asked: list[Asked], entries: list[Json], lists: dict[str, list[Json]]
    ) -> None:
        """Both ways: every answer is on record, and every entry has its answer.

        A list counts as what it showed of each chart, which is all that it showed.
        """
        for entry in entries:
            parts = [record for part in lists.get(entry["id"], []) for record in part["records"]]
            if entry["type"] == LIST and sorted(parts) != sorted(entry["records"]):
                self.wrong.append(f"{entry['operation']}: a list that is not that of its charts")
        entries = [part for entry in entries for part in lists.get(entry["id"], [entry])]
        operations: dict[str, list[Json]] = {}
        others: list[Json] = []
        names = {each.recorded_as for each in asked}
        for entry in reversed(entries):
            if entry["operation"] in names:
                operations.setdefault(entry["operation"], []).append(entry)
            else:
                others.append(entry)
        for each in asked:
            self._operation(each, operations.get(each.recorded_as, []))
        self._changes(asked, others)
        if len(set(self.stands_for.values())) != len(self.stands_for):
            self.wrong.append("two ids stand for one record")

    def _operation(self, asked: Asked, entries: list[Json]) -> None:
        for entry in entries:
            if entry["actor"] != self.accounts[asked.person]:
                self.wrong.append(f"{asked.recorded_as}: of another actor")
        if asked.in_doubt:
            return
        looks = [entry for entry in entries if entry["type"] in (LOOK, LIST)]
        refusals = [entry for entry in entries if entry["type"] == REFUSAL]
        found = Counter(entry["chart"] for entry in refusals)
        if found != Counter({self._chart(chart) for chart in asked.refused}):
            self.wrong.append(f"{asked.recorded_as}: refused {asked.refused}, on record {found}")
        if any(entry["outcome"] != "refused" or entry["records"] for entry in refusals):
            self.wrong.append(f"{asked.recorded_as}: a refusal that shows something")
        charts = {entry["chart"] for entry in looks}
        for chart in charts - set(map(self._chart, asked.looks)):
            self.wrong.append(f"{asked.recorded_as}: a look at {chart} without an answer")
        for chart, seen in asked.looks.items():
            about = [entry for entry in looks if entry["chart"] == self._chart(chart)]
            self.wrong.extend(f"{asked.recorded_as}: {wrong}" for wrong in self._look(seen, about))

    def _chart(self, chart: str | None) -> str | None:
        """A text that is no id is on record as nobody's chart, whatever the text."""
        if chart is None or (chart.startswith("chart_") and len(chart) == 28):
            return chart
        return self.nobody

    def _look(self, seen: Seen, entries: list[Json]) -> Iterator[str]:
        if not entries:
            yield "an answer without a look"
            return
        self.ids += len(seen.ids)
        reads = {panel for entry in entries for panel in entry["panels"]}
        if reads != seen.reads:
            yield f"read {seen.reads}, on record {reads}"
        if any(entry["count"] != len(entry["records"]) for entry in entries):
            yield "a count that is not that of its records"
        if any(entry["outcome"] != "success" or entry["basis"] == "none" for entry in entries):
            yield "a look that is no success"
        recorded = dict.fromkeys(record for entry in entries for record in entry["records"])
        shown = [ident for ident in seen.ids if not ident.startswith("record_")]
        rest = [record for record in recorded if record not in seen.ids]
        for ident in seen.ids:
            if ident.startswith("record_") and ident not in recorded:
                yield f"{ident} was shown and is not on record"
        if len(shown) != len(rest):
            yield f"{len(shown)} others were shown, {len(rest)} are on record"
            return
        for ident, record in zip(shown, rest, strict=True):
            if self.stands_for.setdefault(ident, record) != record:
                yield f"{ident} stands for {self.stands_for[ident]} and for {record}"

    def _changes(self, asked: list[Asked], entries: list[Json]) -> None:
        """Grants and withdrawals by their positions, denied ones by actor, command and chart."""
        denied = Counter(
            (self.accounts[each.person], command, chart)
            for each in asked
            for command, chart in each.denied
        )
        changed = Counter(
            (self.accounts[each.person], position, chart)
            for each in asked
            for position, chart in each.positions
        )
        for entry in entries:
            about = (entry["actor"], entry["chart"])
            if entry["type"] == REFUSAL:
                denied[about[0], entry["operation"], about[1]] -= 1
            elif entry["type"].startswith("consent."):
                changed[about[0], entry["position"], about[1]] -= 1
            else:
                self.wrong.append(f"{entry['type']} of {entry['operation']} without an answer")
        unmatched = [(key, count) for key, count in (denied + changed).items() if count]
        unmatched += [(key, count) for key, count in (-denied + -changed).items() if count]
        self.wrong.extend(
            f"{key}: {count} in answers only (or in the trail)" for key, count in unmatched
        )
