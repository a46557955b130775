-- Whether this machine takes work. One row; written before anybody is told, and read inside the accept transaction.
CREATE TABLE intake (
  id                    INTEGER PRIMARY KEY CHECK (id = 1),
  mode                  TEXT NOT NULL CHECK (mode IN ('open', 'paused', 'draining')),
  reason                TEXT,
  since_unix_ms         INTEGER NOT NULL,
  until_unix_ms         INTEGER
);

-- Wake profiles whose provider fails; no row means that nothing is known against a profile. Shared by all runs.
CREATE TABLE breakers (
  profile               TEXT PRIMARY KEY,
  failures              INTEGER NOT NULL CHECK (failures > 0),
  opened_at_unix_ms     INTEGER,
  probe_run_id          TEXT,
  last_code             TEXT NOT NULL
) WITHOUT ROWID;

-- Written by the self-test, to see that a commit reaches the disk.
CREATE TABLE self_test (
  id                    INTEGER PRIMARY KEY CHECK (id = 1),
  at_unix_ms            INTEGER NOT NULL
);
