"""What a person wants to hear of and how: preferences, notices sent, deliveries failed.

Stream: one per person. Quiet hours, channels and repeated failures are decided for the person who
is reached, across all the charts they may see; a notice itself holds no health information.
Outside world: mail, SMS, push.

Notices to the organisation itself (signed heads, certificates of erasures) have a stream each.
"""

from collections.abc import Iterator
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from domain.kernel.command import Command, Filed, Stream
from domain.kernel.effect import Effect
from domain.kernel.event import Event
from domain.kernel.rule import may, system


class NoticeSent(Event, name="notifications.notice-sent", version=1, key_class="notice"):
    """A notice was handed over: `effect` is the id that each copy of it carries.

    `message` is what the next station calls it, `audience` the role that it is for.
    """

    effect: str
    notice: str
    audience: str
    message: str


class DeliveryFailed(Event, name="notifications.delivery-failed", version=1, key_class="notice"):
    """A notice was given up: `error` is the class of what went wrong, never its text."""

    effect: str
    notice: str
    audience: str
    error: str


class MailCertificate(Effect, name="notifications.mail-certificate", in_doubt="resend"):
    """Mail the certificate of an erasure to compliance; a second copy has the same Message-ID."""

    chart: str


class MailHead(Effect, name="notifications.mail-head", in_doubt="resend"):
    """Mail the newest signed head of the log to compliance."""


note = may("notifications.note", system)


class NoteNotice(Command[Filed], name="notifications.note-notice", rule=note):
    """Note what became of a notice: sent, or given up with an error."""

    effect: str
    notice: str
    audience: str
    message: str = ""
    error: str | None = None

    @property
    def streams(self) -> tuple[Stream, ...]:
        """The notice's own stream."""
        ident = str(uuid5(NAMESPACE_URL, f"anamnesis:notice/{self.effect}"))
        return (Stream(fold=Filed, id=ident, any_version=True),)

    def decide(self, _state: Filed, _now: datetime) -> Iterator[Event]:
        """Always an event; its command is known by the effect, so that there is one of each."""
        if self.error is not None:
            yield DeliveryFailed(
                effect=self.effect, notice=self.notice, audience=self.audience, error=self.error
            )
        else:
            yield NoticeSent(
                effect=self.effect, notice=self.notice, audience=self.audience, message=self.message
            )
