CREATE TABLE tasks (
  task_id               TEXT PRIMARY KEY,
  status                TEXT NOT NULL CHECK (status IN ('queued', 'assigned', 'working', 'retry_wait', 'completed', 'dead_letter', 'cancelled')),
  priority              INTEGER NOT NULL CHECK (priority BETWEEN 0 AND 3),
  spec                  TEXT NOT NULL,
  assigned_to           TEXT,
  assigned_at_unix_ms   INTEGER,
  accept_by_unix_ms     INTEGER,
  lease_until_unix_ms   INTEGER,
  not_before_unix_ms    INTEGER NOT NULL DEFAULT 0,
  generation            INTEGER NOT NULL DEFAULT 0,
  retry_count           INTEGER NOT NULL DEFAULT 0,
  last_error            TEXT,
  result                TEXT,
  verification_report   TEXT,
  tokens_used           INTEGER,
  handed_off_by         TEXT NOT NULL DEFAULT '',
  submitted_by          TEXT NOT NULL,
  created_at_unix_ms    INTEGER NOT NULL,
  updated_at_unix_ms    INTEGER NOT NULL,
  CHECK (status NOT IN ('assigned', 'working') OR (assigned_to IS NOT NULL AND lease_until_unix_ms IS NOT NULL)),
  CHECK (status <> 'assigned' OR accept_by_unix_ms IS NOT NULL)
);

CREATE INDEX tasks_by_status ON tasks (status, priority, created_at_unix_ms);
CREATE INDEX tasks_by_agent ON tasks (assigned_to, status);

CREATE TABLE history (
  entry                 INTEGER PRIMARY KEY AUTOINCREMENT,
  task_id               TEXT NOT NULL REFERENCES tasks (task_id),
  event                 TEXT NOT NULL,
  at_unix_ms            INTEGER NOT NULL,
  details               TEXT
);

CREATE INDEX history_by_task ON history (task_id, entry);

-- Reliable messages that were taken: the same one again is acknowledged and changes nothing.
CREATE TABLE taken (
  task_id               TEXT NOT NULL,
  generation            INTEGER NOT NULL,
  message_id            TEXT NOT NULL,
  answer                TEXT NOT NULL,
  at_unix_ms            INTEGER NOT NULL,
  PRIMARY KEY (task_id, generation, message_id)
) WITHOUT ROWID;

CREATE TABLE tokens (
  name                  TEXT NOT NULL,
  role                  TEXT NOT NULL CHECK (role IN ('agent', 'operator', 'enrol')),
  hash                  TEXT NOT NULL UNIQUE,
  created_at_unix_ms    INTEGER NOT NULL,
  expires_at_unix_ms    INTEGER
);

CREATE INDEX tokens_by_name ON tokens (name);

CREATE TABLE agents (
  agent_id              TEXT PRIMARY KEY,
  name                  TEXT NOT NULL,
  capabilities          TEXT NOT NULL,
  client                TEXT,
  epoch                 INTEGER NOT NULL,
  last_seen_unix_ms     INTEGER NOT NULL
);

CREATE TABLE acknowledged_alerts (
  rule                  TEXT PRIMARY KEY,
  at_unix_ms            INTEGER NOT NULL
);
