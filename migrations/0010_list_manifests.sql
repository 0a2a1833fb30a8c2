-- A list of several charts is one event; this table files it under each of the charts.
SET LOCAL ROLE anamnesis_projector;

CREATE TABLE model.audit_listed (
  tenant text COLLATE "C" NOT NULL, chart uuid NOT NULL, "position" bigint NOT NULL,
  PRIMARY KEY (tenant, chart, "position")
);
SELECT model.guard('audit_listed', NULL);
RESET ROLE;
