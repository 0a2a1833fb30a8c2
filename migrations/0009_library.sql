-- The library eventsourcing reads any tenant's log and writes tool tenants' only (docs/adr/0011).
DO $$
BEGIN
  CREATE ROLE anamnesis_tool NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE LOGIN;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
  NULL;
END
$$;
GRANT USAGE ON SCHEMA public TO anamnesis_tool;

CREATE TABLE tool_tenant (
  tenant text COLLATE "C" PRIMARY KEY REFERENCES log_head
);
COMMENT ON TABLE tool_tenant IS 'tenants without patients, whose logs tools may write';

DO $$
DECLARE
  guarded text;
BEGIN
  ALTER TABLE tool_tenant ENABLE ROW LEVEL SECURITY;
  ALTER TABLE tool_tenant FORCE ROW LEVEL SECURITY;
  CREATE POLICY writer ON tool_tenant TO anamnesis_log_writer USING (true);
  FOREACH guarded IN ARRAY ARRAY['log_head', 'event', 'tool_tenant'] LOOP
    EXECUTE format('CREATE POLICY tool ON %I TO anamnesis_tool
      USING (tenant = current_setting(''anamnesis.tenant'', true))', guarded);
  END LOOP;
END
$$;
GRANT SELECT ON tool_tenant TO anamnesis_log_writer, anamnesis_tool;
-- Who looked at whose record stands in contexts: they stay closed to tools.
GRANT SELECT (tenant, position) ON log_head TO anamnesis_tool;
GRANT SELECT (tenant, position, stream, version, type, header, body) ON event TO anamnesis_tool;

-- tool_append: one command of a tool through log_append; refused for every other tenant.
CREATE FUNCTION tool_append(
  wanted_tenant text, wanted_command bytea, x_stream uuid[], x_version bigint[],
  e_stream uuid[], e_type text[], e_key uuid[], e_header bytea[], e_context bytea[],
  e_salt bytea[], e_body bytea[]
) RETURNS TABLE (status text, first bigint, last bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
  streams int[] := ARRAY[cardinality(x_stream)];
  events int[] := ARRAY[cardinality(e_stream)];
BEGIN
  IF NOT EXISTS (SELECT FROM tool_tenant t WHERE t.tenant = wanted_tenant) THEN
    RAISE EXCEPTION 'only the log of a tool tenant is written by tools'
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN QUERY SELECT a.status, a.first, a.last FROM log_append(
    ARRAY[wanted_tenant], ARRAY[wanted_command], ARRAY[''::bytea], ARRAY[NULL::bytea],
    events, ARRAY[false],
    array_fill(1, streams), array_fill(wanted_tenant, streams), x_stream, x_version,
    '{}', '{}', '{}', '{}', '{}', '{}', '{}', '{}',
    array_fill(1, events), array_fill(wanted_tenant, events), e_stream, e_type, e_key,
    e_header, e_context, e_salt, e_body) AS a;
END
$$;
ALTER FUNCTION tool_append OWNER TO anamnesis_log_writer;
REVOKE ALL ON FUNCTION tool_append FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tool_append TO anamnesis_tool;
