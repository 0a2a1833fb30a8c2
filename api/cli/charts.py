"""Charts as people give them on the command line: an opaque id, or the UUID of the stream."""

from uuid import UUID

import click

from api.app import ids_of
from api.house import House
from domain.kernel.refusal import NotFound


def given_chart(_context: object, _option: object, given: str | None) -> str | None:
    """The stream's UUID, or an opaque id as it came. Raises a usage error for anything else."""
    if given is None or given.startswith("chart_"):
        return given
    try:
        return str(UUID(given))
    except ValueError:
        raise click.BadParameter("a chart is chart_... or the UUID of its stream") from None


async def revealed(house: House, tenant: str, given: str, kind: str = "chart") -> str:
    """The stream of a chart given by its opaque id. Raises a usage error for none of ours."""
    if not given.startswith(f"{kind}_"):
        return given
    try:
        return (await ids_of(house, tenant)).reveal(kind, given)
    except NotFound:
        raise click.UsageError(f"this {kind} is none of the tenant's ids") from None
