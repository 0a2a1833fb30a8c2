"""Mailers: SMTP by aiosmtplib, and a Maildir folder for the demo.

The Message-ID is made of the effect's id, so that a message that is sent twice is told as one by
every mail program. RFC 5322, RFC 3207 (STARTTLS), RFC 8314 (implicit TLS).
"""

import asyncio
import mailbox
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import aiosmtplib

from adapters.dispatch import Failed, InDoubtNow

SECONDS = 20.0
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A mail: text only, `attached` as a file of its own."""

    to: Sequence[str]
    subject: str
    text: str
    at: datetime
    attached: tuple[str, str] | None = None
    """File name and content."""


class Mailer(Protocol):
    """Hands messages over."""

    async def send(self, ident: str, message: Message) -> str:
        """Hand it over; its Message-ID. Raises Failed and InDoubtNow."""


@dataclass(frozen=True, slots=True)
class SmtpPlace:
    """A mail server: `smtp://user:password@host:587` (STARTTLS) or `smtps://host:465`.

    Without TLS on the loopback address only.
    """

    host: str
    port: int
    implicit_tls: bool
    user: str | None = None
    password: str | None = None

    @classmethod
    def of(cls, url: str) -> "SmtpPlace":
        """The place that a URL names. Raises ValueError, also for a bad port."""
        parts = urlsplit(url)
        if parts.scheme not in ("smtp", "smtps") or not parts.hostname:
            raise ValueError("smtp://user@host:587 or smtps://host:465")
        implicit = parts.scheme == "smtps"
        return cls(
            parts.hostname,
            parts.port or (465 if implicit else 587),
            implicit,
            None if parts.username is None else unquote(parts.username),
            None if parts.password is None else unquote(parts.password),
        )


class SmtpMailer:
    """Mail by SMTP, a connection for each message: they are few."""

    def __init__(self, place: SmtpPlace, sender: str) -> None:
        """`sender` is the address that mail comes from; its domain ends each Message-ID."""
        self._place = place
        self._sender = sender

    async def send(self, ident: str, message: Message) -> str:
        """See Mailer."""
        mail = written(ident, message, self._sender)
        place = self._place
        client = aiosmtplib.SMTP(
            hostname=place.host,
            port=place.port,
            use_tls=place.implicit_tls,
            start_tls=not place.implicit_tls and place.host not in LOOPBACK,
            username=place.user,
            password=place.password,
            timeout=SECONDS,
        )
        try:
            async with client:
                refused, _ = await client.send_message(mail, recipients=list(message.to))
        except (aiosmtplib.SMTPSenderRefused, aiosmtplib.SMTPDataError) as refusal:
            raise Failed(f"Smtp{refusal.code}", for_good=500 <= refusal.code < 600) from None
        except aiosmtplib.SMTPResponseException as refusal:
            # Of the connection or the password, not of this message: it may be mended.
            raise Failed(f"Smtp{refusal.code}") from None
        except aiosmtplib.SMTPRecipientsRefused as refusal:
            codes = {one.code for one in refusal.recipients}
            raise Failed("SmtpRecipients", for_good=all(c >= 500 for c in codes)) from None
        except (aiosmtplib.SMTPConnectError, aiosmtplib.SMTPConnectTimeoutError) as error:
            raise Failed(type(error).__name__) from None
        except (aiosmtplib.SMTPException, OSError) as error:
            raise InDoubtNow(type(error).__name__) from None
        if refused:
            # Those who got it tell a second copy by its id.
            raise Failed("SmtpRecipients")
        return str(mail["Message-ID"])


class FolderMailer:
    """Mail into a Maildir folder, for people who try things out: nothing leaves the machine."""

    def __init__(self, folder: Path, sender: str) -> None:
        self._folder = folder
        self._sender = sender

    async def send(self, ident: str, message: Message) -> str:
        """See Mailer."""
        mail = written(ident, message, self._sender)
        await asyncio.to_thread(self._add, mail)
        return str(mail["Message-ID"])

    def _add(self, mail: EmailMessage) -> None:
        box = mailbox.Maildir(self._folder, create=True)
        try:
            box.add(mail)
        finally:
            box.close()


def written(ident: str, message: Message, sender: str) -> EmailMessage:
    """The message as it is sent."""
    mail = EmailMessage()
    mail["Message-ID"] = f"<{ident}@{sender.rpartition('@')[2]}>"
    mail["From"] = sender
    mail["To"] = ", ".join(message.to)
    mail["Date"] = format_datetime(message.at)
    mail["Subject"] = message.subject
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text)
    if message.attached is not None:
        name, content = message.attached
        # As bytes: what is signed must not have its line ends changed on the way.
        mail.add_attachment(
            content.encode(), maintype="application", subtype="octet-stream", filename=name
        )
    return mail
