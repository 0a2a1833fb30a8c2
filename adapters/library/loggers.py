"""The library's import sets psycopg's loggers to ERROR; theirs to say, ours to hear."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

LOGGERS = ("psycopg", "psycopg.pool")


@contextmanager
def loggers_kept() -> Iterator[None]:
    """Whatever is imported inside leaves the levels of psycopg's loggers as they were."""
    levels = {name: logging.getLogger(name).level for name in LOGGERS}
    try:
        yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
