"""The dispatcher: claims what is due, asks whether it is still wanted, sends it, reports, settles.

Between "being sent" and "settled" a process may die: then the effect is in doubt. If its report is
in the log, it is settled; else its kind says whether it is sent again under the same id or parked.
A crash takes no attempt from it.
"""

import asyncio
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import structlog

from adapters import codec
from adapters.dispatch.effects import Effects, Pending
from adapters.dispatch.jobs import Jobs
from domain.kernel.command import Command
from domain.kernel.effect import Effect, effect_type

MOST = 64
"""Effects that are claimed at once."""
PAUSES_MINUTES = (0.1, 1, 5, 15, 60, 180, 360, 720, 1_440, 1_440)
"""After each failure: ten tries over three days (as Standard Webhooks advises)."""
NOT_CONNECTED = timedelta(minutes=5)
SEND_SECONDS = 30.0
_log = structlog.get_logger("anamnesis.dispatch")
Reached = Callable[[str], None]


class NotWanted(Exception):
    """The effect is not wanted any more. It is dropped."""


class NotConnected(Exception):
    """Nothing here can carry it out yet. It waits, and no attempt is counted."""


class Failed(Exception):
    """It was not done, and the other side said so. `for_good`: trying again is no use."""

    def __init__(self, error: str, *, for_good: bool = False) -> None:
        """`error` is a class of errors, never a text of the other side."""
        super().__init__(error)
        self.error = error
        self.for_good = for_good


class InDoubtNow(Exception):
    """Nobody knows whether it was done: the connection broke after it was handed over."""


class Carrier(Protocol):
    """Carries one kind of effect out."""

    async def prepare(self, tenant: str, effect: Any) -> Any:
        """What is to be sent. Raises NotWanted and NotConnected."""

    async def send(self, ident: str, prepared: Any) -> str:
        """Send it under the effect's id; what the other side calls it. Raises Failed and
        InDoubtNow."""

    def report(self, ident: str, effect: Any, told: str, error: str | None) -> Command[Any]:
        """The command that notes it: sent as `told`, or given up for an error."""


class Reports(Protocol):
    """Puts on record what became of effects."""

    async def note(self, tenant: str, command: Command[Any], key: str) -> None:
        """Perform the command, once for each key."""

    async def has(self, tenant: str, command: Command[Any], key: str) -> bool:
        """Whether it was performed under this key."""


class Dispatcher:
    """Carries out what is due of a tenant."""

    def __init__(
        self,
        effects: Effects,
        carriers: Mapping[str, Carrier],
        reports: Reports,
        jobs: Jobs,
        reached: Reached = lambda _point: None,
    ) -> None:
        """`reached` is told of each point at which a process may die."""
        self._effects = effects
        self._carriers = carriers
        self._reports = reports
        self._jobs = jobs
        self._reached = reached

    async def carry(self, tenant: str) -> int:
        """One round of what is due; how many effects were claimed."""
        claimed = await self._effects.claim(tenant, MOST)
        self._reached("claimed")
        ready = [
            one for one in await asyncio.gather(*map(self._prepared, claimed)) if one is not None
        ]
        if ready:
            ours = await self._effects.sending(tenant, [one.id for one, _, _ in ready])
            self._reached("marked")
            await asyncio.gather(*(self._sent(*each) for each in ready if each[0].id in ours))
        return len(claimed)

    async def _prepared(self, one: Pending) -> tuple[Pending, Effect, Any] | None:
        """What is to be sent; None for what is settled without."""
        kind, carrier = effect_type(one.name), self._carriers.get(one.name)
        try:
            if kind is None or carrier is None:
                raise NotConnected
            effect: Effect = codec.decode_value(kind, one.data)
            if one.marked and not await self._goes_on(one, carrier, effect):
                return None
            return one, effect, await carrier.prepare(one.tenant, effect)
        except NotWanted:
            await self._effects.settle(one, "dropped")
        except NotConnected:
            due = datetime.now(UTC) + NOT_CONNECTED
            state = "sending" if one.doubtful else "waiting"
            await self._effects.settle(one, state, error="NotConnected", due=due)
        except Exception as error:  # one effect must never stop the others
            await self._again(one, None, None, Failed(type(error).__name__))
        return None

    async def _goes_on(self, one: Pending, carrier: Carrier, effect: Effect) -> bool:
        """Whether an effect that was begun before is sent again."""
        ident = one.id.hex()
        if await self._reports.has(one.tenant, carrier.report(ident, effect, "", None), ident):
            await self._effects.settle(one, "done")
            return False
        if one.doubtful and type(effect).in_doubt == "park":
            await self._effects.settle(one, "parked", error="InDoubt")
            return False
        return True

    async def _sent(self, one: Pending, effect: Effect, prepared: Any) -> None:
        carrier, ident = self._carriers[one.name], one.id.hex()
        try:
            async with asyncio.timeout(SEND_SECONDS):
                told = await carrier.send(ident, prepared)
            self._reached("sent")
            await self._reports.note(one.tenant, carrier.report(ident, effect, told, None), ident)
            self._reached("reported")
        except Failed as failure:
            await self._again(one, carrier, effect, failure)
        except (InDoubtNow, TimeoutError):
            if type(effect).in_doubt == "park":
                await self._effects.settle(one, "parked", error="InDoubt")
            else:
                await self._again(one, carrier, effect, Failed("InDoubt"))
        except Exception as error:  # it stays marked, and is looked at when the lease is over
            _log.error("dispatch.unsettled", error=type(error).__name__)
        else:
            await self._effects.settle(one, "done")
            self._reached("settled")

    async def _again(
        self, one: Pending, carrier: Carrier | None, effect: Effect | None, failure: Failed
    ) -> None:
        """Try later, or give it up and say so in the log."""
        attempts = one.attempts + 1
        if not failure.for_good and attempts <= len(PAUSES_MINUTES):
            due = datetime.now(UTC) + _pause(one.id, attempts)
            # What was in doubt before it could be looked at stays so.
            state = "sending" if one.doubtful and carrier is None else "waiting"
            await self._effects.settle(one, state, error=failure.error, attempts=attempts, due=due)
            await self._jobs.wake(due)
            return
        if carrier is not None and effect is not None:
            ident = one.id.hex()
            wish = carrier.report(ident, effect, "", failure.error)
            await self._reports.note(one.tenant, wish, f"{ident} failed")
        await self._effects.settle(one, "dead", error=failure.error, attempts=attempts)


def _pause(ident: bytes, attempts: int) -> timedelta:
    """The pause after a failure, spread by up to a fifth so that not all come back at once."""
    spread = 1 + ident[0] / 255 / 5
    return timedelta(minutes=PAUSES_MINUTES[attempts - 1] * spread)
