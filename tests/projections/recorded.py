"""Events as the log gives them back, for projections."""

from datetime import UTC, datetime

from domain.kernel.context import Context
from domain.kernel.event import Erased, Event, Header, Recorded, Unknown

AT = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)
STREAM, CHART, OTHER = (f"00000000-0000-4000-8000-00000000000{n}" for n in (1, 2, 3))
CONTEXT = Context(
    actor="ada",
    actor_kind="account",
    purpose="PATRQT",
    basis="own-record",
    rule="records.view",
    policy="2026-11",
    received=AT.isoformat(),
    occurred=AT.isoformat(),
)


def recorded(
    event: Event | Erased | Unknown,
    *,
    position: int = 7,
    version: int = 1,
    stream: str = STREAM,
    chart: str | None = CHART,
) -> Recorded:
    """The event at a position, in a stream of a chart."""
    kind = event.type_name
    header = Header(
        event="e",
        command="c",
        tenant="riverside",
        stream=stream,
        type=kind,
        version=event.type_version if not isinstance(event, Erased) else 1,
        key="k",
        chart=chart,
    )
    return Recorded(position, version, AT, header, CONTEXT, event)
