-- The log: one gapless sequence of immutable events per tenant (docs/adr/0002).
CREATE TABLE log_head (
  tenant text COLLATE "C" PRIMARY KEY CHECK (tenant ~ '^[a-z][a-z0-9-]{0,31}$'),
  position bigint NOT NULL DEFAULT 0,
  frontier bytea[] NOT NULL DEFAULT '{}',
  committed_at timestamptz NOT NULL DEFAULT '-infinity',
  access_position bigint NOT NULL DEFAULT 0
);
COMMENT ON COLUMN log_head.frontier IS
  'RFC 6962 roots of the perfect subtrees of leaves 1..position, largest first';
COMMENT ON COLUMN log_head.access_position IS 'the last event that took access away';

CREATE TABLE stream_head (
  tenant text COLLATE "C" NOT NULL,
  stream uuid NOT NULL,
  version bigint NOT NULL,
  PRIMARY KEY (tenant, stream)
) WITH (fillfactor = 80);

CREATE TABLE command (
  tenant text COLLATE "C" NOT NULL,
  id bytea NOT NULL,
  fingerprint bytea NOT NULL,
  first bigint,
  last bigint,
  outcome bytea,
  PRIMARY KEY (tenant, id)
);
COMMENT ON COLUMN command.outcome IS 'the sealed refusal, or NULL where the wish came true';

CREATE TABLE reservation (
  tenant text COLLATE "C" NOT NULL,
  key bytea NOT NULL,
  stream uuid NOT NULL,
  PRIMARY KEY (tenant, key)
);
COMMENT ON TABLE reservation IS
  'Uniqueness of a value: its keyed hash and the random stream id it stands for; erasable';

CREATE TABLE event (
  tenant text COLLATE "C" NOT NULL,
  position bigint NOT NULL,
  stream uuid NOT NULL,
  version bigint NOT NULL,
  type text COLLATE "C" NOT NULL,
  committed_at timestamptz NOT NULL,
  header bytea NOT NULL,
  context bytea NOT NULL,
  salt bytea NOT NULL,
  body bytea NOT NULL CHECK (octet_length(body) <= 65536),
  leaf bytea NOT NULL,
  PRIMARY KEY (tenant, position)
);
ALTER TABLE event ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX event_by_stream ON event (tenant, stream, version);
CREATE INDEX event_by_type ON event (tenant, type, position);

CREATE TABLE destroyed_key (
  tenant text COLLATE "C" NOT NULL,
  key uuid NOT NULL,
  position bigint NOT NULL,
  PRIMARY KEY (tenant, key)
);

CREATE TABLE checkpoint (
  projection text COLLATE "C" NOT NULL,
  tenant text COLLATE "C" NOT NULL,
  position bigint NOT NULL DEFAULT 0,
  version integer NOT NULL,
  PRIMARY KEY (projection, tenant)
) WITH (fillfactor = 50);

CREATE TABLE dead_letter (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant text COLLATE "C" NOT NULL,
  consumer text COLLATE "C" NOT NULL,
  position bigint NOT NULL,
  chart uuid,
  type text NOT NULL,
  error text NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  UNIQUE (tenant, consumer, position)
);
COMMENT ON COLUMN dead_letter.error IS 'the class of the error, never its text (no PHI)';

CREATE TABLE signed_head (
  tenant text COLLATE "C" NOT NULL,
  position bigint NOT NULL,
  root bytea NOT NULL,
  note bytea NOT NULL,
  PRIMARY KEY (tenant, position)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION 'events are immutable: % on % is refused', TG_OP, TG_TABLE_NAME
    USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER event_is_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON event
  FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- The second wall: inside their tenant for everybody, across tenants for the append alone.
DO $$
DECLARE
  guarded text;
BEGIN
  FOREACH guarded IN ARRAY ARRAY['log_head', 'stream_head', 'command', 'reservation', 'event',
    'destroyed_key', 'checkpoint', 'dead_letter', 'signed_head']
  LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', guarded);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', guarded);
    EXECUTE format('CREATE POLICY writer ON %I TO anamnesis_log_writer
      USING (true) WITH CHECK (true)', guarded);
    EXECUTE format('CREATE POLICY tenant ON %I TO anamnesis_api, anamnesis_projector,
      anamnesis_worker, anamnesis_auditor
      USING (tenant = current_setting(''anamnesis.tenant'', true))', guarded);
  END LOOP;
END
$$;

GRANT SELECT, INSERT, UPDATE ON log_head, stream_head TO anamnesis_log_writer;
GRANT SELECT, INSERT ON command, reservation, event TO anamnesis_log_writer;
GRANT SELECT ON destroyed_key TO anamnesis_log_writer;
GRANT SELECT ON log_head, stream_head, event, checkpoint, dead_letter, signed_head, destroyed_key
  TO anamnesis_api, anamnesis_projector, anamnesis_worker, anamnesis_auditor;
GRANT INSERT, UPDATE, DELETE ON checkpoint, dead_letter TO anamnesis_projector;
-- What verification needs of commands; their outcomes stay closed to it.
GRANT SELECT (tenant, id, first, last) ON command TO anamnesis_auditor;
