"""Where a command finds its house: given DSNs, else a running demo, else the demo's folder."""

import json
import os
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import parse_qs, urlsplit

import click

from adapters.backup import BackupDamaged, BackupFailed, LogGap, ProgramsMissing
from adapters.embedded import EmbeddedServerError, start_postgres
from adapters.heads import HeadsUnreadable, KeptHeadDamaged, LogForked
from adapters.heads.tiling import TilesStale
from adapters.keys import KeyRefused
from adapters.postgres.partitioning import (
    CopyIncomplete,
    CopyOutdated,
    MigrationRuns,
    PartitionedAlready,
    PartitionsUnclear,
)
from adapters.postgres.progress import PositionTimeout
from adapters.postgres.rebuild import RebuildUnderWay
from adapters.postgres.writer import LogUnavailable
from adapters.proofs.notes import KeyUnreadable, NameInvalid
from api.apart import ProjectorNotStarted
from api.erasing.carrying import StillFiling
from api.exporting import ExportRefused, NothingToExport, SigningBusy
from api.house import ClockSkew, House, open_house, projecting
from api.restoring import CopyDiverged, EventsLost, KeysBeside
from api.serving import PortTaken
from api.settings import SettingMissing, Settings, SettingUnclear, SettingUnknown
from api.signing import HeadsMissing
from api.witness import WitnessRuns
from domain.kernel.context import Actor
from domain.kernel.refusal import Refusal

RUNNING = "running.json"
"""Written by a running demo below its folder: the DSN of its server."""
ANSWER_SECONDS = 2.0
F = TypeVar("F", bound=Callable[..., Any])
_EXPECTED = (
    BackupDamaged, BackupFailed, ClockSkew, CopyDiverged, CopyIncomplete, CopyOutdated,
    EmbeddedServerError, EventsLost, ExportRefused, HeadsMissing, HeadsUnreadable, KeptHeadDamaged,
    KeyRefused, KeysBeside, KeyUnreadable, LogForked, LogGap, LogUnavailable, MigrationRuns,
    NameInvalid, NothingToExport, PartitionedAlready, PartitionsUnclear, PortTaken,
    PositionTimeout, ProgramsMissing, ProjectorNotStarted, RebuildUnderWay, SettingMissing,
    SettingUnclear, SettingUnknown, SigningBusy, StillFiling, TilesStale, WitnessRuns,
)  # fmt: skip


def placed(command: F) -> F:
    """The option --dir, and errors that people can act on instead of tracebacks."""
    folder = click.option(
        "--dir",
        "folder",
        type=click.Path(path_type=Path),
        default=Path(".anamnesis"),
        show_default=True,
        help="The demo's folder; ANAMNESIS_DSN, ANAMNESIS_KEYS and ANAMNESIS_OBJECTS win over it.",
    )
    return folder(actionable(command))


def actionable(command: F) -> F:
    """Errors that people can act on as a sentence and exit code 1, instead of tracebacks."""

    @wraps(command)
    def run(*args: Any, **named: Any) -> Any:
        try:
            return command(*args, **named)
        except Refusal as refusal:
            raise click.ClickException(f"{refusal.message} [{refusal.code}]") from refusal
        except _EXPECTED as error:
            words = " ".join((type(error).__doc__ or "").split())
            raise click.ClickException(f"{words} [{type(error).__name__} {error}]") from error

    return cast(F, run)


def named_operator(command: F) -> F:
    """The options --operator and --reason, which go into the log."""
    with_reason = click.option("--reason", required=True, help="Why; it goes into the log.")
    with_name = click.option("--operator", required=True, help="Who you are; it goes into the log.")
    return with_name(with_reason(command))


def operator_actor(tenant: str, operator: str, reason: str) -> Actor:
    """The actor of a command-line user."""
    return Actor(tenant=tenant, id=operator, kind="operator", client="cli", reason=reason)


@contextmanager
def settings_at(folder: Path) -> Iterator[Settings]:
    """The settings; starts the folder's embedded PostgreSQL for the time when none is running."""
    if os.environ.get("ANAMNESIS_DSN"):
        yield Settings.from_environment(os.environ)
        return
    dsn = _running(folder)
    if dsn is not None:
        yield Settings.in_folder(folder, dsn, profile="demo")
        return
    if not (folder / "postgres").exists():
        raise SettingMissing("ANAMNESIS_DSN")
    with start_postgres(folder / "postgres") as server:
        yield Settings.in_folder(folder, server.dsn(), profile="demo")


def _running(folder: Path) -> str | None:
    """The DSN of the demo in this folder; None where none runs, whatever an ended one left."""
    try:
        dsn = str(json.loads((folder / RUNNING).read_text())["dsn"])
        where = parse_qs(urlsplit(dsn).query)
        with socket.socket(socket.AF_UNIX) as caller:
            caller.settimeout(ANSWER_SECONDS)
            caller.connect(f"{where['host'][0]}/.s.PGSQL.{where['port'][0]}")
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return dsn


@asynccontextmanager
async def house_at(folder: Path) -> AsyncIterator[House]:
    """An open house with a projector beside whatever else is running."""
    with settings_at(folder) as settings:
        async with open_house(settings) as house, projecting(house):
            yield house


async def only_tenant(house: House, tenant: str | None) -> str:
    """The named tenant, or the only one. Raises a usage error that lists them."""
    known = await house.tenants()
    if tenant in known:
        return str(tenant)
    if tenant is None and len(known) == 1:
        return known[0]
    raise click.UsageError(f"name a tenant with --tenant: {', '.join(known)}")
