"""Callers who were told to come later and come at once.

A flood is made of callers who do not heed `retry-after`. To find the same answer for each of their
requests anew takes the event loop most of its time, and everybody else waits for that.
"""

import random
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

MOST_REFUSALS = 4
"""Within the time of one hint: a page asks several questions at once, and is refused as often."""
MOST_CALLERS = 4_096


@dataclass(slots=True)
class _Told:
    since: float
    refusals: int = 0
    unheard_until: float = 0.0


class Hints:
    """Who was told how often to come again in `after_s` seconds; the newest callers are kept.

    A caller is whatever stands for one: an integer, so that no credential is kept. Whoever was
    refused MOST_REFUSALS times in that time goes unheard for as long, and up to half as long
    again, so that not all come back in the same moment. One refusal more, and it begins anew.
    """

    def __init__(
        self,
        after_s: float,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._after_s = after_s
        self._clock = clock
        self._chance = chance
        self._told: OrderedDict[int, _Told] = OrderedDict()

    def refused(self, caller: int) -> None:
        """The caller was told to come later."""
        now = self._clock()
        told = self._told.get(caller)
        if told is None or now - told.since > self._after_s:
            told = self._told[caller] = _Told(now)
            self._told.move_to_end(caller)
            if len(self._told) > MOST_CALLERS:
                self._told.popitem(last=False)
        told.refusals += 1
        if told.refusals >= MOST_REFUSALS:
            told.unheard_until = now + self._after_s * (1 + self._chance() / 2)
            told.since, told.refusals = told.unheard_until, MOST_REFUSALS - 1

    def is_unheard(self, caller: int) -> bool:
        """Whether the caller came again too often to be heard now."""
        told = self._told.get(caller)
        return told is not None and self._clock() < told.unheard_until
