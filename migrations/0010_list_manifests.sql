-- A list of several charts is one event; this table files it under each of the charts.
SET LOCAL ROLE anamnesis_projector;

CREATE TABLE model.audit_listed (
  tenant text COLLATE "C" NOT NULL, chart uuid NOT NULL, "position" bigint NOT NULL,
  PRIMARY KEY (tenant, chart, "position")
);
SELECT model.guard('audit_listed', NULL);

-- As before, with the read models that are set aside for each chart that the answer is about, so
-- that the answer about all charts serves for any one of them.
CREATE OR REPLACE FUNCTION model.authority(here text, who uuid, about uuid) RETURNS text
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
    'quarantined', (SELECT coalesce(json_agg(json_build_object('chart', q.chart,
        'projection', q.consumer)), '[]')
      FROM (SELECT DISTINCT d.chart, d.consumer FROM dead_letter d
        WHERE d.tenant = here AND (d.chart = about OR about IS NULL AND d.chart IN (
          SELECT l.chart FROM registry_link l WHERE l.tenant = here AND l.person = holder.person
          UNION ALL SELECT g.chart FROM consent_grant g
            WHERE g.tenant = here AND g.grantee = holder.person
          UNION ALL SELECT r.chart FROM care_relation r
            WHERE r.tenant = here AND r.practitioner = holder.practitioner))) q)
  )::text;
END
$$;
RESET ROLE;
