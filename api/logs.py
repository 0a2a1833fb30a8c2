"""Logs: structured, on stderr, with allow-listed fields only; stdout is for answers."""

import logging
import sys

import structlog


def configure() -> None:
    """JSON lines on stderr from warnings up; called once by the command line."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
