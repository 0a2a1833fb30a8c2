"""Hearing of appends and of erasures, as far as the database can be reached."""

from collections.abc import Awaitable, Callable

import asyncpg
import structlog

CLOSE_SECONDS = 2.0
"""Whoever is gone does not say goodbye."""
LOG_CHANNEL = "anamnesis_log"
"""Each payload says, a line each, which tenants' logs have grown and how far; empty: many have."""
_log = structlog.get_logger("anamnesis.listening")


async def listening(
    connect: Callable[[], Awaitable[asyncpg.Connection]],
    heard: Callable[..., None],
    deaf: str,
    channel: str = LOG_CHANNEL,
) -> asyncpg.Connection | None:
    """A listening connection; None, told as `deaf`, while there is none: then the caller polls."""
    listener: asyncpg.Connection | None = None
    try:
        listener = await connect()
        await listener.add_listener(channel, heard)
    except Exception as error:  # whoever listens outlives whatever a connection meets
        _log.warning(deaf, error=type(error).__name__)
        if listener is not None:
            listener.terminate()
        return None
    return listener
