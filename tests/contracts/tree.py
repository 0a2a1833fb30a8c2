"""The files of the repository, as a commit would hold them."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OWN = (
    "domain", "projections", "schema", "adapters", "api", "migrations", "web", "demo", "bench",
    "tests",
)  # fmt: skip


def files(*, suffix: str = "", under: str = "") -> list[Path]:
    """Tracked files and new ones that are not ignored, below the folder `under` of the root."""
    found = (path for path in _listed() if path.is_file() and path.name.endswith(suffix))
    return sorted(path for path in found if path.is_relative_to(ROOT / under))


def name(path: Path) -> str:
    """The path as a reader of a failing test knows it: from the root, with slashes."""
    return path.relative_to(ROOT).as_posix()


def _listed() -> Iterator[Path]:
    if not (ROOT / ".git").exists() or shutil.which("git") is None:
        return _walked()
    # A clone mounted into a container belongs to another user; listing its names is harmless.
    command = ["git", "-c", f"safe.directory={ROOT}", "ls-files", "-z"]
    command += ["--cached", "--others", "--exclude-standard"]
    listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return (ROOT / line for line in listing.split("\0") if line)


def _walked() -> Iterator[Path]:
    """Every file of an unpacked archive, without environments, caches and the demo's folder."""
    for folder, names, leaves in os.walk(ROOT):
        hidden = {n for n in names if n.startswith(".") and n != ".ci"}
        names[:] = [n for n in names if n not in hidden | {"__pycache__", "build", "dist"}]
        yield from (Path(folder, leaf) for leaf in leaves)
