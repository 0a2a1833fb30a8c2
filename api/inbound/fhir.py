"""FHIR files into the house: the real command path, and the received bytes kept sealed."""

import hmac
from typing import Any
from uuid import UUID

from api.house import House
from domain.kernel.command import Command, Reserved
from domain.kernel.context import Actor
from domain.kernel.perform import Receipt, Request


class HouseIntake:
    """What an import needs of the house, for one tenant and one operator."""

    def __init__(self, house: House, actor: Actor) -> None:
        self._house = house
        self._actor = actor

    async def do(self, command: Command[Any], key: str) -> Receipt:
        """Perform the command under an idempotency key."""
        return await self._house.do(Request(command=command, actor=self._actor, key=key))

    async def keep(self, content: bytes, owner: str | None, scope: str = "") -> None:
        """Store received bytes sealed under the owner's key, once."""
        tenant = self._actor.tenant
        ident, _ = await self.trace(content, scope)
        key = await self._house.keys.compartment(tenant, owner or tenant, "clinical")
        await self._house.objects.keep(tenant, ident, content, key)

    async def trace(self, content: bytes, scope: str = "") -> tuple[str, str]:
        """Object id and keyed digest of scope and bytes: HMAC-SHA-256 under a tenant's secret."""
        secret = await self._house.keys.tenant_secret(self._actor.tenant, "object")
        digest = hmac.digest(secret, scope.encode() + b"\0" + content, "sha256")
        return str(UUID(bytes=digest[:16], version=4)), digest.hex()

    async def find(self, reserved: Reserved) -> str | None:
        """The stream id that a reserved value stands for, if any."""
        return await self._house.log.find(self._actor.tenant, reserved)


async def received_bytes(house: House, tenant: str, object_id: str) -> bytes:
    """The bytes of a resource exactly as received, for the `object` of a Source."""

    async def find(key: str) -> Any:
        return await house.keys.by_id(tenant, key)

    return await house.objects.fetch(tenant, object_id, find)
