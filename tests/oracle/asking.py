"""Random operations of random people, and what each answer says that somebody saw.

Shares nothing with the product: it knows the published schema, the guides, and HTTP.
"""

import asyncio
import base64
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import httpx2

# docs/permissions.md names the reads, schema/schema.graphql the fields.
READS = {
    "patient": "registry.demographics",
    "conditions": "records.conditions",
    "allergies": "records.allergies",
    "medications": "prescriptions.medications",
    "immunizations": "records.immunizations",
    "labReports": "results.reports",
    "observations": "records.observations",
    "visits": "care.visits",
    "proxies": "consent.proxies",
}
TRAIL = "audit.trail"
DENIED = "kernel.not_found"
COMMANDS = {
    "grantProxyAccess": "consent.grant-proxy-access",
    "withdrawProxyAccess": "consent.withdraw-proxy-access",
}
SCOPES = ("RECORDS", "RESULTS", "PRESCRIPTIONS", "SCHEDULING", "MESSAGING")
AT_ONCE = 6
HANGS_UP = 0.02
Json = dict[str, Any]


@dataclass(slots=True)
class Seen:
    """What one operation shows of one chart: which reads, and the ids, in their order."""

    reads: set[str] = field(default_factory=set)
    ids: dict[str, None] = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class Asked:
    """An operation and what its answer proves: looks and refusals by chart, changes by position.

    `in_doubt` is one whose client hung up: what it saw may be on record, or not.
    """

    person: str
    document: str
    name: str
    looks: dict[str | None, Seen] = field(default_factory=dict)
    refused: set[str | None] = field(default_factory=set)
    denied: list[tuple[str, str]] = field(default_factory=list)
    positions: list[tuple[str, str]] = field(default_factory=list)
    in_doubt: bool = False

    @property
    def recorded_as(self) -> str:
        """The name in the trail: the operation's, or else its document's hash."""
        return self.name or sha256(self.document.encode()).hexdigest()


@dataclass(slots=True)
class Asker:
    """Asks as people; remembers charts, cursors, persons and accounts that answers told."""

    client: httpx2.AsyncClient
    url: str
    token: Callable[[str], str]
    people: list[str]
    chance: random.Random
    asked: list[Asked] = field(default_factory=list)
    accounts: dict[str, str] = field(default_factory=dict)
    own: dict[str, str] = field(default_factory=dict)
    open: dict[str, list[str]] = field(default_factory=dict)
    charts: list[str] = field(default_factory=list)
    persons: list[str] = field(default_factory=list)
    cursors: list[str] = field(default_factory=list)

    async def census(self) -> None:
        """Everybody says who they are and which records are open to them."""
        for person in self.people:
            document = (
                f"query Census{len(self.asked)} {{ me {{ id person records(first: 100) {{ edges {{"
                " node { chart relationship patient { id } } } } } }"
            )
            told = await self.ask(
                person, document, f"Census{len(self.asked)}", {"me": ("me", None, {})}
            )
            me = told["data"]["me"]
            self.accounts[person] = me["id"]
            if me["person"] is not None:
                self.persons.append(me["person"])
            for edge in me["records"]["edges"]:
                node = edge["node"]
                self.open.setdefault(person, []).append(node["chart"])
                if node["chart"] not in self.charts:
                    self.charts.append(node["chart"])
                if node["relationship"] == "own-record":
                    self.own[person] = node["chart"]

    async def wander(self, count: int) -> None:
        """So many random operations, a few at once; planned from what is known so far."""
        for _ in range(-(-count // AT_ONCE)):
            plans = [self._planned(len(self.asked) + number) for number in range(AT_ONCE)]
            for person, document, name, _, _ in plans:
                self.asked.append(Asked(person=person, document=document, name=name))
            waiting = zip(plans, self.asked[-AT_ONCE:], strict=True)
            await asyncio.gather(*(self._carried_out(plan, asked) for plan, asked in waiting))

    async def ask(self, person: str, document: str, name: str, fields: "Fields") -> Json:
        """One operation of the oracle's own, on record like any other."""
        asked = Asked(person=person, document=document, name=name)
        self.asked.append(asked)
        told = await self._post(person, document)
        self._understand(asked, told, fields)
        return told

    async def _post(self, person: str, document: str) -> Json:
        headers = {"authorization": f"Bearer {self.token(person)}"}
        answer = await self.client.post(self.url, json={"query": document}, headers=headers)
        if answer.status_code != 200:
            raise AssertionError(f"{answer.status_code} {answer.text} for {document}")
        told: Json = answer.json()
        return told

    async def _carried_out(self, plan: "Plan", asked: Asked) -> None:
        person, document, _, fields, hangs_up = plan
        if not hangs_up:
            self._understand(asked, await self._post(person, document), fields)
            return
        asked.in_doubt = True
        asking = asyncio.create_task(self._post(person, document))
        await asyncio.wait([asking], timeout=HANGS_UP)
        asking.cancel()
        await asyncio.wait([asking])
        if not asking.cancelled() and asking.exception() is None:
            asked.in_doubt = False
            self._understand(asked, asking.result(), fields)

    def _planned(self, number: int) -> "Plan":
        chance, person = self.chance, self.chance.choice(self.people)
        name = f"Op{number}" if chance.random() < 0.9 else ""
        fields: Fields = {}
        parts, fragments = [], []
        if chance.random() < 0.15:
            parts.append(self._change(f"change{number}", person, fields))
        else:
            for place in range(chance.choice((1, 1, 2, 3))):
                part, fragment = self._read(f"a{number}x{place}", person, fields)
                parts.append(part)
                fragments.append(fragment)
        verb = "mutation" if "change" in parts[0] else "query"
        document = f"{verb} {name} {{ {' '.join(parts)} }} {' '.join(fragments)}"
        return person, document, name, fields, verb == "query" and chance.random() < 0.03

    def _read(self, alias: str, person: str, fields: "Fields") -> tuple[str, str]:
        chance = self.chance
        kind = chance.choices(("record", "own", "me", "recordAsOf", "auditTrail"), (8, 4, 1, 2, 1))[
            0
        ]
        if kind == "me":
            fields[alias] = ("me", None, {})
            return (
                f"{alias}: me {{ records {{ edges {{ node {{ chart patient {{ id }} }} }} }} }}",
                "",
            )
        if kind == "auditTrail":
            # Two pages of the trail in one operation would be one look without an order.
            if any(known[0] == "auditTrail" for known in fields.values()):
                return f"{alias}: __typename", ""
            chart = chance.choice([None, *self.charts])
            fields[alias] = ("auditTrail", chart, {})
            chosen = "" if chart is None else f', chart: "{chart}"'
            first = chance.randint(1, 9)
            return (
                f"{alias}: auditTrail(first: {first}{chosen}) {{ edges {{ node {{ id }} }} }}",
                "",
            )
        chart = None if kind == "own" else self._some_chart(person)
        panels: dict[str, str] = {}
        selected = " ".join(self._panel(panels) for _ in range(chance.randint(1, 6)))
        fields[alias] = (kind, self.own.get(person) if kind == "own" else chart, panels)
        argument = "" if chart is None else f'(chart: "{chart}")'
        field_name = "record" if kind == "own" else kind
        if chance.random() < 0.3:
            return (
                f"{alias}: {field_name}{argument} {{ ...F{alias} }}",
                f"fragment F{alias} on Record {{ {selected} }}",
            )
        return f"{alias}: {field_name}{argument} {{ {selected} }}", ""

    def _panel(self, panels: dict[str, str]) -> str:
        chance, panel = self.chance, self.chance.choice(list(READS))
        alias = f"p{len(panels)}"
        panels[alias] = panel
        if panel == "patient":
            return f"{alias}: patient {{ id }}"
        after = ""
        if self.cursors and chance.random() < 0.3:
            after = f', after: "{chance.choice(self.cursors)}"'
        first = chance.choice((1, 3, 20, 100, 0))
        return (
            f"{alias}: {panel}(first: {first}{after}) {{ edges {{ cursor node {{ id }} }}"
            " pageInfo { hasNextPage endCursor } }"
        )

    def _some_chart(self, person: str) -> str:
        chance = self.chance
        if person in self.open and chance.random() < 0.7:
            return chance.choice(self.open[person])
        if chance.random() < 0.85:
            return chance.choice(self.charts)
        strange = base64.urlsafe_b64encode(chance.randbytes(16))[:22].decode()
        return chance.choice((f"chart_{strange}", "no id at all", ""))

    def _change(self, alias: str, person: str, fields: "Fields") -> str:
        chance = self.chance
        change = chance.choice(list(COMMANDS))
        chart = self.own.get(person) if chance.random() < 0.7 else None
        chart = chart or chance.choice(self.charts)
        fields[alias] = (change, chart, {})
        more = ""
        if change == "grantProxyAccess":
            scopes = ", ".join(chance.sample(SCOPES, chance.randint(1, 3)))
            more = f", kind: HELPER, scopes: [{scopes}]"
        return (
            f'{alias}: {change}(input: {{idempotencyKey: "{alias}", chart: "{chart}",'
            f' grantee: "{chance.choice(self.persons)}"{more}}})'
            " { __typename ... on ProxyAccessChanged { position repeated } }"
        )

    def _understand(self, asked: Asked, told: Json, fields: "Fields") -> None:
        data = told.get("data") or {}
        codes = {
            tuple(error["path"]): error["extensions"]["code"] for error in told.get("errors", [])
        }
        for alias, (kind, chart, panels) in fields.items():
            value = data.get(alias)
            if kind in COMMANDS:
                self._changed(asked, kind, chart, value)
            elif kind == "me":
                self._listed(asked, value)
            elif value is None:
                denied = kind in ("record", "own") or codes.get((alias,)) == DENIED
                # A person without a chart of their own asks for nobody's.
                if denied and not (kind == "own" and chart is None):
                    asked.refused.add(chart)
            elif kind == "auditTrail":
                seen = asked.looks.setdefault(chart, Seen())
                seen.reads.add(TRAIL)
                seen.ids.update(dict.fromkeys(edge["node"]["id"] for edge in value["edges"]))
            else:
                shown = {name: (value[name], codes.get((alias, name))) for name in panels}
                self._opened(asked, chart, panels, shown)

    def _changed(self, asked: Asked, kind: str, chart: str | None, value: Json) -> None:
        if value["__typename"] == "NotFoundProblem":
            asked.denied.append((COMMANDS[kind], str(chart)))
        elif value["__typename"] == "ProxyAccessChanged" and value["position"] is not None:
            asked.positions.append((value["position"], str(chart)))

    def _listed(self, asked: Asked, value: Json) -> None:
        for edge in value["records"]["edges"]:
            patient = edge["node"]["patient"]
            if patient is not None:
                seen = asked.looks.setdefault(edge["node"]["chart"], Seen())
                seen.reads.add(READS["patient"])
                seen.ids[patient["id"]] = None

    def _opened(
        self,
        asked: Asked,
        chart: str | None,
        panels: dict[str, str],
        shown: dict[str, tuple[Json | None, str | None]],
    ) -> None:
        for alias, panel in panels.items():
            value, code = shown[alias]
            if code == DENIED:
                asked.refused.add(chart)
            if code is not None:
                continue
            seen = asked.looks.setdefault(chart, Seen())
            seen.reads.add(READS[panel])
            if value is not None and panel == "patient":
                seen.ids[value["id"]] = None
            elif value is not None:
                seen.ids.update(dict.fromkeys(edge["node"]["id"] for edge in value["edges"]))
                self.cursors += [edge["cursor"] for edge in value["edges"][-1:]]


Fields = dict[str, tuple[str, str | None, dict[str, str]]]
"""Alias -> what was asked (a field of the schema), about which chart, which panel by alias."""
Plan = tuple[str, str, str, Fields, bool]
"""Person, document, name, fields, and whether the client hangs up."""
