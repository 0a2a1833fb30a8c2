"""Wrapping: a key's secret sealed by the key above it and bound to its own row.

The row is tenant, id, kind, owner, class and epoch; changing any of them, or swapping the wrapped
bytes of two rows, makes the key refuse to open.
"""

import uuid

from adapters.keys.cache import Place
from adapters.keys.port import KeyRecord, Kind
from adapters.keys.refused import BodyTampered, KeyCommitmentMismatch, WrappedKeyTampered
from adapters.keys.seal import DataKey, bound


def wrap(
    secret: bytes, above: DataKey, place: Place, kind: Kind, epoch: int
) -> tuple[DataKey, KeyRecord]:
    """The key of a new secret of 32 bytes, under a new id, and its record below `above`."""
    key = DataKey(str(uuid.uuid4()), secret, above.id if kind == "item" else None)
    record = KeyRecord(
        id=key.id,
        tenant=place.tenant,
        kind=kind,
        owner=place.owner,
        key_class=place.key_class,
        epoch=epoch,
        parent=above.id,
        wrapped=above.seal(secret, _binding(place, key.id, kind, epoch)),
        commitment=key.commitment,
    )
    return key, record


def unwrap(record: KeyRecord, above: DataKey) -> DataKey:
    """The key of a record. Raises WrappedKeyTampered when the record is not as it was wrapped."""
    secret = _secret(record, above)
    key = DataKey(record.id, secret, above.id if record.kind == "item" else None)
    if key.commitment != record.commitment:
        raise WrappedKeyTampered(record.id)
    return key


def rewrap(record: KeyRecord, above: DataKey, other: DataKey, place: Place) -> bytes:
    """The secret of a record, which `above` wraps, wrapped by another key. Raises
    WrappedKeyTampered."""
    secret = _secret(record, above)
    return other.seal(secret, _binding(place, record.id, record.kind, record.epoch))


def _secret(record: KeyRecord, above: DataKey) -> bytes:
    place = Place(record.tenant, record.owner, record.key_class)
    try:
        return above.open(record.wrapped, _binding(place, record.id, record.kind, record.epoch))
    except (KeyCommitmentMismatch, BodyTampered) as error:
        raise WrappedKeyTampered(record.id) from error


def _binding(place: Place, key_id: str, kind: Kind, epoch: int) -> bytes:
    row = (place.tenant, key_id, kind, place.owner, place.key_class, str(epoch))
    return bound("wrapped key", *row)
