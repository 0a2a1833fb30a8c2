"""What staff do about resources that are set aside: each read and repair ruled and on record."""

from contextlib import suppress
from dataclasses import replace
from hashlib import sha256
from typing import cast

from adapters.postgres.sources import NEWEST, AsideFound
from api.house import House
from api.inbound.repair import file_again, set_aside
from api.looks import Looks
from api.permits import Permits
from domain import records
from domain.kernel.context import Actor
from domain.kernel.refusal import NotFound
from domain.records import RepairResource
from projections.kernel.aside import AsideRow
from schema.kernel.context import Aside

PANEL = "records.set-aside"


class Repairs:
    """The set-aside resources of one operation's tenant."""

    def __init__(self, house: House, actor: Actor, permits: Permits, looks: Looks) -> None:
        self._house, self._actor = house, actor
        self._permits, self._looks = permits, looks

    async def page(
        self, first: int, before: int | None, reason: str | None
    ) -> tuple[tuple[Aside, ...], bool]:
        """Set-aside resources, newest first, and whether more follow. Raises NotFound."""
        rule = records.view_set_aside
        permit = await self._permits.of_organization(rule, None)
        rows = await set_aside(
            self._house,
            self._actor.tenant,
            reason=reason,
            before=before or NEWEST,
            most=first + 1,
        )
        shown = [_aside(row) for row in rows[:first]]
        self._looks.saw(None, permit.basis, rule.name, PANEL, [one.id for one in shown])
        return tuple(shown), len(rows) > first

    async def file(self, wish: RepairResource, content: bytes | None) -> RepairResource:
        """The command that closes it, once it is filed; one that is closed is not filed again.

        Raises NotFound where the rule refuses, StaleVersion and StillSetAside.
        """
        await self._permits.of_organization(records.repair, None)
        given = sha256(content).hexdigest() if content is not None else None
        # Where nothing is open the command tells why.
        with suppress(NotFound):
            await file_again(self._house, self._actor, wish, content)
        return replace(wish, given=given)


def _aside(row: AsideFound) -> Aside:
    body = cast(AsideRow, row.body)
    return Aside(
        id=row.id,
        reason=row.reason,
        position=row.position,
        since=row.at,
        original=body.original,
        version=body.version,
        at=body.at,
        index=body.index,
    )
