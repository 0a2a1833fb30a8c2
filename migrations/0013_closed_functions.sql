-- Nobody calls a function of the read models without a grant of its own, now and later.
SET LOCAL ROLE anamnesis_projector;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA model FROM PUBLIC;
RESET ROLE;
