"""Acts of the registry on the command line: matching, linking, merging, deaths."""

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar
from uuid import uuid4

import click
import msgspec

from api.cli.charts import given_chart, revealed
from api.cli.imports import told
from api.cli.place import house_at, named_operator, only_tenant, operator_actor, placed
from api.cli.progressing import progress_bar
from api.matching import Matched
from api.matching import match as matched
from domain.kernel.command import Command
from domain.kernel.perform import Receipt, Request
from domain.kernel.values import Moment
from domain.registry import (
    CorrectDeath,
    LinkCharts,
    MergeCharts,
    ReportDeath,
    ReviewMerge,
    UndoLink,
    UnmergeCharts,
)
from projections.catalogue import PERMISSIONS

F = TypeVar("F", bound=Callable[..., Any])
Wish = Callable[..., Command[Any]]


def act(command: F) -> F:
    """The options of every act; the answer is the positions that it was written at."""
    key = click.option("--key", help="Idempotency key; the same key never acts twice.")
    tenant = click.option("--tenant", help="Whose log; may be left out where there is one.")
    as_json = click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
    return key(tenant(as_json(named_operator(placed(command)))))


def chart_argument(name: str) -> Callable[[F], F]:
    """A chart as an argument: chart_... or the UUID of its stream."""
    return click.argument(name, callback=given_chart)


def perform(wish: Wish, *charts: str, **named: Any) -> None:
    """Reveal the charts, do what `wish` makes of them, say what became of it."""
    receipt = asyncio.run(_performed(wish, charts, named))
    if named["as_json"]:
        told = {"first": receipt.first, "last": receipt.last, "repeated": receipt.repeated}
        click.echo(msgspec.json.encode(told))
    elif receipt.last is None:
        click.echo("nothing to do: it is so already")
    else:
        click.echo(f"done at positions {receipt.first} to {receipt.last}")


async def _performed(wish: Wish, charts: tuple[str, ...], named: dict[str, Any]) -> Receipt:
    async with house_at(named["folder"]) as house:
        tenant = await only_tenant(house, named["tenant"])
        who = operator_actor(tenant, named["operator"], named["reason"])
        command = wish(*[await revealed(house, tenant, chart) for chart in charts])
        request = Request(command=command, actor=who, key=named["key"] or str(uuid4()))
        receipt = await house.do(request)
        if receipt.last is not None:
            await house.progress.reach(tenant, receipt.last, PERMISSIONS, seconds=60)
        return receipt


@click.command()
@chart_argument("chart")
@chart_argument("beside")
@act
def link(chart: str, beside: str, **named: Any) -> None:
    """Say that CHART is the person's to whom the chart BESIDE belongs."""

    def wish(one: str, other: str) -> LinkCharts:
        return LinkCharts(chart=one, beside=other, evidence=("staff",), reason=named["reason"])

    perform(wish, chart, beside, **named)


@click.command()
@chart_argument("chart")
@chart_argument("into")
@act
def merge(chart: str, into: str, **named: Any) -> None:
    """Read CHART as a part of the chart INTO; the grants of both wait for review-merge."""

    def wish(one: str, other: str) -> MergeCharts:
        return MergeCharts(chart=one, into=other, reason=named["reason"])

    perform(wish, chart, into, **named)


@click.command(name="undo-link")
@chart_argument("chart")
@act
def undo_link(chart: str, **named: Any) -> None:
    """Give CHART back to the person before; its grants wait for review-merge."""
    perform(lambda one: UndoLink(chart=one, reason=named["reason"]), chart, **named)


@click.command()
@chart_argument("chart")
@act
def unmerge(chart: str, **named: Any) -> None:
    """Undo the merge of CHART: the links are those from before."""
    perform(lambda one: UnmergeCharts(chart=one, reason=named["reason"]), chart, **named)


@click.command(name="review-merge")
@chart_argument("chart")
@act
def review_merge(chart: str, **named: Any) -> None:
    """Put the grants of CHART in force again, once somebody has looked at them."""
    perform(lambda one: ReviewMerge(chart=one, reason=named["reason"]), chart, **named)


@click.command(name="report-death")
@chart_argument("chart")
@click.option("--at", help="When, as far as it is known, such as 2026-03 or 2026-03-14.")
@act
def report_death(chart: str, at: str | None, **named: Any) -> None:
    """Report that the person of CHART has died; grants end or pass on by their kind."""
    moment = None if at is None else Moment(at)
    perform(lambda one: ReportDeath(chart=one, at=moment), chart, **named)


@click.command(name="correct-death")
@chart_argument("chart")
@act
def correct_death(chart: str, **named: Any) -> None:
    """Take back a death that was reported in error."""
    perform(lambda one: CorrectDeath(chart=one, reason=named["reason"]), chart, **named)


@click.command()
@click.option("--tenant", help="Whose log; may be left out where there is one.")
@click.option("--after", callback=given_chart, help="Begin beyond this chart of an earlier run.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@named_operator
@placed
def match(
    tenant: str | None,
    after: str | None,
    as_json: bool,
    operator: str,
    reason: str,
    folder: Path,
) -> None:
    """Compare charts: a strong identifier links, the rest is proposed.

    Running it again changes nothing: an interrupted run is started again, or beyond a chart.
    """

    async def run() -> Matched:
        async with house_at(folder) as house:
            chosen = await only_tenant(house, tenant)
            who = operator_actor(chosen, operator, reason)
            beyond = None if after is None else await revealed(house, chosen, after)
            with progress_bar("matching") as moved:
                return await matched(house, chosen, None, who, after=beyond, moved=moved)

    report = asyncio.run(run())
    if as_json:
        click.echo(msgspec.json.encode(asdict(report)))
    else:
        click.echo(told(report))


ACTS = (
    correct_death,
    link,
    match,
    merge,
    report_death,
    review_merge,
    undo_link,
    unmerge,
)
