"""F20: the volume of the write-ahead log fills up: read-only before PostgreSQL ends, then 503.

Nothing acknowledged is lost, nobody sees a 500, and it heals by itself. The volume is a small one
in memory, mounted in a namespace that ends with the process.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.adapters.postgres.acts import ROOT

PATIENCE_S = 300


def test_a_full_disk_stops_writing_then_reading_and_loses_nothing() -> None:
    apart = ["unshare", "--mount"] + ([] if os.geteuid() == 0 else ["--user", "--map-root-user"])
    # A short path: the server's socket lies below it.
    with tempfile.TemporaryDirectory(prefix="full-") as folder:
        done = subprocess.run(
            [*apart, sys.executable, "-m", "tests.faults.full", Path(folder)],
            cwd=ROOT, capture_output=True, text=True, timeout=PATIENCE_S,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4_000:]
    seen = json.loads(done.stdout)
    assert seen["before"][0] == 200
    assert seen["low"] == [503, "READ_ONLY"]
    assert seen["low reads"] == [200]
    assert (seen["full reads"], seen["hinted"]) == ([503], True)
    assert seen["server"], "PostgreSQL ended although nothing was written any more"
    assert (seen["after"][0], seen["after reads"]) == (200, 200)

    unmarked = seen["unmarked"]
    assert unmarked["told"] > 100
    assert unmarked["lost"] == []
    assert set(unmarked["statuses"]) <= {200, 503}
    assert 503 in unmarked["statuses"]
    assert unmarked["healed"] < 60
