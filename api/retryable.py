"""What the house cannot do in time, as answers that may be repeated (503)."""

from collections.abc import Iterator
from contextlib import contextmanager

from adapters.postgres.progress import PositionTimeout as NotReached
from adapters.postgres.writer import LogUnavailable
from api.graphql import AuditUnavailable, PositionTimeout


@contextmanager
def retryable() -> Iterator[None]:
    """Raises AuditUnavailable for a log that is not written, PositionTimeout for read models."""
    try:
        yield
    except LogUnavailable as error:
        raise AuditUnavailable() from error
    except NotReached as error:
        raise PositionTimeout() from error
