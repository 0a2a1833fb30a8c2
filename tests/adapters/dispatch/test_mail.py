"""Heads and certificates by mail: over SMTP to a real server, into a folder, and on record."""

import asyncio
import email
import mailbox
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiosmtpd.smtp import SMTP

from adapters.dispatch import Failed, InDoubtNow
from adapters.heads import heads_in
from adapters.mail import Message, SmtpMailer, SmtpPlace
from adapters.postgres.tenant import tenant_rows
from adapters.proofs.notes import Note
from api.dispatch import dispatching
from api.house import House, open_house, projecting
from api.settings import Mail, Settings
from api.signing import head_key, signing
from domain.notifications import NoticeSent
from tests.adapters.fhir import lived
from tests.erasure.conftest import HERE, erased, look, marked
from tests.erasure.test_erasing import seen

pytestmark = pytest.mark.anyio
OFFICER = "officer@clinic.example"


class Inbox:
    """A mail server that keeps what it gets; `refusals` are what it says to the next messages."""

    def __init__(self) -> None:
        self.mails: list[EmailMessage] = []
        self.refusals: list[str] = []
        self._came = asyncio.Event()
        self.port = 0

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        """aiosmtpd calls it."""
        if self.refusals:
            return self.refusals.pop(0)
        self.mails.append(email.message_from_bytes(envelope.content, policy=default))
        self._came.set()
        return "250 OK"

    async def wait(self, count: int) -> list[EmailMessage]:
        """The mails, once there are so many."""
        async with asyncio.timeout(20):
            while True:
                if len(self.mails) >= count:
                    return self.mails
                self._came.clear()
                await self._came.wait()


@asynccontextmanager
async def listening() -> AsyncIterator[Inbox]:
    """A mail server on a free port."""
    inbox = Inbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(inbox, loop=loop), "127.0.0.1", 0)
    inbox.port = server.sockets[0].getsockname()[1]
    async with server:
        yield inbox


def mailing(settings: Settings, **more: Any) -> Settings:
    smtp, folder = more.pop("smtp", None), more.pop("mail_folder", None)
    return replace(settings, mail=Mail(smtp=smtp, folder=folder, compliance=(OFFICER,)), **more)


async def notices(house: House, count: int) -> list[NoticeSent]:
    """What is on record, once it is so much."""
    async with asyncio.timeout(20):
        while True:
            found = await lived.events(house, NoticeSent)
            if len(found) >= count:
                return found
            await asyncio.sleep(0.05)


async def test_the_certificate_of_an_erasure_is_mailed_once_and_on_record(
    settings: Settings, tmp_path: Path
) -> None:
    async with listening() as inbox:
        here = mailing(settings, smtp=f"smtp://127.0.0.1:{inbox.port}")
        async with open_house(here) as house, projecting(house):
            people = await marked(house, tmp_path)
            async with dispatching(house):
                await asyncio.sleep(0.2)
                await look(house, people.chart)
                await erased(house, people.chart)
                (mail,) = await inbox.wait(1)
                (noticed,) = await notices(house, 1)
            key = await head_key(house.keys, settings, HERE)
    (attached,) = mail.iter_attachments()
    note = Note.of(attached.get_content().decode())
    note.check([key.verifier()])
    assert note.text.startswith("anamnesis erasure certificate v1\n")
    assert people.chart in note.text
    assert seen(mail.as_bytes()) == set()
    assert mail["To"] == OFFICER
    assert (noticed.notice, noticed.message) == ("erasure-certificate", mail["Message-ID"])
    assert noticed.effect in mail["Message-ID"]


async def test_a_signed_head_is_mailed_once_in_its_time(settings: Settings) -> None:
    async with listening() as inbox:
        here = mailing(settings, smtp=f"smtp://127.0.0.1:{inbox.port}", heads_mail_hours=24)
        async with open_house(here) as house, projecting(house), dispatching(house):
            async with signing(house) as duty:
                await look(house, "5b0f9c4e-7f5e-4e0b-9d6a-6b1c7a0d2f31")
                (mail,) = await inbox.wait(1)
                await look(house, "5b0f9c4e-7f5e-4e0b-9d6a-6b1c7a0d2f31")
                await asyncio.sleep(1.5)
            assert duty.refused == 0
            key = await head_key(house.keys, settings, HERE)
    assert len(inbox.mails) == 1
    (attached,) = mail.iter_attachments()
    ((tenant, note),) = heads_in(attached.get_content().decode())
    assert tenant == HERE
    note.check([key.verifier()])


async def test_the_demo_keeps_mail_in_a_folder(settings: Settings, tmp_path: Path) -> None:
    here = mailing(settings, mail_folder=tmp_path / "mail")
    async with open_house(here) as house, projecting(house):
        people = await marked(house, tmp_path)
        async with dispatching(house):
            await asyncio.sleep(0.2)
            await erased(house, people.chart)
            await notices(house, 1)
    (mail,) = mailbox.Maildir(tmp_path / "mail")
    assert mail["Subject"] == "Anamnesis: an erasure in riverside is carried out"


WAITING = "SELECT error FROM effect WHERE state = 'waiting' AND due > $1"


async def test_without_mail_the_certificate_waits_for_it(
    living_house: House, settings: Settings, tmp_path: Path
) -> None:
    people = await marked(living_house, tmp_path)
    dsn = settings.role_dsn("worker")
    async with asyncpg.create_pool(dsn, min_size=0) as pool, dispatching(living_house):
        await asyncio.sleep(0.2)
        await erased(living_house, people.chart)
        async with asyncio.timeout(20):
            while True:
                rows = await tenant_rows(pool, HERE, WAITING, datetime.now(UTC))
                if rows:
                    break
                await asyncio.sleep(0.05)


MESSAGE = Message(to=(OFFICER,), subject="s", text="t", at=datetime(2026, 3, 14, tzinfo=UTC))


@pytest.mark.parametrize(
    ("answer", "for_good"), [("451 busy", False), ("554 no", True), ("421 later", False)]
)
async def test_what_the_mail_server_answers_is_told_by_its_code_only(
    answer: str, for_good: bool
) -> None:
    async with listening() as inbox:
        inbox.refusals.append(answer)
        mailer = SmtpMailer(SmtpPlace.of(f"smtp://127.0.0.1:{inbox.port}"), "a@clinic.example")
        with pytest.raises(Failed) as failure:
            await mailer.send("id", MESSAGE)
        assert (failure.value.error, failure.value.for_good) == (f"Smtp{answer[:3]}", for_good)
        assert await mailer.send("id", MESSAGE) == "<id@clinic.example>"


async def test_a_server_that_is_not_there_is_a_failure_and_one_that_breaks_off_a_doubt() -> None:
    mailer = SmtpMailer(SmtpPlace.of("smtp://127.0.0.1:9"), "a@clinic.example")
    with pytest.raises(Failed):
        await mailer.send("id", MESSAGE)

    async def breaks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 here\r\n")
        while line := await reader.readline():
            if line.upper().startswith(b"DATA"):
                break
            writer.write(b"250 ok\r\n")
        writer.close()

    server = await asyncio.start_server(breaks, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        with pytest.raises(InDoubtNow):
            await SmtpMailer(SmtpPlace.of(f"smtp://127.0.0.1:{port}"), "a@b").send("id", MESSAGE)


@pytest.mark.parametrize("url", ["http://host", "smtp://", "host:25"])
def test_a_place_that_is_no_mail_server_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="smtp"):
        SmtpPlace.of(url)


def test_beyond_this_machine_mail_is_encrypted() -> None:
    place = SmtpPlace.of("smtps://u%40x:p%3A@mail.example")
    assert (place.port, place.implicit_tls, place.user, place.password) == (465, True, "u@x", "p:")
    assert SmtpPlace.of("smtp://mail.example").port == 587
