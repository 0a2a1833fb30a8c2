"""Numbers for operators, in the text format of Prometheus; labels are words of this file only.

No name that a client chose, no id, no tenant and no person is a label, so nothing that is scraped
tells who asked for what. The page is served on a listener of its own on the loopback address.
"""

import time
from collections.abc import Iterator

import asyncpg
from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from adapters.heads import HeadDuty
from adapters.postgres.tenant import tenant_rows
from api.admission import OVERLOADED, Admission
from api.apart import ProjectorProcess
from api.context import Operation
from api.house import House
from api.standing import LEVELS

OPENED = "anamnesis.operation"
"""In the scope of a request: the operation that was opened for it."""
BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_BEHIND = """SELECT c.projection, h.position - c.position AS behind
  FROM log_head h JOIN checkpoint c ON c.tenant = h.tenant WHERE h.tenant = $1"""
_EFFECTS = """SELECT state, count(*) AS effects,
    coalesce(extract(epoch FROM clock_timestamp() - min(due)), 0)::float8 AS age
  FROM effect WHERE tenant = $1 AND state IN ('waiting', 'sending', 'parked', 'dead')
  GROUP BY state"""
_UNWRITTEN = """SELECT h.position - min(o.position) AS behind
  FROM log_head h JOIN outbox o ON o.tenant = h.tenant WHERE h.tenant = $1 GROUP BY h.position"""
_TEXT = "text/plain; version=0.0.4; charset=utf-8"


class Metrics:
    """The numbers of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "anamnesis_requests",
            "Answers by outcome (answered, refused, unauthenticated, overloaded, unavailable,"
            " failed, abandoned) and kind (read, change, none).",
            ("outcome", "kind"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "anamnesis_request_seconds",
            "From the header to the last byte handed over, by kind.",
            ("kind",),
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self._lag: dict[str, int] = {}
        self._queue = _Queue()
        self.registry.register(self._queue)

    def observed(
        self,
        inner: ASGIApp,
        admission: Admission,
        house: House,
        projector: ProjectorProcess | None = None,
    ) -> ASGIApp:
        """`inner`, which has the gate in it, with its requests counted."""
        self.registry.register(_Snapshot(admission, house, self._lag))
        self.registry.register(_Rows(house))
        if projector is not None:
            self.registry.register(_Apart(projector))
        return _Observed(self, inner)

    def watch(self, duty: HeadDuty) -> None:
        """Tell how the signing of heads goes."""
        self.registry.register(_Heads(duty))

    def count(self, scope: Scope, status: int, seconds: float) -> None:
        """One request is over; status 0 where nothing was answered."""
        kind = _kind(scope.get(OPENED))
        self._requests.labels(_outcome(status, scope), kind).inc()
        self._seconds.labels(kind).observe(seconds)

    async def page(self, house: House) -> bytes:
        """The page as it is scraped; the projectors' lag is looked up for it."""
        lag: dict[str, int] = {}
        self._queue.forget()
        for tenant in await house.tenants():
            await self._queue.look(house.api, tenant)
            for projection, behind in await _behind(house.api, tenant):
                lag[projection] = max(lag.get(projection, 0), behind)
        self._lag.clear()
        self._lag.update(lag)
        return generate_latest(self.registry)


class _Observed:
    """An ASGI application that counts what another one answers."""

    def __init__(self, metrics: Metrics, inner: ASGIApp) -> None:
        self._metrics = metrics
        self._inner = inner

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        began, status = time.perf_counter(), 0

        async def sent(message: Message) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self._inner(scope, receive, sent)
        finally:
            self._metrics.count(scope, status, time.perf_counter() - began)


def metrics_application(metrics: Metrics, house: House) -> Starlette:
    """GET /metrics and nothing else, for a listener of its own."""

    async def scrape(_request: Request) -> Response:
        return Response(await metrics.page(house), headers={"content-type": _TEXT})

    return Starlette(routes=[Route("/metrics", scrape)])


class _Snapshot:
    """What is known only at the moment of the scrape."""

    def __init__(self, admission: Admission, house: House, lag: dict[str, int]) -> None:
        self._admission = admission
        self._house = house
        self._lag = lag

    def collect(self) -> Iterator[Metric]:
        """The families of one scrape."""
        serving = GaugeMetricFamily(
            "anamnesis_in_service", "Operations in service.", labels=["lane"]
        )
        waiting = GaugeMetricFamily("anamnesis_waiting", "Operations that wait.", labels=["lane"])
        for name, lane in self._admission.lanes.items():
            serving.add_metric([name], lane.in_service)
            waiting.add_metric([name], lane.waiting)
        yield GaugeMetricFamily(
            "anamnesis_standing",
            "What the process allows: 0 everything, 1 reading, 2 nothing.",
            value=LEVELS.index(self._house.standing.level),
        )
        refused = CounterMetricFamily(
            "anamnesis_overloaded", "Answered 503 by the gate.", labels=["lane", "reason"]
        )
        for (name, reason), count in sorted(self._admission.refused.items()):
            refused.add_metric([name, reason], count)
        lag = GaugeMetricFamily(
            "anamnesis_projector_lag_events",
            "Events that a projection is behind, in the tenant where it is most.",
            labels=["projection"],
        )
        for projection, behind in sorted(self._lag.items()):
            lag.add_metric([projection], behind)
        writer = self._house.writer
        yield from (serving, waiting, refused, lag)
        yield SummaryMetricFamily(
            "anamnesis_append_batch_commands",
            "Commands of each group commit.",
            count_value=writer.batches,
            sum_value=writer.commands,
        )
        yield SummaryMetricFamily(
            "anamnesis_append_seconds",
            "From a group commit's first byte sent to its durable answer, reconnecting included.",
            count_value=writer.batches,
            sum_value=writer.seconds,
        )


class _Rows:
    """Which server rows were read from."""

    def __init__(self, house: House) -> None:
        self._house = house

    def collect(self) -> Iterator[Metric]:
        """The family of one scrape."""
        reads = CounterMetricFamily(
            "anamnesis_row_reads",
            "Statements of operations by the server that answers, where there is a replica.",
            labels=["server"],
        )
        if self._house.replica is not None:
            for server, count in self._house.replica.reads.items():
                reads.add_metric([server], count)
        yield reads


class _Queue:
    """What follows from events and is not done yet, as it was looked up for the scrape."""

    def __init__(self) -> None:
        self._effects: dict[str, int] = {}
        self._age = 0.0
        self._behind = 0

    def forget(self) -> None:
        """Begin a look at every tenant."""
        self._effects = dict.fromkeys(("waiting", "sending", "parked", "dead"), 0)
        self._age, self._behind = 0.0, 0

    async def look(self, pool: asyncpg.Pool, tenant: str) -> None:
        """Add a tenant's."""
        for row in await tenant_rows(pool, tenant, _EFFECTS, tenant):
            self._effects[row["state"]] += row["effects"]
            if row["state"] in ("waiting", "sending"):
                self._age = max(self._age, row["age"])
        for row in await tenant_rows(pool, tenant, _UNWRITTEN, tenant):
            self._behind = max(self._behind, row["behind"])

    def collect(self) -> Iterator[Metric]:
        """The families of one scrape."""
        effects = GaugeMetricFamily(
            "anamnesis_effects", "Effects that are not done, by state.", labels=["state"]
        )
        for state, count in sorted(self._effects.items()):
            effects.add_metric([state], count)
        yield effects
        yield GaugeMetricFamily(
            "anamnesis_effect_late_seconds",
            "How long the effect that waits longest has been due.",
            value=self._age,
        )
        yield GaugeMetricFamily(
            "anamnesis_outbox_lag_events",
            "Events whose effects are not written yet, in the tenant where it is most.",
            value=self._behind,
        )


class _Apart:
    """The projector's process at the moment of the scrape."""

    def __init__(self, projector: ProjectorProcess) -> None:
        self._projector = projector

    def collect(self) -> Iterator[Metric]:
        """The families of one scrape."""
        yield GaugeMetricFamily(
            "anamnesis_projector_silent_seconds",
            "Since the last sign of life of the projector's process.",
            value=self._projector.silent_seconds,
        )
        yield CounterMetricFamily(
            "anamnesis_projector_starts",
            "How often the projector's process was started.",
            value=self._projector.starts,
        )


class _Heads:
    """The signing of heads at the moment of the scrape."""

    def __init__(self, duty: HeadDuty) -> None:
        self._duty = duty

    def collect(self) -> Iterator[Metric]:
        """The families of one scrape."""
        yield GaugeMetricFamily(
            "anamnesis_head_unsigned_seconds",
            "How long the event that waits longest has been without a signed head.",
            value=self._duty.unsigned_s,
        )
        yield GaugeMetricFamily(
            "anamnesis_heads_refused",
            "Logs of which nothing more is signed: they do not go on from what was signed.",
            value=self._duty.refused,
        )


async def _behind(pool: asyncpg.Pool, tenant: str) -> list[tuple[str, int]]:
    rows = await tenant_rows(pool, tenant, _BEHIND, tenant)
    return [(row["projection"], max(0, row["behind"])) for row in rows]


def _kind(operation: object) -> str:
    if not isinstance(operation, Operation):
        return "none"
    return "change" if operation.changes else "read"


def _outcome(status: int, scope: Scope) -> str:
    if status == 0:
        return "abandoned"
    if status < 400:
        return "answered"
    if status == 401:
        return "unauthenticated"
    if status < 500:
        return "refused"
    if status == 503:
        return "overloaded" if scope.get(OVERLOADED) else "unavailable"
    return "failed"
