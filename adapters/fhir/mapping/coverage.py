"""Coverage, Claim and their answers as policies and claims."""

from collections.abc import Iterator

from msgspec import MsgspecError, Raw, json

from adapters.fhir.mapping.plans import spoken
from adapters.fhir.mapping.values import concept, is_given, moment, number, period, some_concept
from adapters.fhir.resources import Reference, decode
from adapters.fhir.resources import care as wire
from domain.coverage import Amount, Claim, Policy


def policy(given: wire.Coverage) -> Policy:
    """A policy with its payors by name."""
    return Policy(
        status=given.status,
        kind=some_concept(given.type),
        member=given.subscriber_id,
        relationship=some_concept(given.relationship),
        period=period(given.period),
        payors=spoken(given.payor),
    )


def claim(given: wire.Claim, form: str) -> Claim:
    """A claim or its answer; amounts as written."""
    return Claim(
        form=form,
        status=given.status,
        kind=some_concept(given.type),
        use=given.use,
        outcome=given.outcome,
        created=moment(given.created),
        period=period(given.billable_period),
        insurer=_name(given.insurer),
        provider=_name(given.provider or given.requestor),
        totals=tuple(_totals(given.total)),
        items=len(given.item),
    )


def _name(given: Reference | None) -> str | None:
    return given.display if given else None


def _totals(token: Raw) -> Iterator[Amount]:
    """Claim.total is one sum, that of an answer a list of sums with their categories."""
    if not is_given(token):
        return
    try:
        if bytes(token).startswith(b"{"):
            yield from _amount(decode(token, wire.Money), None)
            return
        for one in json.decode(token, type=tuple[wire.Total, ...]):
            what = concept(one.category).words if one.category else None
            yield from _amount(one.amount, what)
    except MsgspecError:
        return


def _amount(given: wire.Money, what: str | None) -> Iterator[Amount]:
    value = number(given.value)
    if value is not None:
        yield Amount(value, given.currency, what)
