"""Random operations of random people over HTTP."""

import asyncio
import base64
import random
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx2

from tests.oracle.answers import (
    COMMANDS,
    OF_AN_ENTRY,
    READS,
    Asked,
    Fields,
    Json,
    Known,
    Plan,
    understand,
)

SCOPES = ("RECORDS", "RESULTS", "PRESCRIPTIONS", "SCHEDULING", "MESSAGING")
AT_ONCE = 6
KINDS = (
    "record", "own", "me", "recordAsOf", "auditTrail", "worklist", "history", "reachedBy",
)  # fmt: skip
HANGS_UP = 0.02


@dataclass(slots=True)
class Planner:
    """Draws operations from what is known so far; the same seed and answers give the same ones."""

    people: list[str]
    chance: random.Random
    known: Known = field(default_factory=Known)

    def plan(self, number: int) -> Plan:
        """The next operation of somebody."""
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

    def _read(self, alias: str, person: str, fields: Fields) -> tuple[str, str]:
        chance = self.chance
        kind = chance.choices(KINDS, (16, 8, 2, 4, 2, 1, 2, 1))[0]
        if kind not in ("record", "own", "recordAsOf"):
            return self._beside_records(alias, kind, fields), ""
        chart = None if kind == "own" else self._some_chart(person)
        panels: dict[str, str] = {}
        selected = " ".join(self._panel(panels) for _ in range(chance.randint(1, 6)))
        fields[alias] = (kind, self.known.own.get(person) if kind == "own" else chart, panels)
        argument = "" if chart is None else f'(chart: "{chart}")'
        field_name = "record" if kind == "own" else kind
        if chance.random() < 0.3:
            return (
                f"{alias}: {field_name}{argument} {{ ...F{alias} }}",
                f"fragment F{alias} on Record {{ {selected} }}",
            )
        return f"{alias}: {field_name}{argument} {{ {selected} }}", ""

    def _beside_records(self, alias: str, kind: str, fields: Fields) -> str:
        """A read that is of no record, or of one entry of a record."""
        chance = self.chance
        if kind in OF_AN_ENTRY:
            entry = chance.choice([*self.known.entries, "record_none"])
            fields[alias] = (kind, entry, {})
            shown = "edges { node { what } }" if kind == "history" else "accounts"
            return f'{alias}: {kind}(record: "{entry}") {{ {shown} }}'
        if kind == "auditTrail":
            return self._trail(alias, fields)
        fields[alias] = (kind, None, {})
        node = "chart patient { id }"
        if kind == "me":
            return f"{alias}: me {{ records {{ edges {{ node {{ {node} }} }} }} }}"
        first = chance.randint(1, 9)
        node += " lastVisit { id }"
        return f"{alias}: worklist(first: {first}) {{ edges {{ node {{ {node} }} }} }}"

    def _trail(self, alias: str, fields: Fields) -> str:
        # Two pages of the trail in one operation would be one look without an order.
        if any(known[0] == "auditTrail" for known in fields.values()):
            return f"{alias}: __typename"
        chart = self.chance.choice([None, *self.known.charts])
        fields[alias] = ("auditTrail", chart, {})
        chosen = "" if chart is None else f', chart: "{chart}"'
        first = self.chance.randint(1, 9)
        return f"{alias}: auditTrail(first: {first}{chosen}) {{ edges {{ node {{ id }} }} }}"

    def _panel(self, panels: dict[str, str]) -> str:
        chance, panel = self.chance, self.chance.choice(list(READS))
        alias = f"p{len(panels)}"
        panels[alias] = panel
        if panel == "patient":
            return f"{alias}: patient {{ id }}"
        after = ""
        if self.known.cursors and chance.random() < 0.3:
            after = f', after: "{chance.choice(self.known.cursors)}"'
        first = chance.choice((1, 3, 20, 100, 0))
        return (
            f"{alias}: {panel}(first: {first}{after}) {{ edges {{ cursor node {{ id }} }}"
            " pageInfo { hasNextPage endCursor } }"
        )

    def _some_chart(self, person: str) -> str:
        chance = self.chance
        if person in self.known.open and chance.random() < 0.7:
            return chance.choice(self.known.open[person])
        if chance.random() < 0.85:
            return chance.choice(self.known.charts)
        strange = base64.urlsafe_b64encode(chance.randbytes(16))[:22].decode()
        return chance.choice((f"chart_{strange}", "no id at all", ""))

    def _change(self, alias: str, person: str, fields: Fields) -> str:
        chance = self.chance
        change = chance.choice(list(COMMANDS))
        chart = self.known.own.get(person) if chance.random() < 0.7 else None
        chart = chart or chance.choice(self.known.charts)
        fields[alias] = (change, chart, {})
        more = ""
        if change == "grantProxyAccess":
            scopes = ", ".join(chance.sample(SCOPES, chance.randint(1, 3)))
            more = f", kind: HELPER, scopes: [{scopes}]"
        return (
            f'{alias}: {change}(input: {{idempotencyKey: "{alias}", chart: "{chart}",'
            f' grantee: "{chance.choice(self.known.persons)}"{more}}})'
            " { __typename ... on ProxyAccessChanged { position repeated } }"
        )


@dataclass(slots=True)
class Asker:
    """Asks as people; remembers charts, cursors, persons and accounts that answers told."""

    client: httpx2.AsyncClient
    url: str
    token: Callable[[str], str]
    planner: Planner
    asked: list[Asked] = field(default_factory=list)

    async def census(self) -> None:
        """Everybody says who they are and which records are open to them."""
        for person in self.planner.people:
            document = (
                f"query Census{len(self.asked)} {{ me {{ id person records(first: 100) {{ edges {{"
                " node { chart relationship patient { id } } } } } }"
            )
            told = await self.ask(
                person, document, f"Census{len(self.asked)}", {"me": ("me", None, {})}
            )
            me = told["data"]["me"]
            self.planner.known.accounts[person] = me["id"]
            if me["person"] is not None:
                self.planner.known.persons.append(me["person"])
            for edge in me["records"]["edges"]:
                node = edge["node"]
                self.planner.known.open.setdefault(person, []).append(node["chart"])
                if node["chart"] not in self.planner.known.charts:
                    self.planner.known.charts.append(node["chart"])
                if node["relationship"] == "own-record":
                    self.planner.known.own[person] = node["chart"]

    async def wander(self, count: int) -> None:
        """So many random operations, a few at once; planned from what is known so far."""
        for _ in range(-(-count // AT_ONCE)):
            plans = [self.planner.plan(len(self.asked) + number) for number in range(AT_ONCE)]
            for person, document, name, _, _ in plans:
                self.asked.append(Asked(person=person, document=document, name=name))
            waiting = zip(plans, self.asked[-AT_ONCE:], strict=True)
            await asyncio.gather(*(self._carried_out(plan, asked) for plan, asked in waiting))

    async def ask(self, person: str, document: str, name: str, fields: Fields) -> Json:
        """One operation of the oracle's own, on record like any other."""
        asked = Asked(person=person, document=document, name=name)
        self.asked.append(asked)
        told = await self._post(person, document)
        understand(self.planner.known, asked, told, fields)
        return told

    async def _post(self, person: str, document: str) -> Json:
        headers = {"authorization": f"Bearer {self.token(person)}"}
        answer = await self.client.post(self.url, json={"query": document}, headers=headers)
        if answer.status_code != 200:
            raise AssertionError(f"{answer.status_code} {answer.text} for {document}")
        told: Json = answer.json()
        return told

    async def _carried_out(self, plan: Plan, asked: Asked) -> None:
        person, document, _, fields, hangs_up = plan
        if not hangs_up:
            understand(self.planner.known, asked, await self._post(person, document), fields)
            return
        asked.in_doubt = True
        asking = asyncio.create_task(self._post(person, document))
        await asyncio.wait([asking], timeout=HANGS_UP)
        asking.cancel()
        await asyncio.wait([asking])
        if not asking.cancelled() and asking.exception() is None:
            asked.in_doubt = False
            understand(self.planner.known, asked, asking.result(), fields)
