"""Row documents: sealing them for the read models, opening them for reads.

A body is bound to its table, tenant and key columns, so that a row moved elsewhere does not open.
"""

import asyncio
import hmac
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from operator import itemgetter
from typing import NamedTuple

import asyncpg

from adapters import codec
from adapters.keys.compartments import BASE_CLASS
from adapters.keys.refused import KeyDestroyed, KeyRefused, KeysAway
from adapters.keys.seal import DataKey
from adapters.keys.tree import Found, KeyTree
from domain.kernel.readmodel import Put, Row, Table, Write

BLIND = "blind"
"""The type of a column that keeps a keyed hash, and the purpose of the secret it is made with."""
BLIND_BYTES = 16
MAX_BIGINT = 1 << 63
_ID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class UnstorableValue(ValueError):
    """A clear column cannot hold a value.

    An id that is no canonical UUID, text with a NUL, a number beyond 64 bits.
    """


def is_id(value: str) -> bool:
    """Whether it is the canonical text of a UUID."""
    return _ID.fullmatch(value) is not None


class Layout:
    """What is worked out once for all rows of a table."""

    __slots__ = ("_others", "_uuids", "blind", "key", "names", "table", "values")

    def __init__(self, table: Table) -> None:
        self.table = table
        self.names = tuple(column.name for column in table.columns)
        self.values: Callable[[Mapping[str, object]], tuple[object, ...]] = _picked(self.names)
        self.key = len(table.key)
        kinds = [(at, column.type) for at, column in enumerate(table.columns)]
        self.blind = tuple(at for at, kind in kinds if kind == BLIND)
        self._uuids = tuple(at for at, kind in kinds if kind == "uuid")
        # Hashed, any text can be kept.
        hashed_or_else = ("uuid", "timestamptz", BLIND)
        self._others = tuple(at for at, kind in kinds if kind not in hashed_or_else)

    def check(self, values: Sequence[object]) -> None:
        """Raises UnstorableValue for the value of a column that cannot hold it."""
        known = None
        for at in self._uuids:
            value = values[at]
            if value != known and isinstance(value, str):
                if not is_id(value):
                    raise UnstorableValue(self.names[at])
                known = value
        for at in self._others:
            value = values[at]
            if "\0" in value if type(value) is str else not _fits(value):
                raise UnstorableValue(self.names[at])

    def check_some(self, values: Mapping[str, object]) -> None:
        """The same for the columns that are named."""
        for column in self.table.columns:
            value = values.get(column.name)
            uuid = column.type == "uuid" and isinstance(value, str)
            if not (is_id(str(value)) if uuid else _fits(value)):
                raise UnstorableValue(column.name)


def _fits(value: object) -> bool:
    """Whether text has no NUL and a number 64 bits."""
    if isinstance(value, str):
        return "\0" not in value
    if isinstance(value, list):
        return not any("\0" in member for member in value)
    return not isinstance(value, int) or -MAX_BIGINT <= value < MAX_BIGINT


_layouts: dict[int, Layout] = {}


def layout_of(table: Table) -> Layout:
    """The layout of a table; tables are constants, and each is looked at once."""
    known = _layouts.get(id(table))
    if known is None:
        # It holds the table, so that no other one ever gets its id.
        known = _layouts[id(table)] = Layout(table)
    return known


def check_values(writes: Iterable[Write]) -> None:
    """Raises UnstorableValue, so that one bad row never fails the rows of others."""
    for write in writes:
        layout = layout_of(write.table)
        if isinstance(write, Put):
            layout.check(layout.values(write.values))
        else:
            layout.check_some(write.where)


def _picked(names: tuple[str, ...]) -> Callable[[Mapping[str, object]], tuple[object, ...]]:
    """The values of these names, in order."""
    if len(names) == 1:
        return lambda values: (values[names[0]],)
    return itemgetter(*names)


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
        self._hashes: dict[tuple[str, str], bytes] = {}
        self._compartments: dict[tuple[str, str], DataKey | KeyRefused] = {}
        self._alone: dict[str, Found] = {}

    async def open_for(self, writes: Iterable[Write]) -> None:
        """Have the keys of these rows at hand. Raises KeysAway."""
        if not self._secret:
            self._secret = await self._keys.tenant_secret(self._tenant, BLIND)
        sealed = [w for w in writes if isinstance(w, Put) and w.table.body is not None]
        places = {(w.owner or self._tenant, w.category) for w in sealed if w.key is None}
        alone = {w.key for w in sealed if w.key is not None} - self._alone.keys()
        if alone:
            self._alone.update(await self._keys.by_ids(self._tenant, alone))
        await asyncio.gather(*(self._open(*p) for p in places - self._compartments.keys()))

    async def _open(self, owner: str, category: str) -> None:
        key_class = await self._keys.class_of(self._tenant, BASE_CLASS, category)
        try:
            found = await self._keys.compartment(self._tenant, owner, key_class)
            self._compartments[owner, category] = found
        except KeysAway:
            raise
        except KeyRefused as refusal:
            self._compartments[owner, category] = refusal

    def seal(self, put: Put) -> SealedRow | None:
        """The sealed row, or None when the owner's key is destroyed (the fact is erased).

        Raises what else keeps the owner's key shut.
        """
        table = put.table
        layout = layout_of(table)
        values = list(layout.values(put.values))
        identity = tuple(map(str, values[: layout.key]))
        for at in layout.blind:
            if text := values[at]:
                values[at] = self._hash(layout.names[at], str(text))
            else:
                values[at] = b""
        if table.body is None:
            return SealedRow(table, identity, (self._tenant, *values))
        key = self._key(put)
        if not isinstance(key, DataKey):
            if isinstance(key, KeyDestroyed):
                return None
            raise key
        body = key.seal(codec.encode_document(put.body), _bound(table, self._tenant, identity))
        return SealedRow(table, identity, (self._tenant, *values, key.id, body))

    def _key(self, put: Put) -> DataKey | KeyRefused:
        if put.key is not None:
            return self._alone[put.key]
        return self._compartments[put.owner or self._tenant, put.category]

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
