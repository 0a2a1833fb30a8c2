"""Row documents: sealing them for the read models, opening them for reads.

A body is bound to its table, tenant and key columns, so that a row moved elsewhere does not open.
"""

import asyncio
import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import asyncpg

from adapters import codec
from adapters.keys.refused import KeyDestroyed, KeyRefused, KeyStoreUnavailable
from adapters.keys.seal import DataKey
from adapters.keys.tree import KeyTree
from domain.kernel.readmodel import Put, Row, Table, Write

KEY_CLASS = "clinical"
BLIND = "blind"
"""The type of a column that keeps a keyed hash, and the purpose of the secret it is made with."""
BLIND_BYTES = 16
MAX_BIGINT = 1 << 63
_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


Layout = tuple[tuple[str, ...], tuple[int, ...], tuple[str, ...]]
"""The names of a table's columns, which of them are blind, and the names of its key's."""


class UnstorableValue(ValueError):
    """A clear column cannot hold a value.

    An id that is no canonical UUID, text with a NUL, a number beyond 64 bits.
    """


def is_id(value: str) -> bool:
    """Whether it is the canonical text of a UUID."""
    return _ID.fullmatch(value) is not None


def check_values(writes: Iterable[Write]) -> None:
    """Raises UnstorableValue, so that one bad row never fails the rows of others."""
    for write in writes:
        values = write.values if isinstance(write, Put) else write.where
        for column in write.table.columns:
            value = values.get(column.name)
            if isinstance(value, str):
                wrong = not is_id(value) if column.type == "uuid" else "\0" in value
            elif isinstance(value, list):
                wrong = any("\0" in member for member in value)
            else:
                wrong = isinstance(value, int) and not -MAX_BIGINT <= value < MAX_BIGINT
            if wrong:
                raise UnstorableValue(column.name)


def row_binding(table: Table, tenant: str, values: Mapping[str, object]) -> bytes:
    """The associated data of a row's body."""
    return _bound(table, tenant, [str(values[column.name]) for column in table.key])


def _bound(table: Table, tenant: str, identity: Iterable[str]) -> bytes:
    return "\0".join(("row", table.name, tenant, *identity)).encode()


class SealedRow(NamedTuple):
    """A row ready for its table: key and clear values, then key id and body where it has one."""

    table: Table
    identity: tuple[str, ...]
    values: tuple[object, ...]


class RowSealer:
    """Seals the rows of one run: what had to be asked for once is at hand for every row."""

    def __init__(self, tenant: str, keys: KeyTree) -> None:
        self._tenant = tenant
        self._keys = keys
        self._secret = b""
        self._layouts: dict[str, Layout] = {}
        self._hashes: dict[tuple[str, str], bytes] = {}
        self._compartments: dict[tuple[str, str], DataKey | KeyRefused] = {}

    async def open_for(self, writes: Iterable[Write]) -> None:
        """Have the keys of these rows at hand. Raises KeyStoreUnavailable."""
        if not self._secret:
            self._secret = await self._keys.tenant_secret(self._tenant, BLIND)
        places = {
            (write.owner or self._tenant, write.category)
            for write in writes
            if isinstance(write, Put) and write.table.body is not None
        }
        await asyncio.gather(*(self._open(*p) for p in places - self._compartments.keys()))

    async def _open(self, owner: str, category: str) -> None:
        key_class = await self._keys.class_of(self._tenant, KEY_CLASS, category)
        try:
            found = await self._keys.compartment(self._tenant, owner, key_class)
            self._compartments[owner, category] = found
        except KeyStoreUnavailable:
            raise
        except KeyRefused as refusal:
            self._compartments[owner, category] = refusal

    def seal(self, put: Put) -> SealedRow | None:
        """The sealed row, or None when the owner's key is destroyed (the fact is erased).

        Raises what else keeps the owner's key shut.
        """
        table, given = put.table, put.values
        names, blind_at, key_names = self._layouts.get(table.name) or self._learn(table)
        values: list[object] = [given[name] for name in names]
        for at in blind_at:
            values[at] = self._hash(names[at], str(values[at]))
        identity = tuple([str(given[name]) for name in key_names])
        if table.body is None:
            return SealedRow(table, identity, (self._tenant, *values))
        key = self._compartments[put.owner or self._tenant, put.category]
        if isinstance(key, KeyDestroyed):
            return None
        if isinstance(key, KeyRefused):
            raise key
        body = key.seal(codec.encode_document(put.body), _bound(table, self._tenant, identity))
        return SealedRow(table, identity, (self._tenant, *values, key.id, body))

    def _learn(self, table: Table) -> Layout:
        columns = table.columns
        blind_at = tuple(at for at, column in enumerate(columns) if column.type == BLIND)
        layout = (tuple(c.name for c in columns), blind_at, tuple(c.name for c in table.key))
        self._layouts[table.name] = layout
        return layout

    def _hash(self, column: str, text: str) -> bytes:
        known = self._hashes.get((column, text))
        if known is None:
            known = self._hashes[column, text] = _blinded(self._secret, column, text)
        return known


async def blind(keys: KeyTree, tenant: str, column: str, text: str) -> bytes:
    """The keyed hash (16 bytes) that a blind column of this name keeps; nothing for no text."""
    return _blinded(await keys.tenant_secret(tenant, BLIND), column, text)


def _blinded(secret: bytes, column: str, text: str) -> bytes:
    if not text:
        return b""
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
