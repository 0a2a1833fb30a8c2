-- Read models: keys, times and states clear, one sealed body. Each has the second wall: the api
-- role sees, inside its tenant, the charts that the permission read models open to the account
-- named in this transaction. Settings are transaction-local: anamnesis.tenant, anamnesis.account.
SET LOCAL ROLE anamnesis_projector;

-- Whether a read model is set aside for a chart: what it says of the chart may be out of date, so
-- it opens nothing.
CREATE FUNCTION model.set_aside(here text, projection text, about uuid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = public, pg_temp AS $$
  SELECT EXISTS (SELECT 1 FROM dead_letter q
    WHERE q.tenant = here AND q.consumer = projection AND q.chart = about)
$$;
REVOKE ALL ON FUNCTION model.set_aside FROM PUBLIC;

-- The charts open to the account of this transaction, for proxies within a scope. Late-bound on
-- purpose: a rebuild swaps the tables below it. Definer rights: the caller may read the answer, not
-- the tables.
CREATE FUNCTION model.open_charts(scope text) RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = model, pg_temp AS $$
DECLARE
  here text := current_setting('anamnesis.tenant', true);
  who uuid := nullif(current_setting('anamnesis.account', true), '')::uuid;
  holder record;
BEGIN
  SELECT a.person, a.practitioner INTO holder FROM identity_account a
  WHERE a.tenant = here AND a.account = who;
  RETURN QUERY SELECT l.chart FROM registry_link l
  WHERE l.tenant = here AND l.person = holder.person AND NOT set_aside(here, 'registry', l.chart);
  RETURN QUERY SELECT g.chart FROM consent_grant g
  WHERE g.tenant = here AND g.grantee = holder.person AND scope = ANY (g.scopes)
    AND (g.until IS NULL OR g.until > now()) AND NOT set_aside(here, 'consent', g.chart);
  RETURN QUERY SELECT r.chart FROM care_relation r
  WHERE r.tenant = here AND r.practitioner = holder.practitioner AND r.since <= now()
    AND (r.until IS NULL OR r.until > now()) AND NOT set_aside(here, 'care', r.chart) AND EXISTS (
      SELECT 1 FROM directory_role d WHERE d.tenant = here
        AND d.practitioner = holder.practitioner AND d.role = 'clinician');
END
$$;
REVOKE ALL ON FUNCTION model.open_charts(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION model.open_charts(text) TO anamnesis_api;

-- The row policies of a table: by chart within a scope, or by tenant alone where scope is NULL.
CREATE FUNCTION model.guard(name text, scope text) RETURNS void
LANGUAGE plpgsql SET search_path = model, pg_temp AS $$
BEGIN
  EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
  EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
  EXECUTE format('CREATE POLICY projector ON %I TO anamnesis_projector
    USING (tenant = current_setting(''anamnesis.tenant'', true))', name);
  IF scope IS NOT NULL THEN
    EXECUTE format('CREATE POLICY chart ON %I FOR SELECT TO anamnesis_api
      USING (tenant = current_setting(''anamnesis.tenant'', true)
        AND chart IN (SELECT model.open_charts(%L)))', name, scope);
  ELSE
    EXECUTE format('CREATE POLICY tenant ON %I FOR SELECT
      TO anamnesis_api, anamnesis_worker, anamnesis_auditor
      USING (tenant = current_setting(''anamnesis.tenant'', true))', name);
  END IF;
  EXECUTE format('GRANT SELECT ON %I TO anamnesis_api, anamnesis_worker, anamnesis_auditor', name);
END
$$;

CREATE FUNCTION model.create_panel(name text, scope text) RETURNS void
LANGUAGE plpgsql SET search_path = model, pg_temp AS $$
BEGIN
  EXECUTE format('CREATE TABLE %I (
    tenant text COLLATE "C" NOT NULL, chart uuid NOT NULL, id uuid NOT NULL,
    at timestamptz NOT NULL, state text NOT NULL, kind text NOT NULL, "position" bigint NOT NULL,
    key uuid NOT NULL, body bytea NOT NULL, PRIMARY KEY (tenant, chart, id))', name);
  EXECUTE format('CREATE INDEX ON %I (tenant, chart, at DESC, id DESC)', name);
  PERFORM guard(name, scope);
END
$$;

SELECT model.create_panel(name, scope) FROM (VALUES
  ('registry_chart', 'records'), ('registry_death', 'records'), ('care_encounter', 'records'),
  ('records_condition', 'records'), ('records_allergy', 'records'),
  ('records_immunization', 'records'), ('records_observation', 'records'),
  ('records_note', 'records'), ('results_result', 'results'),
  ('prescriptions_order', 'prescriptions'), ('consent_proxy', 'records')
) AS panels (name, scope);

CREATE TABLE model.registry_link (
  tenant text COLLATE "C" NOT NULL, person uuid NOT NULL, chart uuid NOT NULL,
  PRIMARY KEY (tenant, person, chart)
);
CREATE TABLE model.directory_entry (
  tenant text COLLATE "C" NOT NULL, id uuid NOT NULL, kind text NOT NULL,
  key uuid NOT NULL, body bytea NOT NULL, PRIMARY KEY (tenant, id)
);
CREATE TABLE model.directory_stream (
  tenant text COLLATE "C" NOT NULL, id uuid NOT NULL, version bigint NOT NULL,
  PRIMARY KEY (tenant, id)
);
CREATE TABLE model.directory_role (
  tenant text COLLATE "C" NOT NULL, practitioner uuid NOT NULL, role text NOT NULL,
  PRIMARY KEY (tenant, practitioner, role)
);
CREATE TABLE model.identity_account (
  tenant text COLLATE "C" NOT NULL, account uuid NOT NULL, person uuid, practitioner uuid,
  version bigint NOT NULL, key uuid NOT NULL, body bytea NOT NULL, PRIMARY KEY (tenant, account)
);
CREATE TABLE model.consent_grant (
  tenant text COLLATE "C" NOT NULL, chart uuid NOT NULL, stream uuid NOT NULL,
  grantee uuid NOT NULL, kind text NOT NULL, scopes text[] NOT NULL, until timestamptz,
  version bigint NOT NULL, PRIMARY KEY (tenant, chart, stream)
);
CREATE INDEX ON model.consent_grant (tenant, grantee);
CREATE TABLE model.care_relation (
  tenant text COLLATE "C" NOT NULL, chart uuid NOT NULL, practitioner uuid NOT NULL,
  reference uuid NOT NULL, since timestamptz NOT NULL, until timestamptz,
  PRIMARY KEY (tenant, chart, practitioner, reference)
);
CREATE INDEX ON model.care_relation (tenant, practitioner, chart);
CREATE TABLE model.audit_trail (
  tenant text COLLATE "C" NOT NULL, "position" bigint NOT NULL, chart uuid,
  actor text NOT NULL, type text COLLATE "C" NOT NULL, stream uuid NOT NULL,
  at timestamptz NOT NULL, PRIMARY KEY (tenant, "position")
);
CREATE INDEX ON model.audit_trail (tenant, chart, "position") WHERE chart IS NOT NULL;
CREATE INDEX ON model.audit_trail (tenant, actor, "position");
CREATE INDEX ON model.audit_trail (tenant, at);
SELECT model.guard(name, NULL) FROM unnest(ARRAY[
  'registry_link', 'directory_entry', 'directory_stream', 'directory_role', 'identity_account',
  'consent_grant', 'care_relation', 'audit_trail']) AS name;

-- The permissions of an account about one chart (or all of its charts when NULL), as JSON, with
-- how far the permission read models are (position), how far they must be (needed), the log's
-- head, and the projections that are quarantined for the chart.
CREATE FUNCTION model.authority(here text, who uuid, about uuid) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = model, public, pg_temp AS $$
DECLARE
  holder record;
  progress record;
BEGIN
  PERFORM set_config('anamnesis.tenant', here, true);
  -- First how far the read models are: what is read after it is at least as new.
  SELECT h.access_position AS needed, (SELECT coalesce(min(c.position), 0) FROM checkpoint c
    WHERE c.tenant = here
      AND c.projection IN ('registry', 'directory', 'identity', 'consent', 'care')) AS reached
  INTO progress FROM log_head h WHERE h.tenant = here;
  SELECT a.person, a.practitioner, a.version INTO holder FROM identity_account a
  WHERE a.tenant = here AND a.account = who;
  RETURN json_build_object(
    'person', holder.person,
    'practitioner', holder.practitioner,
    'version', coalesce(holder.version, 0),
    'own', (SELECT coalesce(json_agg(l.chart), '[]') FROM registry_link l
      WHERE l.tenant = here AND l.person = holder.person
        AND NOT set_aside(here, 'registry', l.chart)),
    'grants', (SELECT coalesce(json_agg(json_build_object('chart', g.chart, 'scopes', g.scopes,
        'stream', g.stream, 'version', g.version, 'until', g.until)), '[]')
      FROM consent_grant g WHERE g.tenant = here AND g.grantee = holder.person
        AND (about IS NULL OR g.chart = about) AND NOT set_aside(here, 'consent', g.chart)),
    'relations', (SELECT coalesce(json_agg(json_build_object('chart', r.chart,
        'reference', r.reference, 'since', r.since, 'until', r.until)), '[]')
      FROM care_relation r WHERE r.tenant = here AND r.practitioner = holder.practitioner
        AND (about IS NULL OR r.chart = about) AND NOT set_aside(here, 'care', r.chart)),
    'roles', (SELECT coalesce(json_agg(json_build_object('role', d.role, 'stream', d.practitioner,
        'version', s.version)), '[]')
      FROM directory_role d JOIN directory_stream s
        ON s.tenant = d.tenant AND s.id = d.practitioner
      WHERE d.tenant = here AND d.practitioner = holder.practitioner),
    'position', coalesce(progress.reached, 0),
    'needed', progress.needed,
    'quarantined', (SELECT coalesce(json_agg(DISTINCT q.consumer), '[]') FROM dead_letter q
      WHERE q.tenant = here AND q.chart = about)
  )::text;
END
$$;
REVOKE ALL ON FUNCTION model.authority FROM PUBLIC;
GRANT EXECUTE ON FUNCTION model.authority TO anamnesis_api, anamnesis_worker, anamnesis_auditor;

-- An empty table beside the old one, with its indexes, policies and grants, for a rebuild.
CREATE FUNCTION model.clone_table(source text, target text) RETURNS void
LANGUAGE plpgsql SET search_path = model, pg_temp AS $$
DECLARE
  policy record;
  granted record;
BEGIN
  EXECUTE format('DROP TABLE IF EXISTS %I', target);
  EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL)', target, source);
  EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', target);
  EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', target);
  FOR policy IN SELECT * FROM pg_policies WHERE schemaname = 'model' AND tablename = source LOOP
    EXECUTE format('CREATE POLICY %I ON %I FOR %s TO %s USING (%s)', policy.policyname, target,
      policy.cmd, array_to_string(policy.roles, ', '), policy.qual);
  END LOOP;
  FOR granted IN
    SELECT grantee, privilege_type FROM information_schema.role_table_grants
    WHERE table_schema = 'model' AND table_name = source AND grantee <> 'anamnesis_projector'
  LOOP
    EXECUTE format('GRANT %s ON %I TO %I', granted.privilege_type, target, granted.grantee);
  END LOOP;
END
$$;
RESET ROLE;
