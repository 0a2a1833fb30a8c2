"""When the database is away: what its driver says of a server that is down, gone or overfull."""

import asyncpg

AWAY = (
    OSError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
)
"""The same request may be repeated. A timeout is an OSError."""
CONNECT_SECONDS = 5.0
COMMAND_SECONDS = 5.0
"""For one statement of a request; then its connection is given up, while the request has time."""
