"""The heads of a house's logs, signed with keys that no database has."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial

import asyncpg
import httpx2
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.heads import (
    FileOutlet,
    HeadDuty,
    HeadFile,
    HeadSigner,
    HeadsUnreadable,
    MailOutlet,
    Outlet,
    StoreOutlet,
    heads_in,
)
from adapters.heads.cosigning import Cosigner, WitnessPlace, cosigning
from adapters.keys import KeyTree
from adapters.postgres.pools import bounded_pool
from adapters.proofs.anchors import Anchor
from adapters.proofs.notes import (
    Checkpoint,
    Note,
    NoteKey,
    NoteRefused,
    NoteUnreadable,
    VerifierKey,
)
from api.house import House, ear, ended
from api.settings import Settings, SettingUnclear

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


async def head_signer(house: House, pool: asyncpg.Pool, tenant: str) -> HeadSigner:
    """The signer of a tenant's log; `pool` has connections of the worker's role."""
    key = await head_key(house.keys, house.settings, tenant)
    file = head_file(house.settings, key, tenant)
    return HeadSigner(pool, tenant, key, file, _outlets(house.settings, pool))


def _outlets(settings: Settings, pool: asyncpg.Pool) -> list[Outlet]:
    outlets: list[Outlet] = []
    if settings.heads_file is not None:
        outlets.append(FileOutlet(settings.heads_file))
    if settings.heads_store is not None:
        try:
            outlets.append(StoreOutlet(settings.heads_store))
        except ValueError as error:
            wanted = f"the URL of an object store ({error})"
            raise SettingUnclear("ANAMNESIS_HEADS_STORE", wanted) from None
    if settings.heads_mail_hours:
        outlets.append(MailOutlet(pool, settings.heads_mail_hours))
    return outlets


@asynccontextmanager
async def signing(house: House) -> AsyncIterator[HeadDuty]:
    """Heads are signed while the context is open, by this process or another one beside it."""
    dsn = house.settings.role_dsn("worker")
    async with bounded_pool(dsn, 2, min_size=0) as pool:
        _outlets(house.settings, pool)  # a setting that is wrong ends the start
        signer_of = partial(head_signer, house, pool)
        duty = HeadDuty(signer_of, ear(house.settings, "worker"))
        task = asyncio.create_task(duty.run(await house.tenants()), name="heads")
        try:
            async with _witnessed(house, pool):
                yield duty
        finally:
            duty.stop()
            await ended(task)


@asynccontextmanager
async def _witnessed(house: House, pool: asyncpg.Pool) -> AsyncIterator[None]:
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
                        outlets=_outlets(settings, pool),
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


TakenHeads = Mapping[str, Sequence[Note]]
"""The heads of each tenant that texts of file outlets have; not checked yet."""


def taken_heads(settings: Settings, *texts: str) -> TakenHeads:
    """What the file outlet and these texts have, and every tenant that signed on this machine.

    Raises HeadsMissing and HeadsUnreadable.
    """
    found: dict[str, list[Note]] = defaultdict(list)
    for kept in settings.kept_heads.glob("*.json") if settings.kept_heads.exists() else ():
        if "." not in kept.stem:
            found[kept.stem] = []
    for text in (*texts, *_outlet(settings, any_kept=bool(found))):
        for tenant, note in heads_in(text):
            found[tenant].append(note)
    return found


async def signed_anchors(house: House, tenant: str, taken: TakenHeads) -> list[Anchor]:
    """What the heads outside the database hold a tenant's log to: the kept one, and the taken ones.

    Raises KeptHeadDamaged, and HeadsUnreadable for one that nobody signed.
    """
    settings = house.settings
    key = await head_key(house.keys, settings, tenant)
    kept = await asyncio.to_thread(head_file(settings, key, tenant).load)
    heads = {kept.checkpoint} if kept is not None else set()
    for note in taken.get(tenant, ()):
        try:
            note.check([key.verifier()])
            heads.add(Checkpoint.of(note.text))
        except (NoteRefused, NoteUnreadable):
            raise HeadsUnreadable(f"a head of {tenant} that its key did not sign") from None
    ordered = sorted(heads, key=lambda head: head.size)
    return [Anchor(tenant, head.size, head.root.hex()) for head in ordered]


def _outlet(settings: Settings, *, any_kept: bool) -> list[str]:
    """The text of the file outlet, if there is one."""
    path = settings.heads_file
    if path is None:
        return []
    try:
        return [path.read_text("utf-8")]
    except FileNotFoundError:
        if any_kept:
            raise HeadsMissing(str(path)) from None
        return []
    except (OSError, UnicodeError) as error:
        raise HeadsUnreadable(str(path)) from error
