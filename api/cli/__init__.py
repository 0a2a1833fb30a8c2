"""The command line: `anamnesis COMMAND`. Other packages add commands by entry points.

Commands that look at records name an operator and a reason, which go into the log.
"""

from importlib.metadata import entry_points

import click

from api.cli.amend import correct, relabel, withdraw
from api.cli.anchor import anchor
from api.cli.audit import audit
from api.cli.backup import backup, restore
from api.cli.docs import docs
from api.cli.doctor import doctor
from api.cli.effects import effects
from api.cli.erase import KEEPING
from api.cli.heads import heads
from api.cli.imports import imports
from api.cli.keys import keys
from api.cli.migrate import migrate
from api.cli.partition import partition
from api.cli.rebuild import rebuild
from api.cli.registry import ACTS
from api.cli.repair import repair
from api.cli.replay import replay
from api.cli.serve import serve
from api.cli.verify import verify
from api.cli.witness import witness
from api.cli.worker import worker
from api.logs import configure


class Commands(click.Group):
    """The commands of this package and of every installed `anamnesis.commands` entry point."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in order."""
        added = {entry.name for entry in entry_points(group="anamnesis.commands")}
        return sorted({*super().list_commands(ctx), *added})

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """A command by name; entry points are loaded when asked for."""
        own = super().get_command(ctx, cmd_name)
        if own is not None:
            return own
        for entry in entry_points(group="anamnesis.commands", name=cmd_name):
            loaded: click.Command = entry.load()
            return loaded
        return None


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="anamnesis")
def main() -> None:
    """A patient-portal platform whose memory is an event log."""
    configure()


for command in (
    anchor, audit, backup, correct, docs, doctor, effects, heads, imports, keys, migrate,
    partition, rebuild, relabel, repair, replay, restore, serve, verify, withdraw, witness,
    worker, *ACTS, *KEEPING,
):  # fmt: skip
    main.add_command(command)
