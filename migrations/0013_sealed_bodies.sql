-- Sealed bytes do not compress: PostgreSQL would try with each long row, and in vain.
SET LOCAL ROLE anamnesis_projector;
DO $$
DECLARE
  sealed record;
BEGIN
  FOR sealed IN
    SELECT c.oid::regclass AS name FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'model'::regnamespace AND c.relkind = 'r'
      AND a.attname = 'body' AND a.atttypid = 'bytea'::regtype
  LOOP
    EXECUTE format('ALTER TABLE %s ALTER COLUMN body SET STORAGE EXTERNAL', sealed.name);
  END LOOP;
END
$$;
RESET ROLE;
