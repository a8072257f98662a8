-- Lockouts that hold on all PBXs: docs/cluster.md. The rules are those of the lockouts in
-- memory (docs/security.md); a test compares the two. Run by `pinset database upgrade`, or
-- by hand in one transaction.

-- Each counter is locked, changed and written by one statement, so a PBX that fails holds
-- no lock. An attempt is "flying" from its charge to its result; the time of the charge is
-- its receipt. One whose PBX has failed counts as wrong after 60 s.

INSERT INTO pinset_schema VALUES (2);

-- All functions take the time from here.
CREATE FUNCTION pinset_now() RETURNS timestamptz LANGUAGE sql VOLATILE
AS 'SELECT clock_timestamp()';

-- Failures: times, oldest first, and how many came then.
CREATE TYPE pinset_failures AS (times timestamptz[], counts integer[]);

CREATE TABLE pinset_lockouts (
  -- A caller, an account or a PIN set, and a digest of its names.
  kind                "char" NOT NULL CHECK (kind IN ('c', 'a', 'p')),
  key                 bytea NOT NULL CHECK (octet_length(key) = 16),
  pinset              text NOT NULL,
  -- The number of a caller, or the account. NULL for an account that is in no list: it may
  -- be a PIN entered in the wrong place.
  name                text,
  endpoint            text,
  -- Since the last lock, within the window.
  failures            pinset_failures NOT NULL,
  trusted_failures    pinset_failures NOT NULL,
  flying              timestamptz[] NOT NULL DEFAULT '{}',
  trusted_flying      timestamptz[] NOT NULL DEFAULT '{}',
  -- Of trusted callers during a lock.
  reserve             integer NOT NULL DEFAULT 0,
  reserve_flying      timestamptz[] NOT NULL DEFAULT '{}',
  locked_until        timestamptz NOT NULL DEFAULT '-infinity',
  locks               integer NOT NULL DEFAULT 0,
  -- Of an account since its last success.
  consecutive         integer NOT NULL DEFAULT 0,
  trusted_consecutive integer NOT NULL DEFAULT 0,
  last_failure        timestamptz NOT NULL DEFAULT '-infinity',
  -- The window in milliseconds by which failures were last counted.
  window_ms           bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (kind, key)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01);

-- Callers who have succeeded in a PIN set, or with one of its accounts.
CREATE TABLE pinset_trusted (
  key          bytea PRIMARY KEY CHECK (octet_length(key) = 16),
  pinset       text NOT NULL,
  last_success timestamptz NOT NULL
) WITH (fillfactor = 50);

-- The functions are in PL/pgSQL, whose plans are kept: those of SQL functions are not.

-- The keys of the pepper files that were used with this database: an HMAC of nothing shows
-- whether two keys with one id are the same.
CREATE TABLE pinset_pepper (
  id          text PRIMARY KEY,
  fingerprint bytea NOT NULL
);

-- Returns the id of the first key that is another than the one noted before. If there is
-- none, notes new ones.
CREATE FUNCTION pinset_pepper_differs(ids text[], fingerprints bytea[]) RETURNS text
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  other text;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  FOR i IN 1 .. 2 LOOP
    SELECT min(p.id) INTO other FROM pinset_pepper AS p
      JOIN unnest(ids, fingerprints) AS k (id, fingerprint) USING (id)
     WHERE p.fingerprint <> k.fingerprint;
    EXIT WHEN other IS NOT NULL OR i = 2;
    INSERT INTO pinset_pepper SELECT * FROM unnest(ids, fingerprints) AS k (id, fingerprint)
     WHERE NOT EXISTS (SELECT FROM pinset_pepper AS p WHERE p.id = k.id)
     ORDER BY id ON CONFLICT DO NOTHING;
  END LOOP;
  RETURN other;
END $$;

CREATE FUNCTION pinset_is_trusted(of bytea, t timestamptz) RETURNS boolean LANGUAGE plpgsql STABLE
AS $$
BEGIN
  RETURN EXISTS (SELECT FROM pinset_trusted
                  WHERE key = of AND last_success > t - interval '720 h');
END $$;

CREATE FUNCTION pinset_count(f pinset_failures) RETURNS bigint LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  n   integer;
  sum bigint := 0;
BEGIN
  FOREACH n IN ARRAY f.counts LOOP
    sum := sum + n;
  END LOOP;
  RETURN sum;
END $$;

CREATE FUNCTION pinset_forgotten(f pinset_failures, since timestamptz) RETURNS pinset_failures
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  first integer := 1;
BEGIN
  WHILE f.times[first] < since LOOP
    first := first + 1;
  END LOOP;
  RETURN ROW(f.times[first:], f.counts[first:])::pinset_failures;
END $$;

-- One more. Of more than 128 times the two closest become the later one.
CREATE FUNCTION pinset_added(f pinset_failures, t timestamptz) RETURNS pinset_failures
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  times  timestamptz[] := f.times;
  counts integer[] := f.counts;
  last   integer := cardinality(f.times);
  gone   integer;
BEGIN
  IF times[last] >= t THEN
    counts[last] := counts[last] + 1;
  ELSE
    times := times || t;
    counts := counts || 1;
  END IF;
  IF cardinality(times) > 128 THEN
    SELECT i INTO gone FROM generate_series(1, 128) AS i ORDER BY times[i + 1] - times[i], i LIMIT 1;
    counts[gone + 1] := counts[gone + 1] + counts[gone];
    times := times[:gone - 1] || times[gone + 1:];
    counts := counts[:gone - 1] || counts[gone + 1:];
  END IF;
  RETURN ROW(times, counts)::pinset_failures;
END $$;

-- A wrong attempt of an account counts among its consecutive ones.
CREATE FUNCTION pinset_failed_once_more(r pinset_lockouts, trusted boolean, t timestamptz)
RETURNS pinset_lockouts LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF r.kind = 'a' AND trusted THEN
    r.trusted_consecutive := r.trusted_consecutive + 1;
  ELSIF r.kind = 'a' THEN
    r.consecutive := r.consecutive + 1;
  END IF;
  r.last_failure := greatest(r.last_failure, t);
  RETURN r;
END $$;

CREATE FUNCTION pinset_failed(r pinset_lockouts, trusted boolean, t timestamptz)
RETURNS pinset_lockouts LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF trusted THEN
    r.trusted_failures := pinset_added(r.trusted_failures, t);
  ELSE
    r.failures := pinset_added(r.failures, t);
  END IF;
  RETURN pinset_failed_once_more(r, trusted, t);
END $$;

-- The same during a lock, of a trusted caller.
CREATE FUNCTION pinset_failed_on_reserve(r pinset_lockouts, t timestamptz)
RETURNS pinset_lockouts LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  r := pinset_failed_once_more(r, true, t);
  IF r.locked_until > t THEN
    r.reserve := r.reserve + 1;
    IF r.kind = 'a' AND r.consecutive + r.trusted_consecutive >= 100 THEN
      r.locked_until := 'infinity';
    END IF;
  END IF;
  RETURN r;
END $$;

-- The counter once what is over by then has gone. Attempts of PBXs that have failed are
-- wrong.
CREATE FUNCTION pinset_seen(r pinset_lockouts, t timestamptz) RETURNS pinset_lockouts
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  dead  CONSTANT timestamptz := t - interval '60 s';
  since CONSTANT timestamptz := t - r.window_ms * interval '1 ms';
BEGIN
  WHILE r.flying[1] <= dead LOOP
    r := pinset_failed(r, false, r.flying[1]);
    r.flying := r.flying[2:];
  END LOOP;
  WHILE r.trusted_flying[1] <= dead LOOP
    r := pinset_failed(r, true, r.trusted_flying[1]);
    r.trusted_flying := r.trusted_flying[2:];
  END LOOP;
  WHILE r.reserve_flying[1] <= dead LOOP
    r := pinset_failed_on_reserve(r, r.reserve_flying[1]);
    r.reserve_flying := r.reserve_flying[2:];
  END LOOP;
  IF r.locked_until <= t THEN
    r.reserve := 0;
    IF r.locked_until <= t - interval '24 h' THEN
      r.locks := 0;
      r.locked_until := '-infinity';
    END IF;
  END IF;
  IF r.kind = 'a' AND r.name IS NULL AND r.last_failure <= t - interval '720 h' THEN
    r.consecutive := 0;
    r.trusted_consecutive := 0;
  END IF;
  IF (r.failures).times[1] < since THEN
    r.failures := pinset_forgotten(r.failures, since);
  END IF;
  IF (r.trusted_failures).times[1] < since THEN
    r.trusted_failures := pinset_forgotten(r.trusted_failures, since);
  END IF;
  RETURN r;
END $$;

-- Begins a lock if it is due. A limit is: failures, window and lock in milliseconds.
CREATE FUNCTION pinset_locked_if_due(r pinset_lockouts, lim bigint[], t timestamptz)
RETURNS pinset_lockouts LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF r.locked_until > t THEN
    RETURN r;
  ELSIF r.consecutive + r.trusted_consecutive >= 100 THEN
    r.locked_until := 'infinity';
  ELSIF pinset_count(r.failures) + pinset_count(r.trusted_failures) >= lim[1] THEN
    r.locked_until := t + interval '1 ms'
      * least(greatest(lim[3], 1)::numeric * (1::bigint << least(r.locks, 30)), 86400000)::float8;
  ELSE
    RETURN r;
  END IF;
  r.failures := ROW('{}', '{}')::pinset_failures;
  r.trusted_failures := r.failures;
  r.locks := r.locks + 1;
  RETURN r;
END $$;

-- The counter by this limit from now on.
CREATE FUNCTION pinset_counted(r pinset_lockouts, lim bigint[], t timestamptz)
RETURNS pinset_lockouts LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  r.window_ms := lim[2];
  RETURN pinset_locked_if_due(pinset_seen(r, t), lim, t);
END $$;

-- Whether one more attempt can be charged: 'open', 'busy' or 'locked'.
CREATE FUNCTION pinset_room(r pinset_lockouts, lim bigint[], t timestamptz) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  flying CONSTANT integer := cardinality(r.flying) + cardinality(r.trusted_flying);
BEGIN
  IF lim IS NULL THEN
    RETURN 'open';
  ELSIF r.locked_until > t THEN
    RETURN 'locked';
  ELSIF pinset_count(r.failures) + pinset_count(r.trusted_failures) + flying >= lim[1]
     OR r.consecutive + r.trusted_consecutive + flying >= 100 THEN
    RETURN 'busy';
  END IF;
  RETURN 'open';
END $$;

-- How many wrong attempts trusted callers have during a lock.
CREATE FUNCTION pinset_reserve(r pinset_lockouts, lim bigint[]) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN CASE WHEN r.kind = 'a' THEN least(lim[1], 100) ELSE lim[1] END;
END $$;

-- The same of a trusted caller during a lock.
CREATE FUNCTION pinset_reserve_room(r pinset_lockouts, lim bigint[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  most CONSTANT bigint := pinset_reserve(r, lim);
BEGIN
  RETURN CASE WHEN r.reserve >= most THEN 'locked'
              WHEN r.reserve + cardinality(r.reserve_flying) >= most THEN 'busy'
              ELSE 'open' END;
END $$;

-- What is left of a lock in milliseconds; NULL until it is ended by hand.
CREATE FUNCTION pinset_left_ms(until timestamptz, t timestamptz) RETURNS bigint
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  -- Microseconds are exact also where this is a floating-point number, before PostgreSQL 14.
  RETURN CASE WHEN isfinite(until)
              THEN ceil(round((extract(epoch FROM until - t) * 1000000)::numeric) / 1000)::bigint END;
END $$;

-- Attempts in flight and one more; its receipt is the last.
CREATE FUNCTION pinset_flown(flying timestamptz[], t timestamptz) RETURNS timestamptz[]
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  RETURN flying || greatest(t, flying[cardinality(flying)] + interval '1 us');
END $$;

-- A counter, locked for a change if it is for one, and made if there is none.
CREATE FUNCTION pinset_counter(
  of_kind "char", of_key bytea, in_pinset text, of_name text, at_endpoint text, to_change boolean)
RETURNS pinset_lockouts LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  r pinset_lockouts;
BEGIN
  LOOP
    IF to_change THEN
      SELECT * INTO r FROM pinset_lockouts WHERE kind = of_kind AND key = of_key FOR UPDATE;
    ELSE
      SELECT * INTO r FROM pinset_lockouts WHERE kind = of_kind AND key = of_key;
    END IF;
    IF FOUND THEN
      RETURN r;
    END IF;
    r := ROW(of_kind, of_key, in_pinset, of_name, at_endpoint,
             ROW('{}', '{}')::pinset_failures, ROW('{}', '{}')::pinset_failures,
             '{}'::timestamptz[], '{}'::timestamptz[], 0, '{}'::timestamptz[],
             '-infinity'::timestamptz, 0, 0, 0, '-infinity'::timestamptz, 0)::pinset_lockouts;
    IF NOT to_change THEN
      RETURN r;
    END IF;
    INSERT INTO pinset_lockouts SELECT r.* ON CONFLICT DO NOTHING;
  END LOOP;
END $$;

-- Writes a counter. A caller or an account of whom nothing is counted takes no room.
CREATE FUNCTION pinset_store(r pinset_lockouts) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF r.kind <> 'p' AND r.locks = 0 AND r.consecutive + r.trusted_consecutive = 0
     AND (r.failures).times = '{}' AND (r.trusted_failures).times = '{}'
     AND r.flying = '{}' AND r.trusted_flying = '{}' AND r.reserve_flying = '{}' THEN
    DELETE FROM pinset_lockouts WHERE kind = r.kind AND key = r.key;
    RETURN;
  END IF;
  UPDATE pinset_lockouts SET
    failures = r.failures, trusted_failures = r.trusted_failures,
    flying = r.flying, trusted_flying = r.trusted_flying,
    reserve = r.reserve, reserve_flying = r.reserve_flying,
    locked_until = r.locked_until, locks = r.locks, consecutive = r.consecutive,
    trusted_consecutive = r.trusted_consecutive, last_failure = r.last_failure,
    window_ms = r.window_ms
  WHERE kind = r.kind AND key = r.key;
END $$;

-- Charges an attempt to a caller and a PIN set, or only looks whether it could be. `tries`
-- were charged in this call before. Standing: 'open', 'one-try' (the PIN set is locked,
-- and the caller is trusted), 'busy' or 'locked'; then by what, and what is left of it.
CREATE FUNCTION pinset_charge(
  in_pinset text, number text, at_endpoint text, caller_key bytea, caller_limit bigint[],
  set_key bytea, set_limit bigint[], trust_key bytea, tries integer, looks boolean,
  OUT standing text, OUT by_kind "char", OUT left_ms bigint,
  OUT caller_receipt timestamptz, OUT set_receipt timestamptz)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  c        pinset_lockouts;
  p        pinset_lockouts;
  t        timestamptz;
  caller   text := 'open';
  pin_set  text := 'open';
  budget   boolean := false;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  IF caller_limit IS NOT NULL THEN
    c := pinset_counter('c', caller_key, in_pinset, number, at_endpoint, NOT looks);
  END IF;
  IF set_limit IS NOT NULL THEN
    p := pinset_counter('p', set_key, in_pinset, NULL, NULL, NOT looks);
  END IF;
  -- Once both are locked, so that times follow each other.
  t := pinset_now();
  IF caller_limit IS NOT NULL THEN
    c := pinset_counted(c, caller_limit, t);
    caller := pinset_room(c, caller_limit, t);
  END IF;
  IF set_limit IS NOT NULL THEN
    p := pinset_counted(p, set_limit, t);
    pin_set := pinset_room(p, set_limit, t);
    budget := pin_set = 'locked';
    IF budget AND pinset_is_trusted(trust_key, t) THEN
      pin_set := pinset_reserve_room(p, set_limit);
    END IF;
  END IF;
  -- One try a call, once there is room for it.
  IF caller = 'open' AND pin_set = 'open' AND budget AND tries > 0 THEN
    pin_set := 'locked';
  END IF;
  IF caller = 'locked' OR (caller = 'busy' AND pin_set = 'open') THEN
    SELECT caller, 'c', pinset_left_ms(c.locked_until, t) INTO standing, by_kind, left_ms;
  ELSIF pin_set <> 'open' THEN
    SELECT pin_set, 'p', pinset_left_ms(p.locked_until, t) INTO standing, by_kind, left_ms;
  END IF;
  -- To look takes no room.
  IF standing IS NULL OR (looks AND standing = 'busy') THEN
    standing := CASE WHEN budget THEN 'one-try' ELSE 'open' END;
  END IF;
  IF looks OR standing IN ('busy', 'locked') THEN
    RETURN;
  END IF;
  IF caller_limit IS NOT NULL THEN
    c.flying := pinset_flown(c.flying, t);
    caller_receipt := c.flying[cardinality(c.flying)];
    PERFORM pinset_store(c);
  END IF;
  IF budget THEN
    p.reserve_flying := pinset_flown(p.reserve_flying, t);
    set_receipt := p.reserve_flying[cardinality(p.reserve_flying)];
    PERFORM pinset_store(p);
  ELSIF set_limit IS NOT NULL THEN
    p.flying := pinset_flown(p.flying, t);
    set_receipt := p.flying[cardinality(p.flying)];
    PERFORM pinset_store(p);
  END IF;
END $$;

-- Charges an attempt to accounts, before it is compared with their secrets: all that are
-- not locked, or none if one is busy. The keys are in order, and the rows that are returned
-- in theirs. A name is NULL if the account is in no list.
CREATE FUNCTION pinset_charge_accounts(
  in_pinset text, keys bytea[], names text[], trust_keys bytea[], lim bigint[], tries integer)
RETURNS TABLE (standing text, left_ms bigint, receipt timestamptz,
               trusted boolean, on_reserve boolean)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  r       pinset_lockouts;
  changed pinset_lockouts[] := '{}';
  is_busy boolean := false;
  t       timestamptz;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  FOR i IN 1 .. cardinality(keys) LOOP
    r := pinset_counter('a', keys[i], in_pinset, names[i], NULL, true);
    t := pinset_now();
    IF r.name IS NULL AND names[i] IS NOT NULL THEN
      -- What was forgotten before it came into a list stays forgotten.
      r := pinset_seen(r, t);
      r.name := names[i];
      UPDATE pinset_lockouts SET name = r.name WHERE kind = 'a' AND key = keys[i];
    END IF;
    r := pinset_counted(r, lim, t);
    standing := pinset_room(r, lim, t);
    left_ms := pinset_left_ms(r.locked_until, t);
    trusted := pinset_is_trusted(trust_keys[i], t);
    on_reserve := false;
    receipt := NULL;
    IF standing = 'locked' AND trusted THEN
      on_reserve := true;
      standing := pinset_reserve_room(r, lim);
      IF standing = 'open' AND tries > 0 THEN
        standing := 'locked';
      END IF;
    END IF;
    IF standing = 'open' AND on_reserve THEN
      r.reserve_flying := pinset_flown(r.reserve_flying, t);
      receipt := r.reserve_flying[cardinality(r.reserve_flying)];
    ELSIF standing = 'open' AND trusted THEN
      r.trusted_flying := pinset_flown(r.trusted_flying, t);
      receipt := r.trusted_flying[cardinality(r.trusted_flying)];
    ELSIF standing = 'open' THEN
      r.flying := pinset_flown(r.flying, t);
      receipt := r.flying[cardinality(r.flying)];
    END IF;
    changed := changed || r;
    is_busy := is_busy OR standing = 'busy';
    RETURN NEXT;
  END LOOP;
  IF NOT is_busy THEN
    FOREACH r IN ARRAY changed LOOP
      PERFORM pinset_store(r);
    END LOOP;
  END IF;
END $$;

-- A right attempt of an account: it starts over, or its trusted callers do.
CREATE FUNCTION pinset_started_over(r pinset_lockouts, trusted boolean, t timestamptz)
RETURNS pinset_lockouts LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF r.trusted_consecutive > 0 THEN
    r.trusted_failures := ROW('{}', '{}')::pinset_failures;
    r.trusted_consecutive := 0;
    r.reserve := 0;
  END IF;
  IF trusted THEN
    RETURN r;
  END IF;
  r.failures := ROW('{}', '{}')::pinset_failures;
  r.consecutive := 0;
  IF r.locked_until <= t THEN
    r.locks := 0;
    r.locked_until := '-infinity';
  END IF;
  RETURN r;
END $$;

-- Records the result of an attempt where it was charged: 'r' is right, 'w' wrong, 'v' does
-- not count. The PIN set, for which all wait, is the last key, and keys of one kind are in
-- order, as those of `trust` are, which are trusted by it; `admitted` is the account it
-- admits with. Returns the longest lock that begins, or that holds for trusted callers from
-- now on.
CREATE FUNCTION pinset_settle(
  in_pinset text, kinds "char"[], keys bytea[], receipts timestamptz[], trusted boolean[],
  on_reserve boolean[], failures bigint[], windows bigint[], locks bigint[],
  result "char", admitted bytea, trust bytea[], OUT by_kind "char", OUT left_ms bigint)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  r          pinset_lockouts;
  t          timestamptz;
  of_trust   bytea;
  lim        bigint[];
  was_until  timestamptz;
  was_flying boolean;
  begins     boolean;
  until      timestamptz;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  FOREACH of_trust IN ARRAY trust LOOP
    INSERT INTO pinset_trusted VALUES (of_trust, in_pinset, pinset_now())
      ON CONFLICT (key) DO UPDATE SET last_success = excluded.last_success;
  END LOOP;
  FOR i IN 1 .. cardinality(keys) LOOP
    SELECT * INTO r FROM pinset_lockouts WHERE kind = kinds[i] AND key = keys[i] FOR UPDATE;
    CONTINUE WHEN NOT FOUND;
    t := pinset_now();
    lim := ARRAY[failures[i], windows[i], locks[i]];
    r := pinset_seen(r, t);
    IF on_reserve[i] THEN
      was_flying := receipts[i] = ANY (r.reserve_flying);
      r.reserve_flying := array_remove(r.reserve_flying, receipts[i]);
    ELSIF trusted[i] THEN
      was_flying := receipts[i] = ANY (r.trusted_flying);
      r.trusted_flying := array_remove(r.trusted_flying, receipts[i]);
    ELSE
      was_flying := receipts[i] = ANY (r.flying);
      r.flying := array_remove(r.flying, receipts[i]);
    END IF;
    was_until := r.locked_until;
    begins := false;
    IF result = 'w' AND on_reserve[i] THEN
      IF was_flying THEN
        r := pinset_failed_on_reserve(r, t);
      END IF;
      IF r.locked_until > t THEN
        begins := r.reserve >= pinset_reserve(r, lim) OR r.locked_until <> was_until;
      ELSIF r.kind = 'a' THEN
        r := pinset_locked_if_due(r, lim, t);
        begins := r.locked_until > t;
      END IF;
    ELSIF result = 'w' THEN
      r.window_ms := lim[2];
      r := pinset_seen(r, t);
      IF was_flying THEN
        r := pinset_failed(r, trusted[i], t);
      END IF;
      r := pinset_locked_if_due(r, lim, t);
      begins := r.locked_until <> was_until;
    ELSIF result = 'r' AND r.kind = 'a' AND r.key = admitted THEN
      r := pinset_started_over(r, trusted[i] OR on_reserve[i], t);
    END IF;
    PERFORM pinset_store(r);
    -- Of two that end together a caller's is named first, an account's last.
    IF begins AND (until IS NULL OR r.locked_until > until
                   OR (r.locked_until = until AND by_kind = 'a')) THEN
      until := r.locked_until;
      by_kind := r.kind;
      left_ms := pinset_left_ms(r.locked_until, t);
    END IF;
  END LOOP;
END $$;

-- Ends locks of callers with a number or endpoint ('c'), of an account ('a') or of a PIN
-- set ('p'), in one PIN set or in all, and what was counted there. An account is also meant
-- by its digests. Returns how many were locked, and whether one of these has a name.
CREATE FUNCTION pinset_unlock(
  of_kind "char", text1 text, text2 text, digests bytea[], in_pinset text,
  OUT unlocked bigint, OUT is_named boolean)
LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  r pinset_lockouts;
  t timestamptz;
BEGIN
  unlocked := 0;
  is_named := false;
  FOR r IN
    SELECT * FROM pinset_lockouts
     WHERE kind = of_kind AND (in_pinset IS NULL OR pinset = in_pinset)
       AND CASE of_kind WHEN 'c' THEN endpoint = text1 OR name IN (text1, text2)
                        WHEN 'a' THEN name = text1 OR (name IS NULL AND key = ANY (digests))
                        ELSE pinset = text1 END
     ORDER BY kind, key FOR UPDATE
  LOOP
    t := pinset_now();
    r := pinset_seen(r, t);
    IF r.locked_until > t THEN
      unlocked := unlocked + 1;
      is_named := is_named OR r.kind <> 'a' OR r.name IS NOT NULL;
    END IF;
    r.failures := ROW('{}', '{}')::pinset_failures;
    r.trusted_failures := r.failures;
    r.locked_until := '-infinity';
    r.locks := 0;
    r.consecutive := 0;
    r.trusted_consecutive := 0;
    r.reserve := 0;
    PERFORM pinset_store(r);
  END LOOP;
END $$;

-- Deletes counters and successes that count for nothing any more, some at a time. Returns
-- how many.
CREATE FUNCTION pinset_purge(most integer) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
  t       timestamptz := pinset_now();
  deleted bigint;
  more    bigint;
BEGIN
  PERFORM set_config('synchronous_commit', 'off', true);
  DELETE FROM pinset_lockouts WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM pinset_lockouts AS l
     WHERE locked_until <= t - interval '24 h'
       AND flying = '{}' AND trusted_flying = '{}' AND reserve_flying = '{}'
       AND coalesce((failures).times[cardinality((failures).times)] < t - window_ms * interval '1 ms', true)
       AND coalesce((trusted_failures).times[cardinality((trusted_failures).times)]
                    < t - window_ms * interval '1 ms', true)
       AND (consecutive + trusted_consecutive = 0
            OR (kind = 'a' AND name IS NULL AND last_failure <= t - interval '720 h'))
     LIMIT most FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS deleted = ROW_COUNT;
  DELETE FROM pinset_trusted WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM pinset_trusted WHERE last_success <= t - interval '720 h'
     LIMIT most FOR UPDATE SKIP LOCKED));
  GET DIAGNOSTICS more = ROW_COUNT;
  RETURN deleted + more;
END $$;
