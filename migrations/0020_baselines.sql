-- log_recall: as before, and of a stream whose state a process has as of a version, the events from
-- that version on (docs/adr/0032). The event of that version is among them: it says whether the
-- state is of this log.
DROP FUNCTION log_recall(text, bytea, bytea[], bool[], uuid[]);
CREATE FUNCTION log_recall(
  wanted_tenant text, wanted_command bytea, wanted_keys bytea[], load_keys bool[],
  wanted_streams uuid[], base_streams uuid[] DEFAULT '{}', base_versions bigint[] DEFAULT '{}'
) RETURNS TABLE (
  tag text, stream uuid, version bigint, "position" bigint, last bigint,
  committed_at timestamptz, key bytea, header bytea, context bytea, body bytea
)
LANGUAGE plpgsql STABLE SECURITY DEFINER
SET search_path = public, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_sort = off
AS $$
#variable_conflict use_column
DECLARE
  loaded uuid[] := wanted_streams;
  reserved record;
  is_known bool;
BEGIN
  RETURN QUERY SELECT 'command', NULL::uuid, NULL::bigint, k.first, k.last, NULL::timestamptz,
    k.fingerprint, NULL::bytea, NULL::bytea, k.outcome
  FROM command k WHERE k.tenant = wanted_tenant AND k.id = wanted_command;
  is_known := FOUND;
  FOR reserved IN
    SELECT w.key, w.load, r.stream FROM unnest(wanted_keys, load_keys) AS w (key, load)
    CROSS JOIN LATERAL (
      SELECT v.stream FROM reservation v WHERE v.tenant = wanted_tenant AND v.key = w.key OFFSET 0
    ) AS r
  LOOP
    RETURN QUERY SELECT 'reservation', reserved.stream, NULL::bigint, NULL::bigint, NULL::bigint,
      NULL::timestamptz, reserved.key, NULL::bytea, NULL::bytea, NULL::bytea;
    IF reserved.load THEN
      loaded := loaded || reserved.stream;
    END IF;
  END LOOP;
  IF is_known OR cardinality(loaded) = 0 THEN
    RETURN;
  END IF;
  RETURN QUERY SELECT 'stream', h.stream, h.version, NULL::bigint, NULL::bigint,
    NULL::timestamptz, NULL::bytea, NULL::bytea, NULL::bytea, NULL::bytea
  FROM unnest(loaded) AS w (stream)
  CROSS JOIN LATERAL (
    SELECT s.stream, s.version FROM stream_head s
    WHERE s.tenant = wanted_tenant AND s.stream = w.stream OFFSET 0
  ) AS h;
  IF FOUND THEN
    RETURN QUERY SELECT 'event', e.stream, e.version, e.position, NULL::bigint, e.committed_at,
      NULL::bytea, e.header, e.context, e.body
    FROM (SELECT DISTINCT u.stream FROM unnest(loaded) AS u (stream)) AS w
    CROSS JOIN LATERAL (
      SELECT coalesce(max(b.version), 0) AS version
      FROM unnest(base_streams, base_versions) AS b (stream, version) WHERE b.stream = w.stream
    ) AS base
    CROSS JOIN LATERAL (
      SELECT v.* FROM event v
      WHERE v.tenant = wanted_tenant AND v.stream = w.stream AND v.version >= base.version
      ORDER BY v.version OFFSET 0
    ) AS e;
  END IF;
END
$$;
ALTER FUNCTION log_recall OWNER TO anamnesis_log_writer;
REVOKE ALL ON FUNCTION log_recall FROM PUBLIC;
GRANT EXECUTE ON FUNCTION log_recall TO anamnesis_api, anamnesis_worker, anamnesis_auditor;
