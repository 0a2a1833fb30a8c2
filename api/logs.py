"""Logs: structured, on stderr, with allow-listed fields only; stdout is for answers."""

import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict

FIELDS = frozenset(
    {
        "clock", "correlation", "document_hash", "error", "error_class", "event", "level",
        "operation", "outlet", "pause", "position", "projection", "reason", "room", "tenant",
        "timestamp", "trace", "witness",
    }
)  # fmt: skip
"""What a line may say. None of it is of a patient: a name that is not here needs a review."""
DROPPED = "dropped"


def allowed(_logger: Any, _method: str, entry: EventDict) -> EventDict:
    """The entry without the fields that nobody reviewed; their names alone are told."""
    kept = {name: value for name, value in entry.items() if name in FIELDS}
    unknown = sorted(set(entry) - FIELDS)
    return {**kept, DROPPED: unknown} if unknown else kept


def configure() -> None:
    """JSON lines on stderr from warnings up; called once by the command line."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            allowed,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
