-- Times are microseconds since 1970. `body` is the value as JSON, `sum` its checksum; the other columns are there to be
-- indexed, and whoever finds a row by them checks its body. NULL in an indexed column keeps the row out of the index.

-- Artists: the row is the truth, keys and feed are projections of it.
CREATE TABLE artists (
    id      TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    fence   INTEGER NOT NULL,
    body    TEXT NOT NULL,
    sum     INTEGER NOT NULL
);
CREATE TABLE style_keys (
    gsi1pk    TEXT NOT NULL,
    gsi1sk    TEXT NOT NULL,
    artist_id TEXT NOT NULL,
    version   INTEGER NOT NULL,
    PRIMARY KEY (gsi1pk, gsi1sk)
) WITHOUT ROWID;
CREATE INDEX style_keys_of_artist ON style_keys (artist_id);
CREATE TABLE instagram_keys (
    gsi2pk    TEXT NOT NULL,
    artist_id TEXT NOT NULL,
    version   INTEGER NOT NULL,
    PRIMARY KEY (gsi2pk, artist_id)
) WITHOUT ROWID;
CREATE INDEX instagram_keys_of_artist ON instagram_keys (artist_id);

-- AUTOINCREMENT keeps the sequence gapless, and rising after a prune.
CREATE TABLE feed (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    artist_id TEXT NOT NULL,
    hint      INTEGER NOT NULL,
    at        INTEGER NOT NULL
);
CREATE TABLE feed_positions (
    reader   TEXT NOT NULL,
    shard    INTEGER NOT NULL,
    epoch    INTEGER NOT NULL,
    position TEXT NOT NULL,
    PRIMARY KEY (reader, shard)
) WITHOUT ROWID;

-- Identity: `artist_id` is NULL for a shared key.
CREATE TABLE identity (
    key       TEXT PRIMARY KEY,
    artist_id TEXT
) WITHOUT ROWID;
CREATE INDEX identity_of_artist ON identity (artist_id) WHERE artist_id IS NOT NULL;
CREATE TABLE evidence (
    artist_id  TEXT NOT NULL,
    source_key TEXT NOT NULL,
    fence      INTEGER NOT NULL,
    body       TEXT NOT NULL,
    sum        INTEGER NOT NULL,
    PRIMARY KEY (artist_id, source_key)
);

-- The ledger. `due_at`: when a message should be sent; `startable_at`: when an attempt may begin; NULL once terminal.
CREATE TABLE jobs (
    id           TEXT PRIMARY KEY,
    session_id   TEXT NOT NULL,
    step         TEXT NOT NULL,
    kind         TEXT NOT NULL,
    state        TEXT NOT NULL,
    host         TEXT NOT NULL,
    line_at      INTEGER NOT NULL,
    due_at       INTEGER,
    startable_at INTEGER,
    owner        TEXT,
    created_at   INTEGER NOT NULL,
    settled_at   INTEGER,
    category     TEXT,
    alert_owed   INTEGER NOT NULL,
    body         TEXT NOT NULL,
    sum          INTEGER NOT NULL
);
CREATE INDEX jobs_in_line ON jobs (host, line_at, id, due_at, state) WHERE due_at IS NOT NULL;
CREATE INDEX jobs_out ON jobs (host) WHERE state IN ('SENT', 'RUNNING');
CREATE INDEX jobs_running ON jobs (owner) WHERE state = 'RUNNING';
CREATE INDEX jobs_startable ON jobs (startable_at) WHERE startable_at IS NOT NULL;
CREATE INDEX jobs_open_by_age ON jobs (created_at) WHERE due_at IS NOT NULL;
CREATE INDEX jobs_of_session ON jobs (session_id, id);
CREATE INDEX jobs_of_session_by_state ON jobs (session_id, state, id);
CREATE INDEX letters ON jobs (settled_at, id) WHERE state = 'DEAD';
CREATE INDEX letters_of_session ON jobs (session_id, settled_at, id) WHERE state = 'DEAD';
CREATE INDEX letters_of_category ON jobs (category, settled_at, id) WHERE state = 'DEAD';
CREATE INDEX jobs_owing_alert ON jobs (id) WHERE alert_owed = 1;

-- Exact counts, kept by the same transaction as the rows they count.
CREATE TABLE job_counts (
    session_id TEXT NOT NULL,
    step       TEXT NOT NULL,
    state      TEXT NOT NULL,
    n          INTEGER NOT NULL,
    PRIMARY KEY (session_id, step, state)
) WITHOUT ROWID;
CREATE TRIGGER job_made AFTER INSERT ON jobs BEGIN
    INSERT INTO job_counts VALUES (new.session_id, new.step, new.state, 1)
        ON CONFLICT (session_id, step, state) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER job_moved AFTER UPDATE OF state ON jobs WHEN old.state <> new.state BEGIN
    UPDATE job_counts SET n = n - 1 WHERE session_id = old.session_id AND step = old.step AND state = old.state;
    DELETE FROM job_counts WHERE session_id = old.session_id AND step = old.step AND state = old.state AND n = 0;
    INSERT INTO job_counts VALUES (new.session_id, new.step, new.state, 1)
        ON CONFLICT (session_id, step, state) DO UPDATE SET n = n + 1;
END;
CREATE TRIGGER job_dropped AFTER DELETE ON jobs BEGIN
    UPDATE job_counts SET n = n - 1 WHERE session_id = old.session_id AND step = old.step AND state = old.state;
    DELETE FROM job_counts WHERE session_id = old.session_id AND step = old.step AND state = old.state AND n = 0;
END;

CREATE TABLE attempts (
    job_id     TEXT NOT NULL,
    generation INTEGER NOT NULL,
    number     INTEGER NOT NULL,
    body       TEXT NOT NULL,
    sum        INTEGER NOT NULL,
    PRIMARY KEY (job_id, generation, number)
);
-- Which jobs staged a write of which artist, and which jobs, open or over, name whom: what a removal must erase.
CREATE TABLE staged (
    artist_id TEXT NOT NULL,
    job_id    TEXT NOT NULL,
    PRIMARY KEY (artist_id, job_id)
) WITHOUT ROWID;
CREATE TABLE open_job_keys (
    key    TEXT NOT NULL,
    job_id TEXT NOT NULL,
    PRIMARY KEY (key, job_id)
) WITHOUT ROWID;
CREATE INDEX open_job_keys_of_job ON open_job_keys (job_id);

CREATE TABLE sessions (
    id            TEXT PRIMARY KEY,
    pipeline      TEXT NOT NULL,
    scheduled_for INTEGER NOT NULL,
    epoch         INTEGER NOT NULL,
    created_at    INTEGER NOT NULL,
    open          INTEGER NOT NULL,
    alert_owed    INTEGER NOT NULL,
    body          TEXT NOT NULL,
    sum           INTEGER NOT NULL,
    UNIQUE (pipeline, scheduled_for)
);
CREATE INDEX sessions_by_age ON sessions (created_at, id);
CREATE INDEX sessions_open ON sessions (created_at, id) WHERE open = 1;
CREATE INDEX sessions_owing_alert ON sessions (id) WHERE alert_owed = 1;

CREATE TABLE studios (
    id         TEXT PRIMARY KEY,
    updated_at INTEGER NOT NULL,
    body       TEXT NOT NULL,
    sum        INTEGER NOT NULL
);

CREATE TABLE sightings (
    artist_id  TEXT NOT NULL,
    source_key TEXT NOT NULL,
    source     TEXT NOT NULL,
    misses     INTEGER NOT NULL,
    gone       INTEGER NOT NULL,
    own_page   INTEGER NOT NULL,
    PRIMARY KEY (artist_id, source_key)
) WITHOUT ROWID;
CREATE INDEX sightings_at_source ON sightings (source_key, artist_id);
CREATE TABLE absence_proposals (
    session_id TEXT NOT NULL,
    artist_id  TEXT NOT NULL,
    source_key TEXT NOT NULL,
    absence    TEXT NOT NULL,
    source     TEXT NOT NULL,
    PRIMARY KEY (session_id, artist_id, source_key, absence)
) WITHOUT ROWID;
CREATE INDEX absence_proposals_of_artist ON absence_proposals (artist_id);
CREATE TABLE absences_counted (
    artist_id  TEXT NOT NULL,
    source_key TEXT NOT NULL,
    absence    TEXT NOT NULL,
    night      INTEGER NOT NULL,
    PRIMARY KEY (artist_id, source_key, absence, night)
) WITHOUT ROWID;

CREATE TABLE leases (
    name  TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    until INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE denylist (
    hash TEXT PRIMARY KEY,
    at   INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE audit (
    seq  INTEGER PRIMARY KEY AUTOINCREMENT,
    body TEXT NOT NULL,
    sum  INTEGER NOT NULL
);
CREATE TABLE host_back_offs (
    host  TEXT PRIMARY KEY,
    until INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX host_back_offs_by_end ON host_back_offs (until);

-- The queue. A message is delayed or visible (`receipt` NULL or run out), or in flight until `visible_at`.
CREATE TABLE messages (
    id            INTEGER PRIMARY KEY AUTOINCREMENT,
    body          BLOB NOT NULL,
    visible_at    INTEGER NOT NULL,
    receive_count INTEGER NOT NULL,
    receipt       TEXT,
    received_at   INTEGER
);
CREATE INDEX messages_by_visibility ON messages (visible_at, id, receipt);
CREATE INDEX messages_received ON messages (visible_at) WHERE receipt IS NOT NULL;
