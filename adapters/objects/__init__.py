"""Sealed objects: what is too large for an event lies here, its reference in the event."""

from adapters.objects.store import (
    ObjectExists,
    ObjectMissing,
    ObjectNameInvalid,
    ObjectRef,
    ObjectRefused,
    ObjectStore,
    ObjectTampered,
)

__all__ = [
    "ObjectExists",
    "ObjectMissing",
    "ObjectNameInvalid",
    "ObjectRef",
    "ObjectRefused",
    "ObjectStore",
    "ObjectTampered",
]
