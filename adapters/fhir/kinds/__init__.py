"""How resources are filed, one module per kind of fact; each has its FILED_BY."""

from collections.abc import Awaitable, Callable
from importlib import import_module
from pkgutil import iter_modules

from adapters.fhir.desk import Desk
from adapters.fhir.reading import Entry

Filer = Callable[[Desk, Entry], Awaitable[None]]


def filers() -> dict[str, Filer]:
    """Who files which resource type, from every module of this package."""
    found: dict[str, Filer] = {}
    for module in sorted(iter_modules(__path__), key=lambda one: one.name):
        found |= import_module(f"{__name__}.{module.name}").FILED_BY
    return found
