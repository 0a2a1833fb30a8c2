-- Dispatch: what should follow from events, until it is done (docs/adr/0024). The truth is here; what
-- Redis holds only wakes. Rows have ids and no facts about anybody.
CREATE TABLE outbox (
  tenant text COLLATE "C" NOT NULL,
  reaction text COLLATE "C" NOT NULL,
  position bigint NOT NULL,
  PRIMARY KEY (tenant, reaction)
) WITH (fillfactor = 50);
COMMENT ON COLUMN outbox.position IS 'effects of all events up to here are written';

CREATE TABLE dispatch (
  tenant text COLLATE "C" PRIMARY KEY,
  paused boolean NOT NULL
);
COMMENT ON TABLE dispatch IS 'Logs whose effects are held back, as after a restore';

CREATE TABLE effect (
  tenant text COLLATE "C" NOT NULL,
  id bytea NOT NULL,
  reaction text COLLATE "C" NOT NULL,
  position bigint,
  name text COLLATE "C" NOT NULL,
  data bytea NOT NULL,
  due timestamptz NOT NULL,
  state text COLLATE "C" NOT NULL DEFAULT 'waiting'
    CHECK (state IN ('waiting', 'sending', 'done', 'dropped', 'parked', 'dead')),
  marked boolean NOT NULL DEFAULT false,
  attempts integer NOT NULL DEFAULT 0,
  holder uuid,
  leased_until timestamptz,
  error text,
  settled_at timestamptz,
  PRIMARY KEY (tenant, id)
) WITH (fillfactor = 70);
COMMENT ON COLUMN effect.state IS 'sending: handed over, or the process died meanwhile';
COMMENT ON COLUMN effect.marked IS 'whether it was ever begun to be sent';
COMMENT ON COLUMN effect.attempts IS 'failures that were answered; a crash is none';
COMMENT ON COLUMN effect.error IS 'the class of the error, never its text (no PHI)';
CREATE INDEX effect_due ON effect (tenant, due, id) WHERE state IN ('waiting', 'sending');
CREATE INDEX effect_stuck ON effect (tenant, due, id) WHERE state IN ('parked', 'dead');

DO $$
DECLARE
  guarded text;
BEGIN
  FOREACH guarded IN ARRAY ARRAY['outbox', 'dispatch', 'effect'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', guarded);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', guarded);
    EXECUTE format('CREATE POLICY tenant ON %I TO anamnesis_api, anamnesis_worker
      USING (tenant = current_setting(''anamnesis.tenant'', true))', guarded);
  END LOOP;
END
$$;
GRANT SELECT, INSERT, UPDATE ON outbox, dispatch, effect TO anamnesis_worker;
GRANT SELECT ON outbox, dispatch, effect TO anamnesis_api;
