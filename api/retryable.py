"""What the house cannot do in time, as answers that may be repeated (503)."""

from collections.abc import Iterator
from contextlib import contextmanager

from adapters.postgres.progress import PositionTimeout as NotReached
from adapters.postgres.writer import LogUnavailable
from api.graphql import AuditUnavailable, NoChanges, PositionTimeout
from api.standing import ReadOnly


@contextmanager
def retryable() -> Iterator[None]:
    """Raises AuditUnavailable for a log that is not written, NoChanges for one that is only read,
    and PositionTimeout for read models."""
    try:
        yield
    except ReadOnly as error:
        raise NoChanges() from error
    except LogUnavailable as error:
        raise AuditUnavailable() from error
    except NotReached as error:
        raise PositionTimeout() from error
