"""The permissions of an actor from the read models, not older than the last withdrawal."""

from datetime import datetime

import asyncpg
import msgspec

from adapters.postgres.progress import PositionTimeout, Progress
from domain.kernel.context import Actor, Authority, CareRelation, Grant, RoleHeld, Subject

QUERY = "SELECT model.authority($1, $2::uuid, $3::uuid)"


class _Grant(msgspec.Struct):
    chart: str
    scopes: list[str]
    stream: str
    version: int
    until: datetime | None
    chart_version: int | None


class _Relation(msgspec.Struct):
    chart: str
    reference: str
    version: int
    since: datetime
    until: datetime | None


class _Role(msgspec.Struct):
    role: str
    stream: str
    version: int


class _SetAside(msgspec.Struct):
    chart: str
    projection: str


class _Answer(msgspec.Struct):
    person: str | None
    person_version: int | None
    practitioner: str | None
    version: int
    own: list[str]
    grants: list[_Grant]
    relations: list[_Relation]
    roles: list[_Role]
    kin: list[str]
    merged: list[str]
    deceased: bool
    position: int
    needed: int | None
    quarantined: list[_SetAside]


_decode = msgspec.json.Decoder(_Answer).decode


class AuthorityReader:
    """Reads authorities; also says which read models of a chart are set aside."""

    def __init__(self, pool: asyncpg.Pool, progress: Progress) -> None:
        self._pool = pool
        self._progress = progress

    async def read(self, actor: Actor, subject: Subject) -> Authority:
        """The authority of an actor about a subject; operators and the system have none stored.

        Raises PositionTimeout when the permission read models do not catch up.
        """
        authority, _ = await self.read_with_quarantine(actor, subject)
        return authority

    async def read_with_quarantine(
        self, actor: Actor, subject: Subject
    ) -> tuple[Authority, frozenset[tuple[str, str]]]:
        """The authority, and which (chart, projection) of the subject's charts are set aside."""
        if actor.kind != "account":
            return Authority(), frozenset()
        answer = await self._ask(actor, subject)
        needed = answer.needed or 0
        if answer.position < needed:
            await self._progress.reach_permissions(actor.tenant, needed)
            answer = await self._ask(actor, subject)
        if answer.position < needed:
            raise PositionTimeout
        aside = frozenset((each.chart, each.projection) for each in answer.quarantined)
        return _authority(actor, answer), aside

    async def _ask(self, actor: Actor, subject: Subject) -> _Answer:
        return _decode(await self._pool.fetchval(QUERY, actor.tenant, actor.id, subject.chart))


def _authority(actor: Actor, answer: _Answer) -> Authority:
    return Authority(
        person=answer.person,
        person_version=answer.person_version,
        practitioner=answer.practitioner,
        account_stream=actor.id if answer.version else None,
        account_version=answer.version,
        own_charts=frozenset(answer.own),
        grants=tuple(
            Grant(
                chart=g.chart,
                scopes=frozenset(g.scopes),
                stream=g.stream,
                version=g.version,
                until=g.until,
                chart_version=g.chart_version,
            )
            for g in answer.grants
        ),
        relations=tuple(
            CareRelation(
                chart=r.chart,
                reference=r.reference,
                version=r.version,
                since=r.since,
                until=r.until,
            )
            for r in answer.relations
        ),
        roles=tuple(
            RoleHeld(role=r.role, stream=r.stream, version=r.version) for r in answer.roles
        ),
        kin=tuple(answer.kin),
        merged=frozenset(answer.merged),
        deceased=answer.deceased,
        position=answer.position,
    )
