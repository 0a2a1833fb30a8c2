"""Files for those who asked for them and for nobody else: whole, or not there."""

import contextlib
import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import click

from adapters.keys.files import sync_folder
from api.exporting import ExportRefused


def _new(_context: object, _argument: object, file: Path) -> Path:
    if file.exists():
        raise click.BadParameter("exists already")
    return file


NEW_FILE = click.argument("file", type=click.Path(path_type=Path, dir_okay=False), callback=_new)


async def written(file: Path, lines: AsyncIterator[bytes]) -> str:
    """The SHA-256 of the file, which has its name only when it is whole and on the disk."""
    draft = file.with_name(f".{file.name}.draft")
    digest = hashlib.sha256()
    try:
        # It says who did what to whose record: for whoever asked for it, and for nobody else yet.
        descriptor = os.open(draft, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as opened:
            async for line in lines:
                opened.write(line)
                digest.update(line)
            opened.flush()
            os.fsync(opened.fileno())
        draft.replace(file)
        sync_folder(file.parent)
    except OSError as error:
        raise ExportRefused(type(error).__name__) from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
    return digest.hexdigest()
