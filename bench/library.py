"""The reference: `Application.save()` of the eventsourcing library, 8 threads, its defaults.

Its own recorder on PostgreSQL with psycopg, JSON, neither cipher nor compressor: less work an
event than ours, which is sealed.
"""

import asyncio
import time
from threading import Thread
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from eventsourcing.application import Application
from eventsourcing.domain import Aggregate, event

from adapters import codec
from adapters.library.loggers import loggers_kept
from bench.measure import Run
from bench.wishes import reported

THREADS = 8
NAME = f"eventsourcing Application.save(), {THREADS} threads"


class Filed(Aggregate):
    """One filed fact under the library's model: its text is the JSON that our body has."""

    @event("Filed")
    def __init__(self, fact: str) -> None:
        self.fact = fact


class Library:
    """The library's application on a database of its own."""

    def __init__(self, dsn: str) -> None:
        parts = urlsplit(dsn)
        address = parse_qs(parts.query)
        with loggers_kept():
            self._application = Application[UUID](
                env={
                    "PERSISTENCE_MODULE": "eventsourcing.postgres",
                    "POSTGRES_DBNAME": parts.path.removeprefix("/"),
                    "POSTGRES_HOST": address["host"][0],
                    "POSTGRES_PORT": address["port"][0],
                    "POSTGRES_USER": parts.username or "",
                    "POSTGRES_PASSWORD": "",
                    "POSTGRES_POOL_SIZE": str(THREADS),
                }
            )

    def close(self) -> None:
        """Close its connections."""
        self._application.close()

    async def save(self, seconds: float) -> Run:
        """Save new aggregates, one event each, from all threads."""
        return await asyncio.to_thread(self._save, seconds)

    def _save(self, seconds: float) -> Run:
        saved = [0] * THREADS
        fact = codec.encode_body(reported()).decode()
        began = time.perf_counter()

        def work(number: int) -> None:
            while time.perf_counter() < began + seconds:
                self._application.save(Filed(fact))
                saved[number] += 1

        threads = [Thread(target=work, args=(number,)) for number in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return Run(sum(saved) / (time.perf_counter() - began))
