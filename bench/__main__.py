"""`python -m bench [NAME ...]`: every line of the output is one JSON object, in one run."""

import argparse
import sys

import uvloop

from bench import (
    append,
    cost,
    dashboard,
    growth,
    importing,
    kit,
    overload,
    partitions,
    reads,
    rebuild,
    restoring,
    verify,
    worklist,
)
from bench.ground import ground
from bench.measure import Pace

# append comes last, and in it the line with the figure that was promised first.
BENCHES = {
    "overload": overload.lines,
    "importing": importing.lines,
    "reads": reads.lines,
    "worklist": worklist.lines,
    "dashboard": dashboard.lines,
    "cost": cost.lines,
    "verify": verify.lines,
    "kit": kit.lines,
    "rebuild": rebuild.lines,
    "growth": growth.lines,
    "partitions": partitions.lines,
    "restoring": restoring.lines,
    "append": append.lines,
}


def main(arguments: list[str] | None = None) -> None:
    """Measure what is named, or everything. Progress goes to the standard error."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--seconds", type=float, default=3.0, help="a turn's length")
    parser.add_argument("--rounds", type=int, default=5, help="turns of each contender")
    given = parser.parse_args(arguments)
    unknown = set(given.names) - BENCHES.keys()
    if unknown:
        parser.error(f"there is no bench {', '.join(sorted(unknown))}: choose from {list(BENCHES)}")
    pace = Pace(seconds=given.seconds, rounds=given.rounds)
    uvloop.run(_measure(given.names or list(BENCHES), pace))


async def _measure(names: list[str], pace: Pace) -> None:
    for name in names:
        with ground() as here:
            async for line in BENCHES[name](here, pace):
                sys.stdout.write(f"{line.json}\n")
                sys.stdout.flush()


if __name__ == "__main__":
    main()
