"""Verification of a house's logs with the auditor's role."""

from collections.abc import Callable, Sequence

from adapters.postgres.verification import verify
from adapters.proofs.anchors import Anchor
from adapters.proofs.findings import Verification
from api.house import House, unwatched


async def verification(
    house: House,
    tenant: str,
    anchors: Sequence[Anchor] = (),
    moved: Callable[[int, int], None] = unwatched,
) -> Verification:
    """Check all of one tenant's log. Raises TenantUnknown."""

    dsn = house.settings.role_dsn("auditor")
    return await verify(dsn, tenant, house.keys, moved, anchors=anchors)
