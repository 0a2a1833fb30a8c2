-- A command of somebody who treats a patient relies on the version of that relationship, too.
SET LOCAL ROLE anamnesis_projector;
ALTER TABLE model.care_relation ADD COLUMN version bigint NOT NULL DEFAULT 0;
ALTER TABLE model.care_relation ALTER COLUMN version DROP DEFAULT;
RESET ROLE;
