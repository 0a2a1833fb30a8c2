"""What the library publishes for tests of recorders, with the ciphers that are installed.

Its module imports `eventsourcing.cipher`, which needs pycryptodome. The library has the same
cipher on `cryptography`, which stands in while the module is imported and afterwards.
"""

import sys
from importlib import import_module
from types import ModuleType

from eventsourcing import cryptography


def published() -> ModuleType:
    """`eventsourcing.tests.persistence`."""
    sys.modules.setdefault("eventsourcing.cipher", cryptography)
    return import_module("eventsourcing.tests.persistence")
