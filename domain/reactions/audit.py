"""What follows from erasures: compliance gets the certificate."""

from collections.abc import Iterator

from domain.audit import ErasureCarriedOut
from domain.kernel.effect import Effect, Reaction
from domain.kernel.event import Recorded
from domain.notifications import MailCertificate


def after(recorded: Recorded) -> Iterator[Effect]:
    """The certificate of an erasure that is carried out."""
    event, chart = recorded.event, recorded.header.chart
    if isinstance(event, ErasureCarriedOut) and chart is not None:
        yield MailCertificate(chart=chart)


REACTION = Reaction("audit", (ErasureCarriedOut,), after)
