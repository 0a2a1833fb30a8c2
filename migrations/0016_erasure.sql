-- log_append once more: what an erasure destroys is noted in the transaction of its tombstone, under
-- the lock of the head, so that nothing is sealed with it afterwards (docs/adr/0023).
--   d: keys that are destroyed by the command; e_key: the compartment that an event's key lies in
DROP FUNCTION log_append(text[], bytea[], bytea[], bytea[], int[], bool[], int[], text[], uuid[], bigint[], int[],
  text[], uuid[], bigint[], int[], text[], bytea[], uuid[], int[], text[], uuid[], text[], uuid[],
  bytea[], bytea[], bytea[], bytea[]);
CREATE FUNCTION log_append(
  c_tenant text[], c_id bytea[], c_fingerprint bytea[], c_outcome bytea[],
  c_events int[], c_withdraws bool[],
  x_command int[], x_tenant text[], x_stream uuid[], x_version bigint[],
  l_command int[], l_tenant text[], l_stream uuid[], l_version bigint[],
  r_command int[], r_tenant text[], r_key bytea[], r_stream uuid[],
  e_command int[], e_tenant text[], e_stream uuid[], e_type text[], e_key uuid[],
  e_header bytea[], e_context bytea[], e_salt bytea[], e_body bytea[],
  d_command int[] DEFAULT '{}', d_tenant text[] DEFAULT '{}', d_key uuid[] DEFAULT '{}'
) RETURNS TABLE (
  command int, status text, first bigint, last bigint, fingerprint bytea, outcome bytea,
  stream uuid, version bigint
)
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
#variable_conflict use_column
DECLARE
  accepted bool[] := array_fill(true, ARRAY[cardinality(c_id)]);
  clock timestamptz;
  wrong record;
  head record;
  tenants text[];
  leaves bytea[];
  next int := 1;
  nodes bytea[];
  node bytea;
  depth int;
  size bigint;
  notice text := '';
BEGIN
  PERFORM 1 FROM log_head h WHERE h.tenant = ANY (c_tenant) ORDER BY h.tenant FOR UPDATE;

  FOR wrong IN
    SELECT u.place::int AS place, k.first, k.last, k.fingerprint, k.outcome
    FROM unnest(c_tenant, c_id) WITH ORDINALITY AS u (tenant, id, place)
    JOIN command k ON k.tenant = u.tenant AND k.id = u.id
  LOOP
    accepted[wrong.place] := false;
    RETURN QUERY SELECT wrong.place, 'known', wrong.first, wrong.last, wrong.fingerprint,
      wrong.outcome, NULL::uuid, NULL::bigint;
  END LOOP;
  FOR wrong IN
    SELECT x.command, x.stream, coalesce(h.version, 0) AS version
    FROM unnest(x_command, x_tenant, x_stream, x_version) AS x (command, tenant, stream, version)
    LEFT JOIN stream_head h ON h.tenant = x.tenant AND h.stream = x.stream
    WHERE x.version IS NOT NULL AND coalesce(h.version, 0) <> x.version
  LOOP
    IF accepted[wrong.command] THEN
      accepted[wrong.command] := false;
      RETURN QUERY SELECT wrong.command, 'version', NULL::bigint, NULL::bigint, NULL::bytea,
        NULL::bytea, wrong.stream, wrong.version;
    END IF;
  END LOOP;
  IF cardinality(l_command) > 0 THEN
    FOR wrong IN
      SELECT l.command, l.stream, coalesce(h.version, 0) AS version
      FROM unnest(l_command, l_tenant, l_stream, l_version) AS l (command, tenant, stream, version)
      LEFT JOIN stream_head h ON h.tenant = l.tenant AND h.stream = l.stream
      WHERE coalesce(h.version, 0) <> l.version
    LOOP
      IF accepted[wrong.command] THEN
        accepted[wrong.command] := false;
        RETURN QUERY SELECT wrong.command, 'relied', NULL::bigint, NULL::bigint, NULL::bytea,
          NULL::bytea, wrong.stream, wrong.version;
      END IF;
    END LOOP;
  END IF;
  IF cardinality(r_command) > 0 THEN
    FOR wrong IN
      SELECT r.command, v.stream
      FROM unnest(r_command, r_tenant, r_key) AS r (command, tenant, key)
      JOIN reservation v ON v.tenant = r.tenant AND v.key = r.key
    LOOP
      IF accepted[wrong.command] THEN
        accepted[wrong.command] := false;
        RETURN QUERY SELECT wrong.command, 'reservation', NULL::bigint, NULL::bigint, NULL::bytea,
          NULL::bytea, wrong.stream, NULL::bigint;
      END IF;
    END LOOP;
  END IF;
  FOR wrong IN
    SELECT e.command FROM unnest(e_command, e_tenant, e_key) AS e (command, tenant, key)
    CROSS JOIN LATERAL (
      SELECT FROM destroyed_key v WHERE v.tenant = e.tenant AND v.key = e.key OFFSET 0
    ) AS d
  LOOP
    IF accepted[wrong.command] THEN
      accepted[wrong.command] := false;
      RETURN QUERY SELECT wrong.command, 'destroyed-key', NULL::bigint, NULL::bigint, NULL::bytea,
        NULL::bytea, NULL::uuid, NULL::bigint;
    END IF;
  END LOOP;

  clock := clock_timestamp();
  WITH written AS (
    INSERT INTO event (tenant, position, stream, version, type, committed_at, header, context,
      salt, body, leaf)
    SELECT p.tenant, p.position, p.stream, p.version, p.type, p.instant, p.header, p.context,
      p.salt, p.body, sha256('\x00'::bytea || int8send(p.position) || int8send(p.version)
        || int8send((extract(epoch FROM p.instant) * 1000000)::bigint)
        || sha256(p.header) || sha256(p.salt || p.context) || sha256(p.body))
    FROM (
      SELECT e.tenant, e.stream, e.type, e.header, e.context, e.salt, e.body,
        greatest(clock, h.committed_at) AS instant,
        h.position + row_number() OVER (PARTITION BY e.tenant ORDER BY e.place) AS position,
        coalesce(s.version, 0)
          + row_number() OVER (PARTITION BY e.tenant, e.stream ORDER BY e.place) AS version
      FROM unnest(e_command, e_tenant, e_stream, e_type, e_header, e_context, e_salt, e_body)
        WITH ORDINALITY
        AS e (command, tenant, stream, type, header, context, salt, body, place)
      JOIN log_head h ON h.tenant = e.tenant
      LEFT JOIN stream_head s ON s.tenant = e.tenant AND s.stream = e.stream
      WHERE accepted[e.command]
    ) AS p
    RETURNING event.tenant, event.position, event.stream, event.version, event.leaf
  ), moved AS (
    INSERT INTO stream_head AS s (tenant, stream, version)
    SELECT w.tenant, w.stream, max(w.version) FROM written w GROUP BY w.tenant, w.stream
    ON CONFLICT (tenant, stream) DO UPDATE SET version = excluded.version
  )
  SELECT array_agg(w.tenant ORDER BY w.tenant, w.position),
    array_agg(w.leaf ORDER BY w.tenant, w.position)
  INTO tenants, leaves FROM written w;

  RETURN QUERY
  WITH ranges AS (
    SELECT c.place::int AS place, c.tenant, c.id, c.fingerprint, c.outcome,
      CASE WHEN c.events > 0 THEN h.position + sum(c.events) OVER earlier - c.events + 1 END
        ::bigint AS first,
      CASE WHEN c.events > 0 THEN h.position + sum(c.events) OVER earlier END::bigint AS last
    FROM unnest(c_tenant, c_id, c_fingerprint, c_outcome, c_events) WITH ORDINALITY
      AS c (tenant, id, fingerprint, outcome, events, place)
    JOIN log_head h ON h.tenant = c.tenant
    WHERE accepted[c.place::int]
    WINDOW earlier AS (PARTITION BY c.tenant ORDER BY c.place)
  ), noted AS (
    INSERT INTO command (tenant, id, fingerprint, first, last, outcome)
    SELECT r.tenant, r.id, r.fingerprint, r.first, r.last, r.outcome FROM ranges r
  )
  SELECT r.place, 'appended', r.first, r.last, NULL::bytea, NULL::bytea, NULL::uuid, NULL::bigint
  FROM ranges r;

  IF cardinality(r_command) > 0 THEN
    INSERT INTO reservation (tenant, key, stream)
    SELECT r.tenant, r.key, r.stream
    FROM unnest(r_command, r_tenant, r_key, r_stream) AS r (command, tenant, key, stream)
    WHERE accepted[r.command];
  END IF;

  IF cardinality(d_command) > 0 THEN
    -- The head has not moved yet: the tombstone is the last event of its command.
    INSERT INTO destroyed_key (tenant, key, position)
    SELECT d.tenant, d.key, k.last
    FROM unnest(d_command, d_tenant, d_key) AS d (command, tenant, key)
    JOIN unnest(c_tenant, c_id) WITH ORDINALITY AS c (tenant, id, place) ON c.place = d.command
    JOIN command k ON k.tenant = c.tenant AND k.id = c.id
    WHERE accepted[d.command]
    ON CONFLICT DO NOTHING;
    PERFORM pg_notify('anamnesis_keys', '');
  END IF;

  WHILE next <= cardinality(leaves) LOOP
    SELECT h.tenant, h.position, h.frontier, h.committed_at INTO head
    FROM log_head h WHERE h.tenant = tenants[next];
    nodes := head.frontier;
    depth := cardinality(nodes);
    size := head.position;
    WHILE next <= cardinality(leaves) AND tenants[next] = head.tenant LOOP
      node := leaves[next];
      next := next + 1;
      WHILE size & 1 = 1 LOOP
        node := sha256('\x01'::bytea || nodes[depth] || node);
        depth := depth - 1;
        size := size >> 1;
      END LOOP;
      depth := depth + 1;
      nodes[depth] := node;
      head.position := head.position + 1;
      size := head.position;
    END LOOP;
    UPDATE log_head h SET position = head.position, frontier = nodes[1:depth],
      committed_at = greatest(clock, h.committed_at),
      access_position = CASE WHEN EXISTS (
        SELECT 1 FROM unnest(c_tenant, c_withdraws) WITH ORDINALITY AS c (tenant, takes, place)
        WHERE c.tenant = head.tenant AND c.takes AND accepted[c.place::int]
      ) THEN head.position ELSE h.access_position END
    WHERE h.tenant = head.tenant;
    notice := notice || head.tenant || ' ' || head.position || chr(10);
  END LOOP;
  IF notice <> '' THEN
    PERFORM pg_notify('anamnesis_log', CASE WHEN length(notice) < 7000 THEN notice ELSE '' END);
  END IF;
END
$$;
ALTER FUNCTION log_append OWNER TO anamnesis_log_writer;
REVOKE ALL ON FUNCTION log_append FROM PUBLIC;
GRANT EXECUTE ON FUNCTION log_append TO anamnesis_api, anamnesis_worker, anamnesis_auditor;
GRANT INSERT ON destroyed_key TO anamnesis_log_writer;

-- log_forget: the reservations of erased streams, so that no keyed hash of a name or number stays,
-- and the commands that wrote the erased events: what they were answered is not true any more.
-- Refused without the tombstone that orders it.
CREATE FUNCTION log_forget(
  erased_tenant text, tombstone bigint, streams uuid[], keys bytea[], commands bytea[]
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  gone bigint;
BEGIN
  PERFORM FROM event e WHERE e.tenant = erased_tenant AND e.position = tombstone
    AND e.type = 'audit.chart-erased';
  IF NOT FOUND THEN
    RAISE EXCEPTION 'no erasure at this position' USING ERRCODE = 'insufficient_privilege';
  END IF;
  DELETE FROM command c WHERE c.tenant = erased_tenant AND c.id = ANY (commands);
  DELETE FROM reservation r WHERE r.tenant = erased_tenant
    AND (r.stream = ANY (streams) OR r.key = ANY (keys));
  GET DIAGNOSTICS gone = ROW_COUNT;
  RETURN gone;
END
$$;
ALTER FUNCTION log_forget OWNER TO anamnesis_log_writer;
REVOKE ALL ON FUNCTION log_forget FROM PUBLIC;
GRANT EXECUTE ON FUNCTION log_forget TO anamnesis_worker;
GRANT DELETE ON reservation, command TO anamnesis_log_writer;

-- log_erasures: how far each tenant's erasures go; one look tells a process whether there are new.
CREATE INDEX destroyed_key_by_position ON destroyed_key (tenant, position);
CREATE FUNCTION log_erasures() RETURNS TABLE (tenant text, upto bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT h.tenant, last.position FROM log_head h
  CROSS JOIN LATERAL (
    SELECT d.position FROM destroyed_key d WHERE d.tenant = h.tenant ORDER BY d.position DESC LIMIT 1
  ) AS last
$$;
ALTER FUNCTION log_erasures OWNER TO anamnesis_log_writer;
REVOKE ALL ON FUNCTION log_erasures FROM PUBLIC;
GRANT EXECUTE ON FUNCTION log_erasures TO anamnesis_api, anamnesis_projector, anamnesis_worker,
  anamnesis_auditor;
