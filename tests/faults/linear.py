"""Whether a recorded history of one stream could have happened one operation after the other.

Source: J. M. Wing and C. Gong, "Testing and verifying concurrent objects", 1993, with the memory of
configurations of G. Lowe, "Testing for linearizability", 2017. The object is a stream as the log
promises it: it has a version; an append that expects this version makes it one more, any other
append is told the version; a read tells the version.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Op:
    """What a client asked and was told, between two instants of one clock.

    `told` is the version after an append, the one that a conflict or a read told, or None where the
    client was told nothing: then it may have happened at any time from `called` on, or never.
    """

    kind: Literal["append", "read"]
    called: float
    returned: float
    expected: int = 0
    succeeded: bool = False
    told: int | None = None


def after(version: int, op: Op) -> int | None:
    """The version after an operation that was told this; None where it cannot have been told."""
    if op.kind == "read":
        return version if op.told in (version, None) else None
    if op.told is None:
        return version + 1 if version == op.expected else version
    if op.succeeded:
        return version + 1 if version == op.expected and op.told == version + 1 else None
    return version if version != op.expected and op.told == version else None


def is_linearizable(history: Sequence[Op]) -> bool:
    """Whether there is an order that respects who had returned before whom was called."""
    ops = sorted(history, key=lambda op: op.called)
    certain = sum(1 << n for n, op in enumerate(ops) if op.told is not None)
    seen: set[tuple[int, int]] = set()
    waiting = [(0, 0)]
    while waiting:
        done, version = waiting.pop()
        if done & certain == certain:
            return True
        if (done, version) in seen:
            continue
        seen.add((done, version))
        left = [n for n in range(len(ops)) if not done >> n & 1]
        first_return = min(ops[n].returned for n in left if ops[n].told is not None)
        for n in left:
            if ops[n].called > first_return:
                break
            following = after(version, ops[n])
            if following is not None:
                waiting.append((done | 1 << n, following))
    return False
