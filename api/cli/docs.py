"""`anamnesis docs`: write what is generated: the SDL, docs/events.md, errors.md, permissions.md."""

from pathlib import Path

import click

from api.generated import generated


@click.command()
@click.option("--check", is_flag=True, help="Write nothing; exit 1 where a file has drifted.")
def docs(check: bool) -> None:
    """Generate the documents that follow from the code."""
    drifted = []
    for name, text in generated().items():
        path = Path(name)
        if path.exists() and path.read_text() == text:
            continue
        drifted.append(name)
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    for name in drifted:
        click.echo(f"{'drifted' if check else 'wrote'} {name}")
    raise SystemExit(1 if check and drifted else 0)
