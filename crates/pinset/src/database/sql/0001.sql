-- PIN sets shared by many PBXs: docs/cluster.md. Run by `pinset database init`, or by hand
-- in one transaction, as a role that owns the tables.

CREATE TABLE pinset_schema (version integer NOT NULL);
INSERT INTO pinset_schema VALUES (1);

-- The columns of a CSV list. No PIN is in it: a secret is an HMAC with a key of the pepper
-- file, or an Argon2id hash.
CREATE TABLE pinset_pins (
  -- The order of the list.
  id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  pinset      text NOT NULL CHECK (pinset = lower(pinset)),
  account     text NOT NULL CHECK (octet_length(account) BETWEEN 1 AND 79),
  secret      text NOT NULL
              CHECK (secret ~ '^(hmac-sha256:[A-Za-z0-9_-]{1,32}:[0-9a-f]{64}|\$argon2id\$.+)$'),
  digest      bytea GENERATED ALWAYS AS
              (CASE WHEN secret LIKE 'hmac-sha256:%' THEN decode(right(secret, 64), 'hex') END) STORED,
  -- Of an Argon2id hash: its memory in KiB times its passes.
  cost        bigint GENERATED ALWAYS AS
              (substring(secret FROM '^\$argon2id\$v=19\$m=([0-9]{1,7}),')::bigint
               * substring(secret FROM ',t=([0-9]{1,4}),')::bigint) STORED,
  -- As the module normalizes it: digits, with + and the country code if it has one.
  caller      text CHECK (caller ~ '^\+?[0-9]+$'),
  name        text,
  level       smallint NOT NULL DEFAULT 0 CHECK (level BETWEEN 0 AND 255),
  enabled     boolean NOT NULL DEFAULT true,
  valid_from  timestamptz,
  valid_until timestamptz CHECK (valid_until > valid_from),
  max_uses    integer CHECK (max_uses > 0),
  context     text,
  uses        integer NOT NULL DEFAULT 0,
  -- The token of the latest use, by which a node finds out whether it was its own.
  last_use    uuid
) WITH (fillfactor = 90);

CREATE INDEX pinset_pins_digest  ON pinset_pins (digest, pinset) WHERE digest IS NOT NULL;
CREATE INDEX pinset_pins_caller  ON pinset_pins (caller, pinset) WHERE caller IS NOT NULL;
CREATE INDEX pinset_pins_account ON pinset_pins (account, pinset);
CREATE INDEX pinset_pins_cost    ON pinset_pins (pinset, cost) WHERE cost IS NOT NULL;
