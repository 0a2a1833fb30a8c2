-- The id map: a resource of a source, by a keyed hash, and the stream and version it stands in.
SET LOCAL ROLE anamnesis_projector;

CREATE TABLE model.sources_map (
  tenant text COLLATE "C" NOT NULL, origin bytea NOT NULL, stream uuid NOT NULL, chart uuid,
  type text COLLATE "C" NOT NULL, version bigint NOT NULL, "position" bigint NOT NULL,
  updated timestamptz NOT NULL, digest text NOT NULL, label bytea NOT NULL,
  source_version bytea NOT NULL, PRIMARY KEY (tenant, origin)
);
CREATE INDEX ON model.sources_map (tenant, stream);
SELECT model.guard('sources_map', NULL);

-- What was received and not filed, for those who repair it.
CREATE TABLE model.aside_resource (
  tenant text COLLATE "C" NOT NULL, id uuid NOT NULL, origin bytea NOT NULL,
  reason text COLLATE "C" NOT NULL, type text COLLATE "C" NOT NULL, "position" bigint NOT NULL,
  at timestamptz NOT NULL, key uuid NOT NULL, body bytea NOT NULL, PRIMARY KEY (tenant, id)
);
CREATE INDEX ON model.aside_resource (tenant, reason, "position" DESC);
CREATE INDEX ON model.aside_resource (tenant, origin);
SELECT model.guard('aside_resource', NULL);
RESET ROLE;
