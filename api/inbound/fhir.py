"""FHIR files into the house: the real command path, and the received bytes kept sealed."""

import hmac
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any, cast
from uuid import UUID

from adapters.fhir.intake import Known, Under, Waiting
from adapters.keys import BASE_CLASS, KeyDestroyed
from adapters.postgres.progress import PositionTimeout
from adapters.postgres.sources import NEWEST, Sources
from api.house import House
from domain.kernel.command import Command, Reserved
from domain.kernel.context import Actor
from domain.kernel.perform import Receipt, Request
from domain.kernel.refusal import RecordErased
from domain.kernel.values import Source
from domain.registry import ReportPatient
from projections.kernel.aside import ASIDE, AsideRow
from projections.kernel.sources import MAP, origin

MAPS = ("sources", "aside")
CATCH_UP_SECONDS = 120.0
"""How long an import waits for the id map; after that it goes on with what there is."""


class HouseIntake:
    """What an import needs of the house, for one tenant and one operator.

    `charts` are those of the patients that it met, new or known.
    """

    def __init__(self, house: House, actor: Actor) -> None:
        self.charts: dict[str, None] = {}
        self._house = house
        self._actor = actor
        self._sources = Sources(house.api, house.keys, actor.tenant)

    async def do(self, command: Command[Any], key: str) -> Receipt:
        """Perform the command under an idempotency key."""
        receipt = await self._house.do(Request(command=command, actor=self._actor, key=key))
        if isinstance(command, ReportPatient):
            self.charts[receipt.streams[0]] = None
        return receipt

    async def keep(self, contents: Sequence[tuple[bytes, str]], under: Under) -> list[str]:
        """Store received bytes sealed, once; the ids of what is new. Raises RecordErased."""
        tenant, keys = self._actor.tenant, self._house.keys
        key_class = await keys.class_of(tenant, BASE_CLASS, under.category)
        new = keys.item if under.alone else keys.compartment
        try:
            key = await new(tenant, under.owner or tenant, key_class)
        except KeyDestroyed:
            raise RecordErased from None
        fresh = []
        for content, scope in contents:
            ident, _ = await self.trace(content, scope)
            if await self._house.objects.keep(tenant, ident, content, key):
                fresh.append(ident)
        return fresh

    async def discard(self, objects: Sequence[str]) -> None:
        """Let go of what was stored for something that is not filed."""
        for ident in objects:
            await self._house.objects.delete(self._actor.tenant, ident)

    async def trace(self, content: bytes, scope: str = "") -> tuple[str, str]:
        """Object id and keyed digest of scope and bytes: HMAC-SHA-256 under a tenant's secret."""
        secret = await self._house.keys.tenant_secret(self._actor.tenant, "object")
        digest = hmac.digest(secret, scope.encode() + b"\0" + content, "sha256")
        return str(UUID(bytes=digest[:16], version=4)), digest.hex()

    async def find(self, reserved: Reserved) -> str | None:
        """The stream id that a reserved value stands for, if any."""
        return await self._house.log.find(self._actor.tenant, reserved)

    async def find_all(self, reserved: Sequence[Reserved]) -> Mapping[Reserved, str]:
        """The stream ids of those values that stand for a stream."""
        return await self._house.log.find_all(self._actor.tenant, reserved)

    async def catch_up(self) -> None:
        """Wait until the id map holds the whole log; a map that stays behind costs time only."""
        with suppress(PositionTimeout):
            await self._house.progress.reach_head(
                self._actor.tenant, MAPS, seconds=CATCH_UP_SECONDS
            )

    async def known(self, sources: Collection[tuple[str, str, str]]) -> Mapping[str, Known]:
        """The id map's rows of these resources."""
        rows = await self._sources.by_origin(MAP, [origin(*one) for one in sources])
        patients = (origin(*one) for one in sources if one[1] == "Patient")
        self.charts |= {str(rows[one]["stream"]): None for one in patients if one in rows}
        return {
            named: Known(
                str(row["stream"]),
                str(row["chart"]) if row["chart"] else None,
                row["version"],
                row["digest"],
                bytes(row["label"]).hex(),
            )
            for named, row in rows.items()
        }

    async def label(self, category: str) -> str:
        """The keyed hash of a sensitive category."""
        return await self._sources.label(category)

    async def waiting(self, reason: str | None = None) -> Sequence[Waiting]:
        """Everything that is set aside, oldest first."""
        await self.catch_up()
        found: list[Waiting] = []
        before = NEWEST
        while rows := await self._sources.aside(ASIDE, reason=reason, before=before):
            before = rows[-1].position
            found += [
                Waiting(
                    stream=row.id,
                    reason=row.reason,
                    original=body.original,
                    at=body.at,
                    url=body.url,
                )
                for row in rows
                for body in (cast(AsideRow, row.body),)
            ]
        return found[::-1]

    async def aside(self, sources: Collection[tuple[str, str, str]]) -> Collection[str]:
        """Those of the resources that are set aside now."""
        return (await self._sources.by_origin(ASIDE, [origin(*one) for one in sources])).keys()

    async def received(self, original: Source) -> bytes:
        """The bytes of a resource exactly as received."""
        return await received_bytes(self._house, self._actor.tenant, original.object or "")


async def received_bytes(house: House, tenant: str, object_id: str) -> bytes:
    """The bytes of a resource exactly as received, for the `object` of a Source."""

    async def find(key: str) -> Any:
        return await house.keys.by_id(tenant, key)

    return await house.objects.fetch(tenant, object_id, find)
