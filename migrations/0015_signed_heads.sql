-- The worker signs heads of logs; what was signed stays.
GRANT INSERT ON signed_head TO anamnesis_worker;
CREATE TRIGGER signed_head_is_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON signed_head
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
