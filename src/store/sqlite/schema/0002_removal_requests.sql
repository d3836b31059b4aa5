-- Requests of people to be removed or corrected. `open` says that a request is not ended; only then a row holds anything personal.
CREATE TABLE removal_requests (
    id         TEXT PRIMARY KEY,
    rev        INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    open       INTEGER NOT NULL,
    body       TEXT NOT NULL,
    sum        INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX removal_requests_open ON removal_requests (created_at, id) WHERE open = 1;
