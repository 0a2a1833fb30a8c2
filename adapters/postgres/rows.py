"""Row documents: sealing them for the read models, opening them for reads.

A body is bound to its table, tenant and key columns, so that a row moved elsewhere does not open.
"""

import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import asyncpg

from adapters import codec
from adapters.keys.refused import KeyDestroyed
from adapters.keys.seal import DataKey
from adapters.keys.tree import KeyTree
from domain.kernel.readmodel import Column, Put, Row, Table, Write

KEY_CLASS = "clinical"
BLIND_BYTES = 16
_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class UnstorableValue(ValueError):
    """A clear column cannot hold a value: an id that is no canonical UUID, or text with a NUL."""


def is_id(value: str) -> bool:
    """Whether it is the canonical text of a UUID."""
    return _ID.fullmatch(value) is not None


def check_values(writes: Iterable[Write]) -> None:
    """Raises UnstorableValue, so that one bad row never fails the rows of others."""
    for write in writes:
        values = write.values if isinstance(write, Put) else write.where
        for column in write.table.columns:
            value = values.get(column.name)
            if isinstance(value, str) and (
                not is_id(value) if column.type == "uuid" else "\0" in value
            ):
                raise UnstorableValue(column.name)


def row_binding(table: Table, tenant: str, values: Mapping[str, object]) -> bytes:
    """The associated data of a row's body."""
    keys = "\0".join(str(values[column.name]) for column in table.key)
    return f"row\0{table.name}\0{tenant}\0{keys}".encode()


@dataclass(frozen=True, slots=True)
class SealedRow:
    """A row ready for its table: key and clear values, then key id and body where it has one."""

    table: Table
    identity: tuple[object, ...]
    values: tuple[object, ...]


async def seal_row(tenant: str, put: Put, keys: KeyTree) -> SealedRow | None:
    """The sealed row, or None when the owner's key is destroyed (the fact is erased)."""
    table = put.table
    values = [await _stored(tenant, one, put.values[one.name], keys) for one in table.columns]
    identity = tuple(str(put.values[column.name]) for column in table.key)
    if table.body is None:
        return SealedRow(table, identity, (tenant, *values))
    owner = put.owner or tenant
    key_class = await keys.class_of(tenant, KEY_CLASS, put.category)
    try:
        key = keys.cached_compartment(tenant, owner, key_class) or await keys.compartment(
            tenant, owner, key_class
        )
    except KeyDestroyed:
        return None
    body = key.seal(codec.encode_value(put.body), row_binding(table, tenant, put.values))
    return SealedRow(table, identity, (tenant, *values, key.id, body))


async def _stored(tenant: str, column: Column, value: object, keys: KeyTree) -> object:
    """What goes into the column: a keyed hash where it is blind."""
    return value if column.type != "blind" else await blind(keys, tenant, column.name, str(value))


async def blind(keys: KeyTree, tenant: str, column: str, text: str) -> bytes:
    """The keyed hash (16 bytes) that a blind column of this name keeps; nothing for no text."""
    if not text:
        return b""
    secret = await keys.tenant_secret(tenant, "blind")
    return hmac.digest(secret, f"{column}\0{text}".encode(), "sha256")[:BLIND_BYTES]


async def open_rows(
    tenant: str, table: Table, records: Sequence[asyncpg.Record], keys: KeyTree
) -> list[Row]:
    """Records of a panel as rows, in order; rows whose key is destroyed are left out.

    Raises the key tree's errors for a body that is not this row's.
    """
    if table.body is None:
        raise TypeError(f"{table.name} has no documents")
    idents = [str(record["key"]) for record in records]
    found = await keys.by_ids(tenant, set(idents))
    rows = []
    for record, ident in zip(records, idents, strict=True):
        key = found[ident]
        if isinstance(key, KeyDestroyed):
            continue
        if not isinstance(key, DataKey):
            raise key
        values = {"id": str(record["id"]), "chart": str(record["chart"])}
        body = key.open(record["body"], row_binding(table, tenant, values))
        rows.append(
            Row(
                values["id"],
                values["chart"],
                zoned(record["at"]),
                record["state"],
                record["kind"],
                record["position"],
                codec.decode_value(table.body, body),
            )
        )
    return rows


def zoned(at: datetime) -> datetime:
    """An instant with its zone, as it was written."""
    # asyncpg writes the first instant of the year 1 as -infinity and gives it back without a zone.
    return at if at.tzinfo else at.replace(tzinfo=UTC)
