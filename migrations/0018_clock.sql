-- log_clock: whoever appends says what time it is, and a server whose clock is elsewhere refuses. An
-- event's committed_at is never before the one before it, so that one append by a clock that is a day
-- ahead would date everything of a day to that moment (docs/adr/0029).
CREATE FUNCTION log_clock(theirs timestamptz) RETURNS boolean
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
  -- 10 s: the caller's statement ends after 5, and may have waited for its connection before that.
  IF abs(extract(epoch FROM clock_timestamp() - theirs)) > 10 THEN
    RAISE EXCEPTION 'the clocks differ' USING ERRCODE = 'object_not_in_prerequisite_state';
  END IF;
  RETURN true;
END $$;
REVOKE ALL ON FUNCTION log_clock FROM PUBLIC;
GRANT EXECUTE ON FUNCTION log_clock TO anamnesis_api, anamnesis_worker, anamnesis_auditor;
