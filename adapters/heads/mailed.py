"""Signed heads by mail: one each so many hours, as an effect that a worker carries out."""

import time
from datetime import UTC, datetime

import asyncpg

from adapters.dispatch.outbox import effect_id, put, row_of
from adapters.proofs.notes import Note
from domain.kernel.effect import Later
from domain.notifications import MailHead

REACTION = "head-mail"
_HOUR = 3_600


class MailOutlet:
    """Has the newest head mailed once in each period, whichever process signs."""

    name = "mail"

    def __init__(self, pool: asyncpg.Pool, hours: int) -> None:
        """`pool` has connections of the worker's role."""
        self._pool = pool
        self._seconds = hours * _HOUR
        self._last: dict[str, int] = {}

    async def put(self, tenant: str, note: Note) -> None:
        """See Outlet. The worker mails the head that is newest then."""
        del note
        period = int(time.time()) // self._seconds
        if self._last.get(tenant) == period:
            return
        later = Later(datetime.now(UTC), MailHead())
        row = row_of(effect_id(tenant, REACTION, period), REACTION, None, later)
        try:
            await put(self._pool, tenant, row)
        except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            raise OSError(type(error).__name__) from None
        self._last[tenant] = period
