"""The turns of the pages that a request reads, among those of all requests in service."""

from api.lane import PAGE_BYTES, ROW_BYTES, Lane, Turn


class PageTurn:
    """One page of a request: entered before it is read, told its rows, left when it is there.

    Those of a dear caller are read one by one, and so are those of a request that turns out dear
    beside cheap or earlier ones: or each turn of the event loop would have as much of that request
    in it as all its pages.
    """

    __slots__ = ("_held", "_lane", "_turn")

    def __init__(self, lane: Lane, turn: Turn) -> None:
        self._lane, self._turn, self._held = lane, turn, False

    async def __aenter__(self) -> "PageTurn":
        self._turn.cost += PAGE_BYTES
        if self._turn.kind == "dear" or self._lane.stands_back(self._turn):
            await self._go_on()
        return self

    async def rows(self, count: int) -> None:
        """So many rows were read."""
        self._turn.cost += max(0, count * ROW_BYTES - PAGE_BYTES)
        if self._turn.is_dear:
            await self._go_on()

    async def _go_on(self) -> None:
        if not self._held:
            await self._turn.page.acquire()
            self._held = True
        try:
            await self._lane.stand_back(self._turn)
        except BaseException:
            # Nobody leaves what was not entered.
            self._let_go()
            raise

    async def __aexit__(self, *_raised: object) -> None:
        self._let_go()

    def _let_go(self) -> None:
        if self._held:
            self._held = False
            self._turn.page.release()
