"""`anamnesis demo`: all of it on embedded servers in one folder, with people to be."""

import asyncio
import signal
import tempfile
import time
from pathlib import Path

import click
import msgspec
import uvloop
from rich.console import Console
from rich.panel import Panel
from rich.table import Table

from adapters.embedded import EmbeddedServerError
from adapters.fhir.importing import import_bundles
from api.cli.imports import summary
from api.inbound.fhir import HouseIntake
from api.serving import PortTaken
from demo.running import Demo, Tell, embedded_servers, fresh_token, running
from demo.seed import seeding_actor
from demo.walk import walk

QUERY = (
    "{ record { patient { name } labReports(first: 3) { edges { node { code { text }"
    " observations { code { text } value { value } unit interpretation { text } } } } } } }"
)


@click.command()
@click.option(
    "--dir", "folder", type=click.Path(path_type=Path), default=Path(".anamnesis"),
    show_default=True, help="Everything is written below this folder.",
)  # fmt: skip
@click.option("--port", default=8000, show_default=True, help="Port on 127.0.0.1; 0 is any free.")
@click.option("--samples", type=click.Path(path_type=Path, exists=True), help="FHIR to import too.")
@click.option("--json", "as_json", is_flag=True, help="The ready line, or the steps, as JSON.")
@click.option("--check", is_flag=True, help="Walk through everything in a temporary folder.")
@click.option("--token", "person", help="Print a fresh token of this person and exit.")
def demo(
    folder: Path, port: int, samples: Path | None, as_json: bool, check: bool, person: str | None
) -> None:
    """Run the product with its story people. Demo data, not for patients."""
    if person is not None:
        click.echo(_token(folder, person))
        return
    try:
        if check:
            raise SystemExit(_check(as_json))
        _run(folder, port, samples, as_json)
    except EmbeddedServerError as error:
        raise click.ClickException(f"{error}") from error
    except PortTaken as error:
        raise click.ClickException(f"{PortTaken.__doc__} [{error}]") from error


def _token(folder: Path, person: str) -> str:
    try:
        return fresh_token(folder, person)
    except FileNotFoundError:
        raise click.ClickException("no demo has run in this folder yet") from None
    except LookupError:
        raise click.ClickException(f"there is nobody called {person} in the demo") from None


def _check(as_json: bool) -> int:
    """Exit code 0 when every step of the walk holds."""
    failed = 0
    with tempfile.TemporaryDirectory(prefix="anamnesis-") as folder:
        for step in walk(Path(folder)):
            failed += not step.ok
            if as_json:
                click.echo(msgspec.json.encode(step))
            else:
                mark = "ok " if step.ok else "NOT"
                click.echo(f"{mark} {step.step:<32} {step.seconds:6.2f} s  {step.detail}")
    return 1 if failed else 0


def _run(folder: Path, port: int, samples: Path | None, as_json: bool) -> None:
    console = Console(stderr=as_json)
    started = time.monotonic()

    def tell(words: str) -> None:
        console.print(f"[green]✓[/green] {words} [dim]{time.monotonic() - started:.1f} s[/dim]")

    async def run() -> None:
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        async with running(servers, port, tell) as demo:
            if samples is not None:
                await _import(demo, samples, tell)
            if as_json:
                click.echo(ready_line(demo))
            else:
                _welcome(console, demo, folder)
            await stop.wait()
            console.print("Stopping; requests under way are finished first.")

    with embedded_servers(folder, tell) as servers:
        uvloop.run(run())


async def _import(demo: Demo, samples: Path, tell: Tell) -> None:
    intake = HouseIntake(demo.house, seeding_actor("riverside"))
    report = await import_bundles([samples], intake, "urn:anamnesis:samples")
    tell(summary(report))


def ready_line(demo: Demo) -> str:
    """Addresses and people as one JSON object."""
    return msgspec.json.encode(
        {
            "ready": True,
            "addresses": {"graphql": demo.graphql, "health": f"{demo.url}/healthz"},
            "people": [
                {"name": p.name, "role": p.role, "tenant": p.tenant, "token": p.token, "key": p.key}
                for p in demo.people()
            ],
            "seconds": round(demo.seconds, 3),
        }
    ).decode()


def _welcome(console: Console, demo: Demo, folder: Path) -> None:
    console.print(Panel("demo data, not for patients", style="yellow", expand=False))
    for tenant, counts in demo.stored.counts.items():
        what = ", ".join(f"{count} {name}" for name, count in counts.items())
        console.print(f"[bold]{tenant}[/bold]: {what}", highlight=False)
    addresses = Table("what", "address", title="addresses", title_justify="left")
    addresses.add_row("GraphQL", demo.graphql)
    addresses.add_row("health", f"{demo.url}/healthz")
    console.print(addresses)
    people = Table("key", "name", "role", "organisation", title="people", title_justify="left")
    for person in demo.people():
        people.add_row(person.key, person.name, person.role, person.tenant)
    console.print(people)
    option = "" if folder == Path(".anamnesis") else f" --dir {folder}"
    console.print("[bold]three things to try[/bold], in another terminal:")
    console.print(_three_things(demo, option), soft_wrap=True, highlight=False, markup=False)
    console.print("Ctrl-C stops; the data stays. Delete the folder to start anew.")


def _three_things(demo: Demo, option: str) -> str:
    run = ".venv/bin/anamnesis"
    chart = demo.stored.charts["rosa"]
    ask = (
        f"curl -s {demo.graphql} -H 'content-type: application/json' -H \"authorization: Bearer"
        f' $({run} demo{option} --token NAME)" -d '
    )
    trail = "{ auditTrail(first: 5) { edges { node { at type basis count } } } }"
    return "\n".join(
        [
            "1. read Rosa's laboratory reports as Rosa:",
            f'   {ask.replace("NAME", "rosa")}\'{{"query": "{QUERY}"}}\'',
            "2. see that look in the audit trail, as Priya of compliance:",
            f'   {ask.replace("NAME", "priya")}\'{{"query": "{trail}"}}\'',
            "3. replay Rosa's chart, then verify the whole log:",
            f"   {run} replay{option} --tenant riverside --chart {chart}"
            " --operator you --reason 'first look'",
            f"   {run} verify{option}",
        ]
    )
