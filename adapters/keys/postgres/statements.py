"""The tables of a key store in PostgreSQL, and every statement that reads or changes them.

Wrapped bytes lie in a table of their own, in parts: an UPDATE leaves old bytes in their page, and
only writing a part's file anew (VACUUM FULL) takes them out of it. Parts keep that short. There
are no statistics of them: those would hold samples of what was destroyed.
"""

from typing import Final

PARTS: Final = 16

SCHEMA: Final = """
SELECT pg_advisory_xact_lock(hashtext('anamnesis key store'));
CREATE TABLE IF NOT EXISTS key (
    id text PRIMARY KEY,
    tenant text NOT NULL,
    owner text NOT NULL,
    class text NOT NULL,
    epoch int NOT NULL,
    kind text NOT NULL CHECK (kind IN ('tenant', 'compartment', 'item')),
    parent text,
    commitment bytea NOT NULL,
    created_at bigint NOT NULL DEFAULT extract(epoch FROM clock_timestamp())::bigint
);
CREATE UNIQUE INDEX IF NOT EXISTS key_tenant_version
    ON key (tenant, epoch) WHERE kind = 'tenant';
CREATE UNIQUE INDEX IF NOT EXISTS key_compartment_epoch
    ON key (tenant, owner, class, epoch) WHERE kind = 'compartment';
CREATE INDEX IF NOT EXISTS key_parent ON key (parent);
CREATE TABLE IF NOT EXISTS wrapped (
    id text PRIMARY KEY,
    wrapped bytea NOT NULL
) PARTITION BY HASH (id);
ALTER TABLE wrapped ALTER wrapped SET STATISTICS 0;
CREATE TABLE IF NOT EXISTS destroyed (
    id text PRIMARY KEY,
    tenant text NOT NULL,
    ordered text NOT NULL,
    event_id text NOT NULL,
    position bigint NOT NULL,
    destroyed_at bigint NOT NULL DEFAULT extract(epoch FROM clock_timestamp())::bigint,
    signature bytea NOT NULL
);
""" + "".join(
    f"""
CREATE TABLE IF NOT EXISTS wrapped_{part} PARTITION OF wrapped
    FOR VALUES WITH (MODULUS {PARTS}, REMAINDER {part});
ALTER TABLE wrapped_{part} ALTER wrapped SET STORAGE PLAIN, ALTER wrapped SET STATISTICS 0;"""
    for part in range(PARTS)
)

_ROW: Final = """
    key.id, key.tenant, kind, owner, class, epoch, parent, wrapped, commitment,
    EXISTS (SELECT FROM destroyed WHERE destroyed.id = key.id), created_at
"""

SHARED: Final = "SELECT id FROM key WHERE id = ANY ($1::text[]) ORDER BY id FOR SHARE"
"""Nobody destroys these parents until the put below them is committed."""

GONE: Final = "SELECT id FROM destroyed WHERE id = ANY ($1::text[])"

INSERT: Final = """
WITH given AS (
    SELECT * FROM unnest(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::text[],
        $8::bytea[], $9::bytea[]
    ) WITH ORDINALITY
        AS given (id, tenant, kind, owner, class, epoch, parent, wrapped, commitment, place)
), kept AS (
    INSERT INTO key (id, tenant, kind, owner, class, epoch, parent, commitment)
    SELECT id, tenant, kind, owner, class, epoch, parent, commitment FROM given
    ORDER BY tenant, owner, class, epoch, place
    ON CONFLICT DO NOTHING
    RETURNING id
), sealed AS (
    INSERT INTO wrapped (id, wrapped) SELECT id, wrapped FROM given JOIN kept USING (id)
)
SELECT id FROM kept
"""

AT_PLACES: Final = f"""
SELECT {_ROW} FROM key JOIN wrapped USING (id)
WHERE (key.tenant, kind, owner, class, epoch) IN (
    SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::int[])
)
"""

EPOCHS: Final = """
SELECT id FROM key WHERE tenant = $1 AND kind = $2 AND owner = $3 AND class = $4 ORDER BY epoch
"""

LOAD: Final = f"""
WITH RECURSIVE chain (id) AS (
    SELECT unnest($2::text[])
    UNION
    SELECT key.parent FROM chain JOIN key USING (id) WHERE key.parent IS NOT NULL
)
SELECT {_ROW} FROM chain JOIN key USING (id) JOIN wrapped USING (id) WHERE key.tenant = $1
"""

PLACES: Final = f"""
SELECT {_ROW} FROM key JOIN wrapped USING (id)
WHERE key.tenant = $1 AND owner = $2 AND kind = 'compartment' ORDER BY class, epoch
"""

PAGE: Final = f"""
SELECT {_ROW} FROM key JOIN wrapped USING (id)
WHERE key.tenant = $1 AND kind = $2 AND key.id COLLATE "C" > $3
    AND NOT EXISTS (SELECT FROM destroyed WHERE destroyed.id = key.id)
ORDER BY key.id COLLATE "C" LIMIT $4
"""

REWRAP: Final = """
WITH given AS (
    SELECT * FROM unnest($1::text[], $2::bytea[], $3::text[]) AS given (id, wrapped, parent)
), living AS (
    UPDATE key SET parent = given.parent FROM given
    WHERE key.id = given.id AND NOT EXISTS (SELECT FROM destroyed WHERE destroyed.id = key.id)
    RETURNING key.id
)
UPDATE wrapped SET wrapped = given.wrapped FROM given JOIN living USING (id)
WHERE wrapped.id = living.id
"""

TOMBSTONES: Final = """
SELECT id, ordered, tenant, event_id, position, signature FROM destroyed
WHERE tenant = $1 AND id = ANY ($2::text[])
"""

BELOW: Final = """
WITH RECURSIVE below (id) AS (
    SELECT id FROM key WHERE tenant = $1 AND id = $2
    UNION
    SELECT key.id FROM below JOIN key ON key.parent = below.id
)
SELECT id FROM below
"""

LOCK: Final = "SELECT id FROM key WHERE id = ANY ($1::text[]) ORDER BY id FOR UPDATE"

ORDERED: Final = """
INSERT INTO destroyed (id, ordered, tenant, event_id, position, signature)
SELECT id, $2, $3, $4, $5, signature FROM unnest($1::text[], $6::bytea[]) AS given (id, signature)
ON CONFLICT (id) DO UPDATE SET
    ordered = excluded.ordered, event_id = excluded.event_id, position = excluded.position,
    signature = excluded.signature
"""

ZEROED: Final = """
UPDATE wrapped SET wrapped = decode(repeat('00', length(wrapped)), 'hex')
WHERE id = ANY ($1::text[]) RETURNING tableoid::regclass::text AS part
"""

SEEN: Final = """
SELECT
    (SELECT count(*) FROM pg_stat_activity
     WHERE pid <> pg_backend_pid() AND (datname = current_database() OR datname IS NULL)
        AND (greatest(age(backend_xmin), age(backend_xid)) >= age($1::text::xid)
            OR query = '<insufficient privilege>'))
    + (SELECT count(*) FROM pg_replication_slots
       WHERE greatest(age(xmin), age(catalog_xmin)) >= age($1::text::xid))
    + (SELECT count(*) FROM pg_prepared_xacts
       WHERE database = current_database() AND age(transaction) >= age($1::text::xid))
"""
"""Who may still see what was there before transaction $1, or cannot be looked at."""

ALONE: Final = "SELECT pg_try_advisory_lock(hashtext('anamnesis purge'))"
NOT_ALONE: Final = "SELECT pg_advisory_unlock(hashtext('anamnesis purge'))"

CLUSTER: Final = "SELECT system_identifier FROM pg_control_system()"

FILL_KEYS: Final = """
WITH given AS (
    SELECT * FROM unnest(
        $1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::int[], $7::text[],
        $8::bytea[], $9::bigint[], $10::bytea[]
    ) AS given (id, tenant, kind, owner, class, epoch, parent, commitment, created_at, wrapped)
), kept AS (
    INSERT INTO key (id, tenant, kind, owner, class, epoch, parent, commitment, created_at)
    SELECT id, tenant, kind, owner, class, epoch, parent, commitment, created_at FROM given
    ON CONFLICT (id) DO NOTHING
    RETURNING id
)
INSERT INTO wrapped (id, wrapped)
SELECT id, CASE WHEN EXISTS (SELECT FROM destroyed WHERE destroyed.id = given.id)
    THEN decode(repeat('00', length(given.wrapped)), 'hex') ELSE given.wrapped END
FROM given JOIN kept USING (id)
"""

SAME: Final = """
SELECT count(*) FROM unnest($1::text[], $2::bytea[]) AS given (id, commitment)
JOIN key USING (id) WHERE key.commitment = given.commitment
"""

FILL_DESTROYED: Final = """
INSERT INTO destroyed (id, tenant, ordered, event_id, position, destroyed_at, signature)
SELECT * FROM unnest(
    $1::text[], $2::text[], $3::text[], $4::text[], $5::bigint[], $6::bigint[], $7::bytea[]
) AS given (id, tenant, ordered, event_id, position, destroyed_at, signature)
ON CONFLICT DO NOTHING
"""


def count(status: str) -> int:
    """How many rows a statement's status says, such as `UPDATE 3`."""
    return int(status.rpartition(" ")[2])
