-- A command of somebody who treats a patient relies on the version of that relationship, too.
SET LOCAL ROLE anamnesis_projector;
ALTER TABLE model.care_relation ADD COLUMN version bigint NOT NULL DEFAULT 0;
ALTER TABLE model.care_relation ALTER COLUMN version DROP DEFAULT;

-- model.authority again: relations have their version. Its plan is kept, pinned to index probes:
-- a custom plan took two thirds of each call, a kept one of small tables would read all their rows.
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
        'reference', r.reference, 'version', r.version, 'since', r.since,
        'until', r.until)), '[]')
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
RESET ROLE;
