"""`anamnesis demo --check`: the whole walk, step by step, as its users would do it.

Each step is a truth of the product with its own seconds; one that does not hold names why.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import uvloop

from demo.running import embedded_servers
from demo.walk import entering, guarding, keeping, reading
from demo.walk.world import NotSo, World, opened

Walked = Callable[[World], Awaitable[str]]
STEPS: dict[str, Walked] = {
    "servers-run": entering.servers_run,
    "database-migrated": entering.database_migrated,
    "stories-imported": entering.stories_imported,
    "second-import-changes-nothing": entering.second_import_changes_nothing,
    "received-bytes-kept": entering.received_bytes_kept,
    "tokens-verified": entering.tokens_verified,
    "patient-reads-record": reading.patient_reads_record,
    "look-on-record": reading.look_on_record,
    "no-commit-no-answer": reading.no_commit_no_answer,
    "reads-wait-for-position": reading.reads_wait_for_position,
    "compliance-reads-trail": reading.compliance_reads_trail,
    "record-as-of": reading.record_as_of,
    "stranger-gets-nothing": guarding.stranger_gets_nothing,
    "proxy-within-scope": guarding.proxy_within_scope,
    "clinician-by-relationship": guarding.clinician_by_relationship,
    "tenants-apart": guarding.tenants_apart,
    "second-wall-holds": guarding.second_wall_holds,
    "withdrawal-at-once": guarding.withdrawal_at_once,
    "replay-on-record": keeping.replay_on_record,
    "log-verifies": keeping.log_verifies,
    "tampering-named": keeping.tampering_named,
    "rebuild-same-rows": keeping.rebuild_same_rows,
    "events-immutable": keeping.events_immutable,
}


@dataclass(frozen=True, slots=True)
class Step:
    """The outcome of a step."""

    step: str
    ok: bool
    seconds: float
    detail: str


def walk(folder: Path) -> Iterator[Step]:
    """Start everything below `folder` on free ports, walk every step, start a second time."""
    with _Visit(folder / "demo") as visit:
        yield visit.start("first-start", 0)
        if visit.world is None:
            return
        for name, step in STEPS.items():
            yield visit.runner.run(taken(name, step, visit.world))
        head = visit.runner.run(visit.world.head("riverside"))
    with _Visit(folder / "demo") as visit:
        yield visit.start("second-start", head)


class _Visit:
    """One start and stop of the whole demo."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._servers = contextlib.ExitStack()
        self._demo = contextlib.AsyncExitStack()
        self.runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self.world: World | None = None

    def __enter__(self) -> Self:
        return self

    def start(self, name: str, head: int) -> Step:
        """Start the servers and the demo; the log must not be shorter than `head`."""
        started = time.monotonic()
        try:
            servers = self._servers.enter_context(embedded_servers(self._folder, _silent))
            self.world = self.runner.run(self._demo.enter_async_context(opened(servers)))
            kept = self.runner.run(self.world.head("riverside"))
        except Exception as error:  # a step that fails must say so, whatever it was
            return Step(name, ok=False, seconds=_since(started), detail=_words(error))
        detail = f"ready at {self.world.demo.graphql}, riverside's log at {kept}"
        return Step(name, ok=kept >= head, seconds=_since(started), detail=detail)

    def __exit__(self, *_: object) -> None:
        with self._servers, self.runner:
            self.runner.run(self._demo.aclose())


async def taken(name: str, step: Walked, world: World) -> Step:
    """Take one step."""
    started = time.monotonic()
    try:
        detail = await step(world)
    except Exception as error:  # a step that fails must say so, whatever it was
        return Step(name, ok=False, seconds=_since(started), detail=_words(error))
    return Step(name, ok=True, seconds=_since(started), detail=detail)


def _since(started: float) -> float:
    return round(time.monotonic() - started, 3)


def _words(error: Exception) -> str:
    return str(error) if isinstance(error, NotSo) else f"{type(error).__name__}: {error}"


def _silent(_words: str) -> None:
    """Steps speak for themselves."""
