-- Links, merges, reviews, matches, deaths and periods of roles, and what follows from them for who
-- may see what (docs/adr/0015). Both walls read the same functions, so that they agree.
SET LOCAL ROLE anamnesis_projector;

CREATE TABLE model.registry_stream (
  tenant text COLLATE "C" NOT NULL, chart uuid NOT NULL, version bigint NOT NULL,
  PRIMARY KEY (tenant, chart)
);
CREATE TABLE model.registry_person (
  tenant text COLLATE "C" NOT NULL, person uuid NOT NULL, version bigint NOT NULL,
  PRIMARY KEY (tenant, person)
);
CREATE TABLE model.registry_merge (
  tenant text COLLATE "C" NOT NULL, chart uuid NOT NULL, survivor uuid NOT NULL,
  PRIMARY KEY (tenant, chart)
);
CREATE INDEX ON model.registry_merge (tenant, survivor);
CREATE TABLE model.registry_review (
  tenant text COLLATE "C" NOT NULL, chart uuid NOT NULL, since timestamptz NOT NULL,
  PRIMARY KEY (tenant, chart)
);
CREATE TABLE model.registry_token (
  tenant text COLLATE "C" NOT NULL, token bytea NOT NULL, chart uuid NOT NULL,
  PRIMARY KEY (tenant, token, chart)
);
CREATE INDEX ON model.registry_token (tenant, chart);
CREATE TABLE model.registry_match (
  tenant text COLLATE "C" NOT NULL, id uuid NOT NULL, first uuid NOT NULL, second uuid NOT NULL,
  "position" bigint NOT NULL, version bigint NOT NULL, key uuid NOT NULL, body bytea NOT NULL,
  PRIMARY KEY (tenant, id)
);
CREATE INDEX ON model.registry_match (tenant, "position" DESC);
CREATE INDEX ON model.registry_match (tenant, first);
CREATE INDEX ON model.registry_match (tenant, second);
CREATE INDEX ON model.registry_link (tenant, chart);
ALTER TABLE model.directory_role ADD COLUMN since timestamptz, ADD COLUMN until timestamptz;
SELECT model.guard(name, NULL) FROM unnest(ARRAY[
  'registry_stream', 'registry_person', 'registry_merge', 'registry_review', 'registry_token',
  'registry_match'
]) AS name;

-- Whether the holder of an account has a role now.
CREATE FUNCTION model.holds(here text, holder uuid, wanted text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = model, pg_temp AS $$
  SELECT EXISTS (SELECT 1 FROM directory_role d
    WHERE d.tenant = here AND d.practitioner = holder AND d.role = wanted
      AND (d.since IS NULL OR d.since <= now()) AND (d.until IS NULL OR d.until > now()))
$$;

-- The policy at death, as data: the kinds of grants that pass on; all others end.
CREATE FUNCTION model.passes_at_death(kind text) RETURNS boolean
LANGUAGE sql IMMUTABLE AS $$ SELECT kind IN ('legal-representative') $$;

-- Whether a death is reported in any chart of the person of this chart.
CREATE FUNCTION model.deceased(here text, about uuid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = model, pg_temp AS $$
  SELECT EXISTS (SELECT 1 FROM registry_death d WHERE d.tenant = here AND d.chart = about)
    OR EXISTS (SELECT 1 FROM registry_link l
      JOIN registry_link o ON o.tenant = l.tenant AND o.person = l.person
      JOIN registry_death d ON d.tenant = o.tenant AND d.chart = o.chart
      WHERE l.tenant = here AND l.chart = about)
$$;

-- Whether grants of this kind in this chart are in force: no review is due, what the registry says
-- of the chart is known, and the patient lives or the kind passes on.
CREATE FUNCTION model.grants_stand(here text, about uuid, kind text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = model, pg_temp AS $$
  SELECT NOT set_aside(here, 'consent', about) AND NOT set_aside(here, 'registry', about)
    AND NOT EXISTS (SELECT 1 FROM registry_review r WHERE r.tenant = here AND r.chart = about)
    AND (passes_at_death(kind) OR NOT deceased(here, about))
$$;

-- These charts and all that are one patient's with one of them by merges, up and down.
CREATE FUNCTION model.with_merged(here text, about uuid[]) RETURNS SETOF uuid
LANGUAGE sql STABLE SET search_path = model, pg_temp AS $$
  WITH RECURSIVE kin (chart) AS (
    SELECT unnest(about)
    UNION
    SELECT CASE WHEN m.chart = k.chart THEN m.survivor ELSE m.chart END
    FROM kin k JOIN registry_merge m ON m.tenant = here
      AND (m.chart = k.chart OR m.survivor = k.chart)
  )
  SELECT chart FROM kin
$$;

-- The treating relationships of a practitioner by chart; one with a chart of a merge covers the
-- others. Charts that are set aside are left out at once, not looked up one by one.
CREATE FUNCTION model.treated(here text, who uuid) RETURNS TABLE (
  chart uuid, reference uuid, version bigint, since timestamptz, until timestamptz)
LANGUAGE plpgsql STABLE SET search_path = model, public, pg_temp AS $$
#variable_conflict use_column
DECLARE
  aside uuid[] := (SELECT coalesce(array_agg(q.chart), '{}') FROM dead_letter q
    WHERE q.tenant = here AND q.consumer = 'care' AND q.chart IS NOT NULL);
BEGIN
  RETURN QUERY SELECT r.chart, r.reference, r.version, r.since, r.until FROM care_relation r
  WHERE r.tenant = here AND r.practitioner = who AND r.chart <> ALL (aside);
  IF EXISTS (SELECT 1 FROM registry_merge m WHERE m.tenant = here) THEN
    RETURN QUERY SELECT DISTINCT k.chart, r.reference, r.version, r.since, r.until
    FROM care_relation r
    CROSS JOIN LATERAL with_merged(here, ARRAY[r.chart]) AS k (chart)
    WHERE r.tenant = here AND r.practitioner = who AND r.chart <> ALL (aside)
      AND k.chart <> r.chart AND r.chart IN (
        SELECT m.chart FROM registry_merge m WHERE m.tenant = here
        UNION ALL SELECT m.survivor FROM registry_merge m WHERE m.tenant = here);
  END IF;
END
$$;

CREATE OR REPLACE FUNCTION model.open_charts(scope text) RETURNS SETOF uuid
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
    AND (g.until IS NULL OR g.until > now()) AND grants_stand(here, g.chart, g.kind);
  IF holds(here, holder.practitioner, 'clinician') THEN
    RETURN QUERY SELECT t.chart FROM treated(here, holder.practitioner) t
    WHERE t.since <= now() AND (t.until IS NULL OR t.until > now());
  END IF;
END
$$;

CREATE OR REPLACE FUNCTION model.open_charts_in_full() RETURNS SETOF uuid
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
  IF holds(here, holder.practitioner, 'clinician') THEN
    RETURN QUERY SELECT t.chart FROM treated(here, holder.practitioner) t
    WHERE t.since <= now() AND (t.until IS NULL OR t.until > now());
  END IF;
END
$$;

-- The charts whose demographics are open to whoever keeps the registry: those of open proposals.
CREATE FUNCTION model.charts_at_desk() RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = model, pg_temp AS $$
DECLARE
  here text := current_setting('anamnesis.tenant', true);
  who uuid := nullif(current_setting('anamnesis.account', true), '')::uuid;
BEGIN
  IF EXISTS (SELECT 1 FROM identity_account a WHERE a.tenant = here AND a.account = who
      AND holds(here, a.practitioner, 'health-information')) THEN
    RETURN QUERY SELECT m.first FROM registry_match m WHERE m.tenant = here
      UNION SELECT m.second FROM registry_match m WHERE m.tenant = here;
  END IF;
END
$$;
REVOKE ALL ON FUNCTION model.charts_at_desk() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION model.charts_at_desk() TO anamnesis_api;
CREATE POLICY desk ON model.registry_chart FOR SELECT TO anamnesis_api
  USING (tenant = current_setting('anamnesis.tenant', true)
    AND chart IN (SELECT model.charts_at_desk()));
-- Proposals themselves are for that desk, too: whom they concern is nobody else's business.
CREATE POLICY desk ON model.registry_match AS RESTRICTIVE FOR SELECT TO anamnesis_api
  USING (first IN (SELECT model.charts_at_desk()));

-- The permissions of an account about one chart, or about all of its charts. The plan is kept and
-- pinned to index probes: a custom plan took two thirds of each call, a kept one of small tables
-- would read all their rows. What is set aside is told for each chart that the answer is about, so
-- that the answer about all charts serves for any one of them.
CREATE OR REPLACE FUNCTION model.authority(here text, who uuid, about uuid) RETURNS text
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = model, public, pg_temp
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
DECLARE
  holder record;
  progress record;
  kin uuid[];
  mine uuid[];
BEGIN
  PERFORM set_config('anamnesis.tenant', here, true);
  -- First how far the read models are: what is read after it is at least as new.
  SELECT h.access_position AS needed, (SELECT coalesce(min(c.position), 0) FROM checkpoint c
    WHERE c.tenant = here
      AND c.projection IN ('registry', 'directory', 'identity', 'consent', 'care')) AS reached
  INTO progress FROM log_head h WHERE h.tenant = here;
  SELECT a.person, a.practitioner, a.version INTO holder FROM identity_account a
  WHERE a.tenant = here AND a.account = who;
  -- The survivor of a merge first.
  SELECT array_agg(k.chart ORDER BY m.chart IS NOT NULL, k.chart) INTO kin
  FROM with_merged(here, ARRAY[about]) AS k (chart)
  LEFT JOIN registry_merge m ON m.tenant = here AND m.chart = k.chart
  WHERE k.chart IS NOT NULL;
  SELECT coalesce(array_agg(l.chart), '{}') INTO mine FROM registry_link l
  WHERE l.tenant = here AND l.person = holder.person AND NOT set_aside(here, 'registry', l.chart);
  RETURN json_build_object(
    'person', holder.person,
    'person_version', (SELECT p.version FROM registry_person p
      WHERE p.tenant = here AND p.person = holder.person),
    'practitioner', holder.practitioner,
    'version', coalesce(holder.version, 0),
    'own', mine,
    'grants', (SELECT coalesce(json_agg(json_build_object('chart', g.chart, 'scopes', g.scopes,
        'stream', g.stream, 'version', g.version, 'until', g.until, 'chart_version', (
          SELECT s.version FROM registry_stream s WHERE s.tenant = here AND s.chart = g.chart)
        )), '[]')
      FROM consent_grant g WHERE g.tenant = here AND g.grantee = holder.person
        AND (about IS NULL OR g.chart = about) AND grants_stand(here, g.chart, g.kind)),
    'relations', (SELECT coalesce(json_agg(json_build_object('chart', t.chart,
        'reference', t.reference, 'version', t.version, 'since', t.since,
        'until', t.until)), '[]')
      FROM treated(here, holder.practitioner) t WHERE about IS NULL OR t.chart = about),
    'roles', (SELECT coalesce(json_agg(json_build_object('role', d.role, 'stream', d.practitioner,
        'version', s.version)), '[]')
      FROM directory_role d JOIN directory_stream s
        ON s.tenant = d.tenant AND s.id = d.practitioner
      WHERE d.tenant = here AND d.practitioner = holder.practitioner
        AND (d.since IS NULL OR d.since <= now()) AND (d.until IS NULL OR d.until > now())),
    'kin', coalesce(kin, '{}'),
    'merged', (SELECT coalesce(json_agg(m.chart), '[]') FROM registry_merge m
      WHERE m.tenant = here AND (m.chart = ANY (mine || kin)
        OR m.chart IN (SELECT t.chart FROM treated(here, holder.practitioner) t))),
    'deceased', about IS NOT NULL AND deceased(here, about),
    'position', coalesce(progress.reached, 0),
    'needed', progress.needed,
    'quarantined', (SELECT coalesce(json_agg(json_build_object('chart', q.chart,
        'projection', q.consumer)), '[]')
      FROM (SELECT DISTINCT d.chart, d.consumer FROM dead_letter d
        WHERE d.tenant = here AND (d.chart = about OR d.chart = ANY (kin) OR about IS NULL
          AND d.chart IN (
            SELECT l.chart FROM registry_link l
              WHERE l.tenant = here AND l.person = holder.person
            UNION ALL SELECT g.chart FROM consent_grant g
              WHERE g.tenant = here AND g.grantee = holder.person
            UNION ALL SELECT r.chart FROM care_relation r
              WHERE r.tenant = here AND r.practitioner = holder.practitioner))) q)
  )::text;
END
$$;

REVOKE ALL ON FUNCTION model.holds, model.deceased, model.grants_stand, model.with_merged,
  model.treated FROM PUBLIC;
RESET ROLE;
