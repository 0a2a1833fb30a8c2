"""The heads of a house's logs, signed with keys that no database has."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg
import httpx2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.heads import (
    FileOutlet,
    HeadDuty,
    HeadFile,
    HeadSigner,
    HeadsUnreadable,
    Outlet,
    heads_in,
)
from adapters.heads.cosigning import Cosigner, WitnessPlace, cosigning
from adapters.keys import KeyTree
from adapters.proofs.anchors import Anchor
from adapters.proofs.notes import Checkpoint, NoteKey, NoteRefused, NoteUnreadable, VerifierKey
from api.house import House, ended
from api.settings import Settings

_PURPOSE = "log-head"


async def head_key(keys: KeyTree, settings: Settings, tenant: str) -> NoteKey:
    """The key that signs a tenant's heads, under the name of the log (C2SP: its origin).

    Derived from the tenant's key, which no database has, and the same for as long as that lives.
    """
    seed = await keys.tenant_secret(tenant, _PURPOSE)
    return NoteKey(f"{settings.origin}/{tenant}", Ed25519PrivateKey.from_private_bytes(seed))


def head_file(settings: Settings, key: NoteKey, tenant: str) -> HeadFile:
    """Where the last signed head of a tenant is kept on this machine."""
    return HeadFile(settings.kept_heads / f"{tenant}.json", key.verifier())


@asynccontextmanager
async def signing(house: House) -> AsyncIterator[HeadDuty]:
    """Heads are signed while the context is open, by this process or another one beside it."""
    settings = house.settings
    dsn = settings.role_dsn("worker")
    outlets: list[Outlet] = []
    if settings.heads_file is not None:
        outlets.append(FileOutlet(settings.heads_file))
    async with asyncpg.create_pool(dsn, min_size=0, max_size=2) as pool:

        async def signer_of(tenant: str) -> HeadSigner:
            key = await head_key(house.keys, settings, tenant)
            return HeadSigner(pool, tenant, key, head_file(settings, key, tenant), outlets)

        duty = HeadDuty(signer_of, lambda: asyncpg.connect(dsn))
        task = asyncio.create_task(duty.run(await house.tenants()), name="heads")
        try:
            async with _witnessed(house, pool, outlets):
                yield duty
        finally:
            duty.stop()
            await ended(task)


@asynccontextmanager
async def _witnessed(
    house: House, pool: asyncpg.Pool, outlets: Sequence[Outlet]
) -> AsyncIterator[None]:
    """Kept heads are brought to the witnesses while the context is open."""
    settings, stop = house.settings, asyncio.Event()
    if not settings.witnesses:
        yield
        return
    places = [WitnessPlace(url, VerifierKey.of(key)) for url, key in settings.witnesses]
    async with httpx2.AsyncClient() as client:

        async def cosigners() -> dict[str, Cosigner]:
            found = {}
            for tenant in await house.tenants():
                key = await head_key(house.keys, settings, tenant)
                for place in places:
                    found[f"{place.key.name} {tenant}"] = Cosigner(
                        client=client,
                        pool=pool,
                        tenant=tenant,
                        kept=head_file(settings, key, tenant),
                        place=place,
                        outlets=outlets,
                    )
            return found

        task = asyncio.create_task(cosigning(cosigners, stop), name="witnesses")
        try:
            yield
        finally:
            stop.set()
            await ended(task)


class HeadsMissing(Exception):
    """The file that signed heads are taken to is not there. Mount its disk, or name another one in
    ANAMNESIS_HEADS_FILE; without it the log is not held to what was signed."""


def signed_tenants(settings: Settings, *taken: str) -> set[str]:
    """The tenants whose heads were signed on this machine, or stand in texts of file outlets."""
    kept = settings.kept_heads.glob("*.json") if settings.kept_heads.exists() else ()
    mine = {path.stem for path in kept if "." not in path.stem}
    return mine | {tenant for text in (*taken, *_outlet(settings)) for tenant, _ in heads_in(text)}


async def signed_anchors(house: House, tenant: str, *taken: str) -> list[Anchor]:
    """What the heads outside the database hold a tenant's log to: the kept one, and those in texts
    of file outlets.

    Raises KeptHeadDamaged, HeadsMissing, and HeadsUnreadable also for one that nobody signed.
    """
    settings = house.settings
    key = await head_key(house.keys, settings, tenant)
    kept = await asyncio.to_thread(head_file(settings, key, tenant).load)
    heads = {kept.checkpoint} if kept is not None else set()
    for text in (*taken, *_outlet(settings)):
        heads |= _checked(text, tenant, key.verifier())
    ordered = sorted(heads, key=lambda head: head.size)
    return [Anchor(tenant, head.size, head.root.hex()) for head in ordered]


def _outlet(settings: Settings) -> list[str]:
    """The text of the file outlet, if there is one."""
    path = settings.heads_file
    if path is None:
        return []
    try:
        return [path.read_text("utf-8")]
    except FileNotFoundError:
        if any(settings.kept_heads.glob("*.json")):
            raise HeadsMissing(str(path)) from None
        return []
    except (OSError, UnicodeError) as error:
        raise HeadsUnreadable(str(path)) from error


def _checked(text: str, tenant: str, key: VerifierKey) -> set[Checkpoint]:
    heads = set()
    for whose, note in heads_in(text):
        if whose == tenant:
            try:
                note.check([key])
                heads.add(Checkpoint.of(note.text))
            except (NoteRefused, NoteUnreadable):
                raise HeadsUnreadable(f"a head of {tenant} that its key did not sign") from None
    return heads
