"""Processes that die at an await point: at the so-manieth time that any of their tasks lets go.

Whoever lets go of the event loop waits for an answer: of the database, a thread, another task. What
it asked for has left already, and nobody knows whether it comes true.
"""

import asyncio
import os
import signal
from collections.abc import Coroutine, Generator
from typing import Any


class Life:
    """Counts the suspensions of all tasks of a loop, once it is armed, and ends at the last one."""

    def __init__(self) -> None:
        self._left: int | None = None

    def begin(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on every task of the loop is counted."""
        loop.set_task_factory(self._made)

    def arm(self, point: int) -> None:
        """The process dies at this await point, 1 being the next."""
        self._left = point

    def disarm(self) -> None:
        """What comes now is not looked at."""
        self._left = None

    def suspended(self) -> None:
        """A task let go of the loop."""
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    def _made(
        self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **named: Any
    ) -> asyncio.Task[Any]:
        return asyncio.Task(_Counted(work, self), loop=loop, **named)


class _Counted(Coroutine[Any, Any, Any]):
    """A coroutine that tells whenever it suspends."""

    def __init__(self, work: Coroutine[Any, Any, Any], life: Life) -> None:
        self._work = work
        self._life = life

    def send(self, value: Any) -> Any:
        """See Coroutine."""
        yielded = self._work.send(value)
        self._life.suspended()
        return yielded

    def throw(self, *error: Any) -> Any:
        """See Coroutine."""
        yielded = self._work.throw(*error)
        self._life.suspended()
        return yielded

    def close(self) -> None:
        """See Coroutine."""
        self._work.close()

    def __await__(self) -> Generator[Any, Any, Any]:
        return self._work.__await__()
