"""The reference: the same dashboard as strawberry's documentation would have it written.

strawberry's own ASGI application with its defaults, dataloaders per request, an asyncpg pool over
plaintext tables with indexes, the same token verified with PyJWT, one durable INSERT of an audit
row per request. No rules, no encryption, no row-level security.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import asyncpg
import jwt
import strawberry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp
from starlette.websockets import WebSocket
from strawberry.asgi import GraphQL
from strawberry.dataloader import DataLoader

from api.auth.tokens import DemoIssuer
from bench import portal
from bench.ground import TENANT

TABLES = """
CREATE TABLE patient (id int PRIMARY KEY, account text UNIQUE, name text, birth_date text,
  gender text, mrn text);
CREATE TABLE visit (id int PRIMARY KEY, patient int, status text, start text, type text);
CREATE TABLE report (id int PRIMARY KEY, patient int, status text, code text, issued text);
CREATE TABLE observation (id int PRIMARY KEY, report int, code text, status text, value text,
  unit text, effective text);
CREATE TABLE medication (id int PRIMARY KEY, patient int, status text, code text, directions text);
CREATE TABLE condition (id int PRIMARY KEY, patient int, code text, status text, onset text);
CREATE TABLE audit (id bigserial PRIMARY KEY, at timestamptz DEFAULT now(), account text,
  patient int, operation text);
CREATE INDEX ON visit (patient);
CREATE INDEX ON report (patient);
CREATE INDEX ON observation (report);
CREATE INDEX ON medication (patient);
CREATE INDEX ON condition (patient);
"""
T = TypeVar("T")


@strawberry.type
class Concept:
    text: str


@strawberry.type
class Moment:
    text: str


@strawberry.type
class Quantity:
    value: str
    unit: str


@strawberry.type
class Patient:
    id: strawberry.ID
    name: str
    birth_date: Moment
    gender: str
    medical_record_number: str


@strawberry.type
class Visit:
    id: strawberry.ID
    status: str
    start: Moment
    types: list[Concept]


@strawberry.type
class LabObservation:
    code: Concept
    status: str
    value: Quantity
    effective: Moment


Rows = list[asyncpg.Record]


@dataclass(frozen=True, slots=True)
class Context:
    """What a request has: the pool, who asks, a dataloader per table."""

    pool: asyncpg.Pool
    account: str
    loaders: "dict[str, DataLoader[int, Rows]]"
    response: Response | WebSocket


Info = strawberry.Info[Context, None]


@strawberry.type
class LabReport:
    id: strawberry.ID
    status: str
    code: Concept
    issued: Moment

    @strawberry.field
    async def observations(self, info: Info) -> list[LabObservation]:
        rows = await _load(info, "observation", int(self.id))
        return [
            LabObservation(
                code=Concept(text=row["code"]),
                status=row["status"],
                value=Quantity(value=row["value"], unit=row["unit"]),
                effective=Moment(text=row["effective"]),
            )
            for row in rows
        ]


@strawberry.type
class Medication:
    id: strawberry.ID
    status: str
    code: Concept
    directions: list[str]


@strawberry.type
class Condition:
    id: strawberry.ID
    code: Concept
    clinical_status: str
    onset: Moment


@strawberry.type
class VisitEdge:
    node: Visit


@strawberry.type
class VisitConnection:
    edges: list[VisitEdge]


@strawberry.type
class LabReportEdge:
    node: LabReport


@strawberry.type
class LabReportConnection:
    edges: list[LabReportEdge]


@strawberry.type
class MedicationEdge:
    node: Medication


@strawberry.type
class MedicationConnection:
    edges: list[MedicationEdge]


@strawberry.type
class ConditionEdge:
    node: Condition


@strawberry.type
class ConditionConnection:
    edges: list[ConditionEdge]


@strawberry.type
class Record:
    key: strawberry.Private[int]

    @strawberry.field
    async def patient(self, info: Info) -> Patient:
        row = (await _load(info, "patient", self.key))[0]
        return Patient(
            id=strawberry.ID(str(row["id"])),
            name=row["name"],
            birth_date=Moment(text=row["birth_date"]),
            gender=row["gender"],
            medical_record_number=row["mrn"],
        )

    @strawberry.field
    async def visits(self, info: Info, first: int = 20) -> VisitConnection:
        rows = await _load(info, "visit", self.key)
        nodes = [
            Visit(
                id=strawberry.ID(str(row["id"])),
                status=row["status"],
                start=Moment(text=row["start"]),
                types=[Concept(text=row["type"])],
            )
            for row in rows[:first]
        ]
        return VisitConnection(edges=[VisitEdge(node=node) for node in nodes])

    @strawberry.field
    async def lab_reports(self, info: Info, first: int = 20) -> LabReportConnection:
        rows = await _load(info, "report", self.key)
        nodes = [
            LabReport(
                id=strawberry.ID(str(row["id"])),
                status=row["status"],
                code=Concept(text=row["code"]),
                issued=Moment(text=row["issued"]),
            )
            for row in rows[:first]
        ]
        return LabReportConnection(edges=[LabReportEdge(node=node) for node in nodes])

    @strawberry.field
    async def medications(self, info: Info, first: int = 20) -> MedicationConnection:
        rows = await _load(info, "medication", self.key)
        nodes = [
            Medication(
                id=strawberry.ID(str(row["id"])),
                status=row["status"],
                code=Concept(text=row["code"]),
                directions=[row["directions"]],
            )
            for row in rows[:first]
        ]
        return MedicationConnection(edges=[MedicationEdge(node=node) for node in nodes])

    @strawberry.field
    async def conditions(self, info: Info, first: int = 20) -> ConditionConnection:
        rows = await _load(info, "condition", self.key)
        nodes = [
            Condition(
                id=strawberry.ID(str(row["id"])),
                code=Concept(text=row["code"]),
                clinical_status=row["status"],
                onset=Moment(text=row["onset"]),
            )
            for row in rows[:first]
        ]
        return ConditionConnection(edges=[ConditionEdge(node=node) for node in nodes])


@strawberry.type
class Query:
    @strawberry.field
    async def record(self, info: Info) -> Record | None:
        pool, account = info.context.pool, info.context.account
        key = await pool.fetchval("SELECT id FROM patient WHERE account = $1", account)
        if key is None:
            return None
        await pool.execute(
            "INSERT INTO audit (account, patient, operation) VALUES ($1, $2, 'Dashboard')",
            account,
            key,
        )
        return Record(key=key)


async def _load(info: Info, table: str, key: int) -> Rows:
    return await info.context.loaders[table].load(key)


BELONGS = {
    "patient": "id",
    "visit": "patient",
    "report": "patient",
    "medication": "patient",
    "condition": "patient",
    "observation": "report",
}


def _loader(pool: asyncpg.Pool, table: str) -> DataLoader[int, Rows]:
    column = BELONGS[table]
    order = "id DESC" if table in {"visit", "report"} else "id"

    async def load(keys: list[int]) -> Sequence[Rows]:
        rows = await pool.fetch(
            f"SELECT * FROM {table} WHERE {column} = ANY($1::int[]) ORDER BY {order}", keys
        )
        found: dict[int, Rows] = {key: [] for key in keys}
        for row in rows:
            found[row[column]].append(row)
        return [found[key] for key in keys]

    return DataLoader(load_fn=load)


@asynccontextmanager
async def opened(spec: Mapping[str, str]) -> AsyncIterator[ASGIApp]:
    """The reference application over the database of `spec`, trusting the issuer's key."""
    issuer = DemoIssuer.load_or_create(Path(spec["folder"]) / "issuer.pem").issuer
    key = next(iter(issuer.keys.values()))

    async with asyncpg.create_pool(spec["dsn"], min_size=1, max_size=12) as pool:

        class Door(GraphQL[Context, None]):
            async def get_context(
                self, request: Request | WebSocket, response: Response | WebSocket
            ) -> Context:
                token = request.headers["authorization"].removeprefix("Bearer ")
                audience = f"anamnesis:{TENANT}"
                claims = jwt.decode(token, key, algorithms=["ES256"], audience=audience)
                loaders = {table: _loader(pool, table) for table in BELONGS}
                return Context(pool, claims["sub"], loaders, response)

        graphql = Door(strawberry.Schema(query=Query))
        yield Starlette(routes=[Route("/graphql", graphql, methods=["POST"])])


async def fill(dsn: str, accounts: Sequence[str]) -> None:
    """The same facts in plaintext tables, for each of these patients."""
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(TABLES)
        for patient, account in enumerate(accounts, 1):
            name = f"Jo {patient} Doe"
            row = (patient, account, name, "1970-04-01", "female", str(patient))
            await _insert(connection, "patient", [row])
            for table, rows in _rows(patient).items():
                await _insert(connection, table, rows)
        await connection.execute("ANALYZE")
    finally:
        await connection.close()


async def _insert(
    connection: asyncpg.Connection, table: str, rows: Sequence[tuple[object, ...]]
) -> None:
    places = ", ".join(f"${n}" for n in range(1, len(rows[0]) + 1))
    await connection.executemany(f"INSERT INTO {table} VALUES ({places})", rows)


def _rows(patient: int) -> dict[str, list[tuple[object, ...]]]:
    reports = portal.reports()
    first = patient * 100
    return {
        "visit": [
            (n, patient, visit.status, _text(visit.period, lambda p: p.start), visit.types[0].words)
            for n, visit in enumerate(portal.visits(), first)
        ],
        "report": [
            (n, patient, report.status, report.concept.words, _text(report.issued, lambda m: m))
            for n, report in enumerate(reports, first)
        ],
        "observation": [
            (n * 100 + k, n, one.concept.words, one.status, one.quantity.value, one.quantity.unit,
             _text(one.effective, lambda m: m))
            for n, report in enumerate(reports, first)
            for k, one in enumerate(report.observations)
            if one.quantity is not None
        ],
        "medication": [
            (n, patient, order.status, order.medication.words, order.directions[0])
            for n, order in enumerate(portal.medications(), first)
        ],
        "condition": [
            (n, patient, fact.concept.words, fact.clinical_status, _text(fact.onset, lambda m: m))
            for n, fact in enumerate(portal.conditions(), first)
        ],
    }  # fmt: skip


def _text(given: T | None, moment: Callable[[T], object]) -> str:
    stated = None if given is None else moment(given)
    return str(getattr(stated, "text", ""))
