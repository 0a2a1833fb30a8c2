"""Proxy access as GraphQL: who may act for the patient, granting and withdrawing it."""

import enum
from datetime import datetime
from typing import Annotated

import strawberry

from domain import consent
from domain.consent import (
    GrantEndsInThePast,
    GrantProxyAccess,
    GrantTooLong,
    WithdrawProxyAccess,
)
from domain.kernel.command import Command
from domain.kernel.readmodel import Row
from domain.kernel.refusal import Refusal
from projections.consent import ProxyRow
from schema.kernel.context import Ids, SchemaContext
from schema.kernel.ids import NO_CHART, chart_of, known
from schema.kernel.paging import Info, shape
from schema.kernel.problems import (
    BusyProblem,
    InputProblem,
    KeyReusedProblem,
    NotFoundProblem,
    StaleVersionProblem,
    problem_of,
)
from schema.kernel.ruled import ruled, said


@strawberry.enum(description="What a proxy may see and do.")
class ProxyScope(enum.Enum):
    """Scopes of a grant."""

    RECORDS = strawberry.enum_value("records", description="The medical record and visits.")
    RESULTS = strawberry.enum_value("results", description="Test results.")
    PRESCRIPTIONS = strawberry.enum_value("prescriptions", description="Medications.")
    SCHEDULING = strawberry.enum_value("scheduling", description="Appointments.")
    MESSAGING = strawberry.enum_value("messaging", description="Messages.")


@strawberry.enum(description="In which role a proxy acts.")
class ProxyKind(enum.Enum):
    """Kinds of proxies."""

    PARENT = strawberry.enum_value("parent", description="Parent or guardian of a minor.")
    CAREGIVER = strawberry.enum_value("caregiver", description="Adult who cares for an adult.")
    LEGAL_REPRESENTATIVE = strawberry.enum_value(
        "legal-representative", description="Appointed by law or by a court."
    )
    HELPER = strawberry.enum_value("helper", description="Helps with a single visit.")


@strawberry.type(
    directives=ruled(consent.view), description="A person who may act for the patient."
)
class ProxyGrant:
    """A grant in force."""

    id: strawberry.ID = said("Stands for this grant.")
    grantee: strawberry.ID = said("The person who was granted access.")
    kind: ProxyKind = said("In which role.")
    scopes: list[ProxyScope] = said("What they may see and do.")
    until: datetime | None = said("When it ends by itself.")
    version: int = said("Give it as expectedVersion when you change the grant.")

    @classmethod
    def of(cls, context: SchemaContext, row: Row) -> "ProxyGrant":
        """From a row document."""
        body: ProxyRow = row.body
        return cls(
            id=strawberry.ID(context.ids.hide("record", row.id)),
            grantee=strawberry.ID(context.ids.hide("person", body.grantee)),
            kind=ProxyKind(body.kind),
            scopes=[ProxyScope(scope) for scope in body.scopes],
            until=body.until,
            version=body.version,
        )


@strawberry.input(description="Whom to let act for the patient, how far and how long.")
class GrantProxyAccessInput:
    """Input of grantProxyAccess."""

    idempotency_key: str = said("Any text of yours; the same key never grants twice.")
    chart: strawberry.ID = said("The patient's chart.")
    grantee: strawberry.ID = said("The person to let in.")
    kind: ProxyKind = said("In which role.")
    scopes: list[ProxyScope] = said("What they may see and do.")
    until: datetime | None = strawberry.field(default=None, description="When it ends by itself.")
    expected_version: int | None = strawberry.field(
        default=None, description="The version that you saw; leave out to grant regardless."
    )


@strawberry.input(description="Which proxy access to end.")
class WithdrawProxyAccessInput:
    """Input of withdrawProxyAccess."""

    idempotency_key: str = said("Any text of yours; the same key never acts twice.")
    chart: strawberry.ID = said("The patient's chart.")
    grantee: strawberry.ID = said("The person whose access ends.")
    expected_version: int | None = strawberry.field(
        default=None, description="The version that you saw; leave out to withdraw regardless."
    )


@strawberry.type(directives=ruled(shape), description="The grant is as you wished.")
class ProxyAccessChanged:
    """Success of both mutations."""

    position: str | None = said("Give it as extensions.position of a query to read your change.")
    repeated: bool = said("Whether this is the first answer to an earlier call with the same key.")


ProxyAccessResult = Annotated[
    ProxyAccessChanged
    | InputProblem
    | NotFoundProblem
    | StaleVersionProblem
    | KeyReusedProblem
    | BusyProblem,
    strawberry.union("ProxyAccessResult", description="The changed access, or why not."),
]
_ABOUT: dict[type[Refusal], str] = {GrantEndsInThePast: "until", GrantTooLong: "until"}
GrantInput = Annotated[GrantProxyAccessInput, strawberry.argument(description="The wish.")]
WithdrawInput = Annotated[WithdrawProxyAccessInput, strawberry.argument(description="The wish.")]


async def _changed(
    context: SchemaContext, wish: Command[consent.Grant], key: str
) -> ProxyAccessResult:
    try:
        receipt = await context.do(wish, key)
    except Refusal as refusal:
        return problem_of(refusal, _ABOUT)
    return ProxyAccessChanged(
        position=None if receipt.last is None else context.ids.position_token(receipt.last),
        repeated=receipt.repeated,
    )


def _about(ids: Ids, chart: str, grantee: str) -> tuple[str, str]:
    """Chart and person; a person that is no id of ours makes it a wish about nobody's chart."""
    person = known(ids, "person", grantee)
    return (NO_CHART, NO_CHART) if person is None else (chart_of(ids, chart), person)


async def _grant(info: Info, input: GrantInput) -> ProxyAccessResult:
    chart, grantee = _about(info.context.ids, input.chart, input.grantee)
    wish = GrantProxyAccess(
        chart=chart,
        grantee=grantee,
        kind=str(input.kind.value),
        scopes=tuple(str(scope.value) for scope in input.scopes),
        until=input.until,
        seen_version=input.expected_version,
    )
    return await _changed(info.context, wish, input.idempotency_key)


async def _withdraw(info: Info, input: WithdrawInput) -> ProxyAccessResult:
    chart, grantee = _about(info.context.ids, input.chart, input.grantee)
    wish = WithdrawProxyAccess(chart=chart, grantee=grantee, seen_version=input.expected_version)
    return await _changed(info.context, wish, input.idempotency_key)


@strawberry.type(description="Changes of proxy access.")
class ConsentMutation:
    """Mutations of this capability; each is one command."""

    grant_proxy_access: ProxyAccessResult = strawberry.mutation(
        resolver=_grant,
        description="Let another person see and act in a chart.",
        directives=ruled(consent.grant),
    )
    withdraw_proxy_access: ProxyAccessResult = strawberry.mutation(
        resolver=_withdraw,
        description="End a person's access to a chart; their next request is refused.",
        directives=ruled(consent.withdraw),
    )
