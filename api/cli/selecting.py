"""The options that say which events are meant: about whom, by whom, from when to when."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import wraps
from typing import Any, TypeVar, cast
from uuid import UUID

import click

from api.cli.charts import given_chart, revealed
from api.house import House
from domain.audit import Selection

F = TypeVar("F", bound=Callable[..., Any])
_MOMENTS = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"])


def _utc(_context: object, _option: object, moment: datetime | None) -> datetime | None:
    """A moment without a zone is UTC, wherever this machine is."""
    if moment is None or moment.tzinfo is not None:
        return moment
    return moment.replace(tzinfo=UTC)


_OPTIONS = (
    click.option(
        "--chart", callback=given_chart, help="Only about this chart (chart_... or stream id)."
    ),
    click.option("--actor", help="Only events by this actor (account_..., stream id, operator)."),
    click.option("--stream", type=click.UUID, help="Only events of this stream."),
    click.option("--since", type=_MOMENTS, callback=_utc, help="From then; UTC without a zone."),
    click.option("--until", type=_MOMENTS, callback=_utc, help="Before; UTC without a zone."),
    click.option("--at", "upto", type=click.IntRange(min=1), help="Nothing after this position."),
)


def selecting(command: F) -> F:
    """Options that a command gets as one `selection`; its chart is as it was given."""

    @wraps(command)
    def run(*, stream: UUID | None, **named: Any) -> Any:
        own = {name: named.pop(name) for name in ("chart", "actor", "since", "until", "upto")}
        selection = Selection(stream=None if stream is None else str(stream), **own)
        return command(selection=selection, **named)

    made = cast(F, run)
    for option in reversed(_OPTIONS):
        made = option(made)
    return made


async def meant(house: House, tenant: str, selection: Selection) -> Selection:
    """The selection with the streams of chart and account. Raises a usage error for nobody's id."""
    chart, actor = selection.chart, selection.actor
    if chart is not None:
        chart = await revealed(house, tenant, chart)
    if actor is not None:
        actor = await revealed(house, tenant, actor, "account")
    return replace(selection, chart=chart, actor=actor)
