"""Dispatch put together: the outbox follows the logs, the dispatcher carries effects out.

What is connected is what the settings name; what is not waits.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg

from adapters.dispatch import (
    ArqJobs,
    Carrier,
    Dispatcher,
    Effects,
    Jobs,
    LocalJobs,
    NotConnected,
    NotWanted,
    Outbox,
    Sweeper,
)
from adapters.dispatch.effects import LEASE_SECONDS
from adapters.heads import head_line
from adapters.mail import FolderMailer, Mailer, Message, SmtpMailer, SmtpPlace
from adapters.postgres.pools import bounded_pool
from api.erasing.certificate import certificate, certified
from api.house import House, ear, ended
from api.settings import Mail, Settings, SettingUnclear
from api.signing import head_file, head_key
from domain.audit import NothingToErase
from domain.kernel.command import Command
from domain.kernel.context import Actor
from domain.kernel.effect import Reaction
from domain.kernel.perform import Request
from domain.notifications import MailCertificate, MailHead, NoteNotice
from domain.reactions import REACTIONS

COMPLIANCE = "compliance"
POOL_SIZE = 4


def worker_actor(tenant: str) -> Actor:
    """Who reports what became of effects."""
    return Actor(tenant=tenant, id="worker", kind="system")


@dataclass(frozen=True, slots=True)
class Post:
    """Mail to compliance: by whom, to whom."""

    mailer: Mailer | None
    to: tuple[str, ...]

    def addressed(self) -> tuple[str, ...]:
        """The addresses. Raises NotConnected where there is no mail or nobody to get it."""
        if self.mailer is None or not self.to:
            raise NotConnected
        return self.to

    async def send(self, ident: str, message: Message) -> str:
        """Hand it over."""
        if self.mailer is None:
            raise NotConnected
        return await self.mailer.send(ident, message)


class _Notices:
    """What the carriers of notices have in common."""

    notice = ""

    def __init__(self, house: House, post: Post) -> None:
        self._house = house
        self._post = post

    async def send(self, ident: str, prepared: Message) -> str:
        """See Carrier."""
        return await self._post.send(ident, prepared)

    def report(self, ident: str, _effect: Any, told: str, error: str | None) -> Command[Any]:
        """See Carrier."""
        return NoteNotice(
            effect=ident, notice=self.notice, audience=COMPLIANCE, message=told, error=error
        )


class Certificates(_Notices):
    """Mails the certificate of an erasure."""

    notice = "erasure-certificate"

    async def prepare(self, tenant: str, effect: MailCertificate) -> Message:
        """See Carrier."""
        to = self._post.addressed()
        try:
            done = await certificate(self._house, tenant, effect.chart)
        except NothingToErase:
            raise NotWanted from None
        note = str(await certified(self._house, done))
        return Message(
            to=to,
            subject=f"Anamnesis: an erasure in {tenant} is carried out",
            text="The signed certificate is attached. Keep it with the request.\n",
            at=datetime.now(UTC),
            attached=("certificate.txt", note),
        )


class Heads(_Notices):
    """Mails the newest signed head of a log: a copy that nobody who has the database can change."""

    notice = "signed-head"

    async def prepare(self, tenant: str, _effect: MailHead) -> Message:
        """See Carrier."""
        to = self._post.addressed()
        key = await head_key(self._house.keys, self._house.settings, tenant)
        kept = await asyncio.to_thread(head_file(self._house.settings, key, tenant).load)
        if kept is None:
            raise NotWanted
        return Message(
            to=to,
            subject=f"Anamnesis: signed head of {tenant}, {kept.checkpoint.size} events",
            text=(
                f"Keep this mail. The log of {tenant} must always begin with what is signed here:\n"
                f"`anamnesis verify --heads FILE` with the attached line.\n\n{kept.note}"
            ),
            at=datetime.now(UTC),
            attached=("head.jsonl", head_line(tenant, kept.note)),
        )


def post_of(mail: Mail) -> Post:
    """Mail as the settings name it."""
    mailer: Mailer | None = None
    if mail.smtp is not None:
        try:
            place = SmtpPlace.of(mail.smtp)
        except ValueError as error:
            raise SettingUnclear("ANAMNESIS_SMTP", str(error)) from None
        mailer = SmtpMailer(place, mail.sender)
    elif mail.folder is not None:
        mailer = FolderMailer(mail.folder, mail.sender)
    return Post(mailer, mail.compliance)


def carriers_of(house: House) -> Mapping[str, Carrier]:
    """Who carries which effect out."""
    post = post_of(house.settings.mail)
    return {
        MailCertificate.effect_name: Certificates(house, post),
        MailHead.effect_name: Heads(house, post),
    }


def jobs_of(settings: Settings) -> Jobs:
    """What wakes dispatchers: Redis where it is named."""
    return LocalJobs() if settings.redis is None else ArqJobs(settings.redis)


class HouseReports:
    """What became of effects, in the log of a house."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def note(self, tenant: str, command: Command[Any], key: str) -> None:
        """See Reports."""
        request = Request(command=command, actor=worker_actor(tenant), key=key)
        await self._house.do(request)

    async def has(self, tenant: str, command: Command[Any], key: str) -> bool:
        """See Reports."""
        log, who = self._house.log, worker_actor(tenant).id
        ident = await log.command_id(tenant, who, command.operation, key)
        return (await log.recall(tenant, ident, b"", ())).known is not None


async def written(house: House, tenant: str) -> None:
    """Return when the effects of every event are in the table."""

    async def woken(_count: int) -> None:
        """Nobody is woken."""

    dsn = house.settings.role_dsn("worker")
    async with asyncpg.create_pool(dsn, min_size=0, max_size=1) as pool:
        outbox, more = Outbox(pool, house.keys, REACTIONS, woken), True
        while more:
            more = await outbox.advance(tenant)


@asynccontextmanager
async def dispatching(
    house: House,
    carriers: Mapping[str, Carrier] | None = None,
    reactions: Sequence[Reaction] = REACTIONS,
    lease_s: float = LEASE_SECONDS,
    reached: Callable[[str], None] = lambda _point: None,
) -> AsyncIterator[None]:
    """Effects are written and carried out while the context is open, by this process or another.

    `reached` is told of each point at which a process may die.
    """
    dsn, jobs = house.settings.role_dsn("worker"), jobs_of(house.settings)

    async def woken(_count: int) -> None:
        await jobs.wake()

    async def writable() -> Sequence[str]:
        """What was sent and cannot be reported would be sent again: then nothing is sent."""
        return await house.tenants() if house.standing.level == "open" else ()

    async with bounded_pool(dsn, POOL_SIZE, min_size=0) as pool:
        outbox, table = Outbox(pool, house.keys, reactions, woken), Effects(pool, lease_s)
        held = carriers or carriers_of(house)
        sweeper = Sweeper(Dispatcher(table, held, HouseReports(house), jobs, reached), jobs)
        following = outbox.run(writable, ear(house.settings, "worker"))
        tasks = [
            asyncio.create_task(following, name="outbox"),
            asyncio.create_task(sweeper.run(writable), name="dispatcher"),
        ]
        try:
            yield
        finally:
            outbox.stop()
            sweeper.stop()
            for task in tasks:
                await ended(task)
            if isinstance(jobs, ArqJobs):
                await jobs.close()
