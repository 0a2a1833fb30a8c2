-- Roles are cluster-wide and outlive a database. Only anamnesis_log_writer writes log tables, and
-- nobody can sign in as it. A deployment gives the LOGIN roles their passwords itself.
DO $$
DECLARE
  wanted record;
BEGIN
  FOR wanted IN
    SELECT * FROM (VALUES
      ('anamnesis_log_writer', false), ('anamnesis_api', true), ('anamnesis_projector', true),
      ('anamnesis_worker', true), ('anamnesis_auditor', true)
    ) AS roles (name, may_sign_in)
  LOOP
    BEGIN
      EXECUTE format('CREATE ROLE %I NOSUPERUSER NOBYPASSRLS NOCREATEDB NOCREATEROLE %s',
        wanted.name, CASE WHEN wanted.may_sign_in THEN 'LOGIN' ELSE 'NOLOGIN' END);
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
      NULL;
    END;
  END LOOP;
END
$$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE ON SCHEMA public TO anamnesis_log_writer, anamnesis_api, anamnesis_projector,
  anamnesis_worker, anamnesis_auditor;

-- Read models live apart: the projector owns them, so that it can rebuild and swap them.
CREATE SCHEMA model AUTHORIZATION anamnesis_projector;
GRANT USAGE ON SCHEMA model TO anamnesis_api, anamnesis_worker, anamnesis_auditor;
