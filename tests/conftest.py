"""Fixtures that every test may use."""

import pytest


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """The event loop of every async test; of session scope, so that wider fixtures can be async."""
    return "asyncio"
