-- The walls and the permissions again, with the same answers and less work. Functions below them
-- run only for who can have what they look for, and what is set aside is looked up in place: a
-- function with settings of its own is entered anew for each row.
SET LOCAL ROLE anamnesis_projector;

CREATE OR REPLACE FUNCTION model.open_charts_in_full() RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = model, public, pg_temp AS $$
DECLARE
  here text := current_setting('anamnesis.tenant', true);
  who uuid := nullif(current_setting('anamnesis.account', true), '')::uuid;
  holder record;
BEGIN
  SELECT a.person, a.practitioner INTO holder FROM identity_account a
  WHERE a.tenant = here AND a.account = who;
  IF holder.person IS NOT NULL THEN
    RETURN QUERY SELECT l.chart FROM registry_link l
    WHERE l.tenant = here AND l.person = holder.person AND NOT EXISTS (SELECT FROM dead_letter q
      WHERE q.tenant = here AND q.consumer = 'registry' AND q.chart = l.chart);
  END IF;
  IF holder.practitioner IS NOT NULL AND holds(here, holder.practitioner, 'clinician') THEN
    RETURN QUERY SELECT t.chart FROM treated(here, holder.practitioner) t
    WHERE t.since <= now() AND (t.until IS NULL OR t.until > now());
  END IF;
END
$$;

-- Those, and what a grant opens within a scope.
CREATE OR REPLACE FUNCTION model.open_charts(scope text) RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = model, pg_temp AS $$
DECLARE
  here text := current_setting('anamnesis.tenant', true);
  who uuid := nullif(current_setting('anamnesis.account', true), '')::uuid;
BEGIN
  RETURN QUERY SELECT open_charts_in_full();
  RETURN QUERY SELECT g.chart
  FROM identity_account a JOIN consent_grant g ON g.tenant = here AND g.grantee = a.person
  WHERE a.tenant = here AND a.account = who AND scope = ANY (g.scopes)
    AND (g.until IS NULL OR g.until > now()) AND grants_stand(here, g.chart, g.kind);
END
$$;

-- The answer about all charts has as kin those of one's own charts, so that whoever reads their own
-- record is asked about once.
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
  mine uuid[] := '{}';
  grants json := '[]';
  relations json := '[]';
  roles json := '[]';
  patients uuid[] := '{}';
BEGIN
  PERFORM set_config('anamnesis.tenant', here, true);
  -- First how far the read models are: what is read after it is at least as new.
  SELECT h.access_position AS needed, (SELECT coalesce(min(c.position), 0) FROM checkpoint c
    WHERE c.tenant = here
      AND c.projection IN ('registry', 'directory', 'identity', 'consent', 'care')) AS reached
  INTO progress FROM log_head h WHERE h.tenant = here;
  SELECT a.person, a.practitioner, a.version, p.version AS person_version INTO holder
  FROM identity_account a
  LEFT JOIN registry_person p ON p.tenant = here AND p.person = a.person
  WHERE a.tenant = here AND a.account = who;
  IF holder.person IS NOT NULL THEN
    SELECT coalesce(array_agg(l.chart), '{}') INTO mine FROM registry_link l
    WHERE l.tenant = here AND l.person = holder.person AND NOT EXISTS (SELECT FROM dead_letter q
      WHERE q.tenant = here AND q.consumer = 'registry' AND q.chart = l.chart);
    SELECT coalesce(json_agg(json_build_object('chart', g.chart, 'scopes', g.scopes,
        'stream', g.stream, 'version', g.version, 'until', g.until, 'chart_version', (
          SELECT s.version FROM registry_stream s WHERE s.tenant = here AND s.chart = g.chart)
        )), '[]') INTO grants
    FROM consent_grant g WHERE g.tenant = here AND g.grantee = holder.person
      AND (about IS NULL OR g.chart = about) AND grants_stand(here, g.chart, g.kind);
  END IF;
  IF holder.practitioner IS NOT NULL THEN
    SELECT coalesce(array_agg(t.chart), '{}'), coalesce(json_agg(json_build_object(
        'chart', t.chart, 'reference', t.reference, 'version', t.version, 'since', t.since,
        'until', t.until)) FILTER (WHERE about IS NULL OR t.chart = about), '[]')
    INTO patients, relations FROM treated(here, holder.practitioner) t;
    SELECT coalesce(json_agg(json_build_object('role', d.role, 'stream', d.practitioner,
        'version', s.version)), '[]') INTO roles
    FROM directory_role d JOIN directory_stream s
      ON s.tenant = d.tenant AND s.id = d.practitioner
    WHERE d.tenant = here AND d.practitioner = holder.practitioner
      AND (d.since IS NULL OR d.since <= now()) AND (d.until IS NULL OR d.until > now());
  END IF;
  -- The survivor of a merge first.
  SELECT array_agg(k.chart ORDER BY m.chart IS NOT NULL, k.chart) INTO kin
  FROM with_merged(here, CASE WHEN about IS NULL THEN mine ELSE ARRAY[about] END) AS k (chart)
  LEFT JOIN registry_merge m ON m.tenant = here AND m.chart = k.chart
  WHERE k.chart IS NOT NULL;
  RETURN json_build_object(
    'person', holder.person,
    'person_version', holder.person_version,
    'practitioner', holder.practitioner,
    'version', coalesce(holder.version, 0),
    'own', mine,
    'grants', grants,
    'relations', relations,
    'roles', roles,
    'kin', coalesce(kin, '{}'),
    'merged', (SELECT coalesce(json_agg(m.chart), '[]') FROM registry_merge m
      WHERE m.tenant = here AND m.chart = ANY (mine || kin || patients)),
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
RESET ROLE;
