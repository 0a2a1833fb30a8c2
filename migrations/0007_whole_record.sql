-- The rest of the record: procedures, documents, plans, goals, devices and the like, care teams and
-- orders, single values over time, policies and claims.
SET LOCAL ROLE anamnesis_projector;

CREATE FUNCTION pg_temp.panel(name text, scope text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  PERFORM model.create_panel(name, scope);
  PERFORM model.deepen_panel(name);
END
$$;

SELECT pg_temp.panel(name, scope) FROM (VALUES
  ('records_procedure', 'records'), ('records_document', 'records'),
  ('records_care_plan', 'records'), ('records_goal', 'records'), ('records_device', 'records'),
  ('records_provenance', 'records'), ('records_imaging', 'records'),
  ('records_family', 'records'), ('records_flag', 'records'), ('records_related', 'records'),
  ('records_answers', 'records'), ('records_risk', 'records'), ('care_team', 'records'),
  ('care_order', 'records'), ('results_analyte', 'results'), ('coverage_policy', 'billing'),
  ('coverage_claim', 'billing')
) AS panels (name, scope);

-- One code over time, found by its keyed hash.
ALTER TABLE model.results_analyte ADD COLUMN code bytea NOT NULL DEFAULT '';
ALTER TABLE model.records_observation ADD COLUMN code bytea NOT NULL DEFAULT '';
CREATE INDEX ON model.results_analyte (tenant, chart, code, at DESC, id DESC);
CREATE INDEX ON model.records_observation (tenant, chart, code, at DESC, id DESC);
DROP FUNCTION pg_temp.panel;
RESET ROLE;
