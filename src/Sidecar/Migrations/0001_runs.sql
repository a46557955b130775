-- One row for each assignment that was ever accepted. What must hold is a constraint here, not a habit in the code.
CREATE TABLE runs (
  run_id                TEXT PRIMARY KEY,
  task_id               TEXT NOT NULL,
  generation            INTEGER NOT NULL CHECK (generation >= 0),
  state                 TEXT NOT NULL CHECK (state IN ('assigned', 'accepted', 'preparing', 'waking', 'confirming', 'working',
                          'verifying', 'submitting', 'completed', 'failed', 'cancelled', 'superseded', 'handed_off', 'settled')),
  nonce                 TEXT NOT NULL,
  profile               TEXT NOT NULL,
  assignment            TEXT NOT NULL,
  wake_attempt          INTEGER NOT NULL,
  pid                   INTEGER,
  start_ticks           INTEGER,
  boot_id               TEXT,
  facts                 TEXT NOT NULL,
  created_at_unix_ms    INTEGER NOT NULL,
  state_since_unix_ms   INTEGER NOT NULL,
  CHECK ((pid IS NULL) = (start_ticks IS NULL) AND (pid IS NULL) = (boot_id IS NULL)),
  CHECK (state NOT IN ('waking', 'confirming', 'working') OR wake_attempt > 0)
) WITHOUT ROWID;

CREATE UNIQUE INDEX one_live_run_for_each_task ON runs (task_id)
  WHERE state NOT IN ('completed', 'failed', 'cancelled', 'superseded', 'handed_off', 'settled');

CREATE INDEX runs_by_task ON runs (task_id, generation);

-- What the hub must hear, in the order it was decided. A row leaves when the hub has acknowledged it. Every tree costs a page
-- in each commit, so there is no more of them than the rules above need.
CREATE TABLE outbox (
  position              INTEGER PRIMARY KEY,
  message_id            TEXT NOT NULL UNIQUE,
  run_id                TEXT NOT NULL REFERENCES runs (run_id),
  task_id               TEXT NOT NULL,
  kind                  TEXT NOT NULL,
  payload               TEXT NOT NULL,
  created_at_unix_ms    INTEGER NOT NULL
);

-- What went wrong on this machine and must not be forgotten with the log.
CREATE TABLE incidents (
  code                  TEXT NOT NULL,
  detail                TEXT NOT NULL,
  at_unix_ms            INTEGER NOT NULL
);
