"""Read models that are made anew because of something that left the log, or came back to it."""

from collections.abc import Callable, Collection

import asyncpg

from adapters.postgres.rebuild import Rebuild
from api.house import House, unwatched
from domain.kernel.readmodel import Projection

Moved = Callable[[str, int, int], None]
"""Is told (step, done, of so many)."""


async def rebuild_models(house: House, projections: Collection[Projection], moved: Moved) -> None:
    """Make these anew, one after the other, for every tenant."""
    dsn = house.settings.role_dsn("projector")
    async with asyncpg.create_pool(dsn, min_size=1, max_size=1) as pool:
        for count, projection in enumerate(projections, 1):
            rebuild = Rebuild(pool, house.keys, projection, unwatched, house.workers)
            await rebuild.run(await house.tenants())
            moved("read models", count, len(projections))
