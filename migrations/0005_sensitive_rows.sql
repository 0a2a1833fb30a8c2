-- Panels know the business object of a row, its sensitive category, what the same fact of another
-- source has in common with it, and which source that was; all but the first as keyed hashes.
-- Whoever acts for a patient under a grant sees no row of a sensitive category.
SET LOCAL ROLE anamnesis_projector;

-- The charts whose sensitive rows are open too: one's own, and those of one's patients.
CREATE FUNCTION model.open_charts_in_full() RETURNS SETOF uuid
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
  RETURN QUERY SELECT r.chart FROM care_relation r
  WHERE r.tenant = here AND r.practitioner = holder.practitioner AND r.since <= now()
    AND (r.until IS NULL OR r.until > now()) AND NOT set_aside(here, 'care', r.chart) AND EXISTS (
      SELECT 1 FROM directory_role d WHERE d.tenant = here
        AND d.practitioner = holder.practitioner AND d.role = 'clinician');
END
$$;
REVOKE ALL ON FUNCTION model.open_charts_in_full() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION model.open_charts_in_full() TO anamnesis_api;

-- A panel's columns beyond its first ones, its index for facts alike, and the wall around its
-- sensitive rows.
CREATE FUNCTION model.deepen_panel(name text) RETURNS void
LANGUAGE plpgsql SET search_path = model, pg_temp AS $$
BEGIN
  EXECUTE format('ALTER TABLE %I ADD COLUMN item uuid, ADD COLUMN label bytea NOT NULL DEFAULT '''',
    ADD COLUMN alike bytea NOT NULL DEFAULT '''', ADD COLUMN source bytea NOT NULL DEFAULT ''''',
    name);
  EXECUTE format('CREATE INDEX ON %I (tenant, chart, alike) WHERE alike <> ''''', name);
  EXECUTE format('CREATE POLICY sensitive ON %I AS RESTRICTIVE FOR SELECT TO anamnesis_api
    USING (label = '''' OR chart IN (SELECT model.open_charts_in_full()))', name);
END
$$;

SELECT model.deepen_panel(name) FROM unnest(ARRAY[
  'registry_chart', 'registry_death', 'care_encounter', 'records_condition', 'records_allergy',
  'records_immunization', 'records_observation', 'records_note', 'results_result',
  'prescriptions_order', 'consent_proxy'
]) AS name;

-- clone_table again: a copy has the restrictive policies, too.
CREATE OR REPLACE FUNCTION model.clone_table(source text, target text) RETURNS void
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
    EXECUTE format('CREATE POLICY %I ON %I AS %s FOR %s TO %s USING (%s)', policy.policyname,
      target, policy.permissive, policy.cmd, array_to_string(policy.roles, ', '), policy.qual);
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
