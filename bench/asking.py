"""Requests of one or several accounts over HTTP, again and again."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from api.auth.tokens import DemoIssuer
from bench.ground import TENANT
from bench.load import Load, request_bytes
from bench.measure import Contender, Run
from bench.served import Served

CLIENTS = 8


@dataclass(slots=True)
class Asking:
    """One contender's requests: the same operation with fresh tokens each turn."""

    load: Load
    folder: Path
    accounts: Sequence[str]
    """The connections have them in turn."""
    document: str
    variables: Mapping[str, object] = field(default_factory=dict)
    clients: int = CLIENTS
    cpu_ms: list[float] = field(default_factory=list)
    """Of the server process per request, one figure per turn."""

    @property
    def _body(self) -> bytes:
        return json.dumps({"query": self.document, "variables": self.variables}).encode()

    def requests(self) -> list[bytes]:
        """The bytes of a request of each account, with a fresh token."""
        issuer = DemoIssuer.load_or_create(self.folder / "issuer.pem")
        tokens = [issuer.mint(account, TENANT, "bench") for account in self.accounts]
        return [request_bytes("/graphql", self._body, token) for token in tokens]

    async def size(self, server: Served) -> int:
        """Bytes of one answer's body."""
        return await self.load.size(server.port, self.requests()[0])

    def of(self, server: Served) -> Contender:
        """The contender."""

        async def work(seconds: float) -> Run:
            before = server.child.cpu_seconds
            run = await self.load.turn(server.port, self.requests(), self.clients, seconds)
            spent = server.child.cpu_seconds - before
            self.cpu_ms.append(spent * 1000 / max(len(run.milliseconds), 1))
            return run

        return work
