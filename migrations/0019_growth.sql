-- What a log that has grown needs: an append that names its tenant first, and heads to ask for where
-- nobody can listen (docs/adr/0030).

-- log_append_of: commands of one tenant. The same contract as log_append; a cluster that spreads
-- tenants over machines sends the call as a whole to the machine of its first argument.
CREATE FUNCTION log_append_of(
  of_tenant text,
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
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
  IF (of_tenant = ALL (c_tenant)) IS NOT TRUE THEN
    RAISE EXCEPTION 'a command of another tenant' USING ERRCODE = 'invalid_parameter_value';
  END IF;
  RETURN QUERY SELECT a.command, a.status, a.first, a.last, a.fingerprint, a.outcome, a.stream, a.version
    FROM log_append(
      c_tenant, c_id, c_fingerprint, c_outcome, c_events, c_withdraws, x_command, x_tenant, x_stream,
      x_version, l_command, l_tenant, l_stream, l_version, r_command, r_tenant, r_key, r_stream,
      e_command, e_tenant, e_stream, e_type, e_key, e_header, e_context, e_salt, e_body,
      d_command, d_tenant, d_key) AS a;
END
$$;
ALTER FUNCTION log_append_of OWNER TO anamnesis_log_writer;
REVOKE ALL ON FUNCTION log_append_of FROM PUBLIC;
GRANT EXECUTE ON FUNCTION log_append_of TO anamnesis_api, anamnesis_worker, anamnesis_auditor;

-- log_heads, log_reached: how far each log and each read model is; numbers, and no content.
CREATE FUNCTION log_heads() RETURNS TABLE (tenant text, "position" bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT h.tenant, h.position FROM log_head h
$$;
GRANT SELECT ON checkpoint TO anamnesis_log_writer;
CREATE FUNCTION log_reached() RETURNS TABLE (tenant text, projection text, "position" bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT c.tenant, c.projection, c.position FROM checkpoint c
$$;
ALTER FUNCTION log_heads OWNER TO anamnesis_log_writer;
ALTER FUNCTION log_reached OWNER TO anamnesis_log_writer;
REVOKE ALL ON FUNCTION log_heads FROM PUBLIC;
REVOKE ALL ON FUNCTION log_reached FROM PUBLIC;
GRANT EXECUTE ON FUNCTION log_heads, log_reached TO anamnesis_api, anamnesis_projector,
  anamnesis_worker, anamnesis_auditor;
