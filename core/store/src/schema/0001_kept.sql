-- What is kept for good: events and what cannot be recomputed from them.

CREATE TABLE event (
    seq          INTEGER PRIMARY KEY,
    at_ms        INTEGER NOT NULL,
    monotonic_ms INTEGER NOT NULL,
    boot_id      INTEGER NOT NULL,
    operator     TEXT,
    -- 0 for the ledger, else the number of the subject's first event.
    subject      INTEGER NOT NULL,
    kind         TEXT NOT NULL,
    body_version INTEGER NOT NULL,
    body         TEXT NOT NULL,
    hash         BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

CREATE INDEX event_subject ON event (subject, seq);

CREATE TRIGGER event_is_not_updated BEFORE UPDATE ON event
BEGIN SELECT RAISE(ABORT, 'events are never updated'); END;

CREATE TRIGGER event_is_not_deleted BEFORE DELETE ON event
BEGIN SELECT RAISE(ABORT, 'events are never deleted'); END;

-- Every kind and version ever written: a build that does not know one opens the ledger read-only.
CREATE TABLE event_kind (
    kind         TEXT NOT NULL,
    body_version INTEGER NOT NULL,
    PRIMARY KEY (kind, body_version)
) STRICT, WITHOUT ROWID;

CREATE TABLE meta (
    key   TEXT NOT NULL PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Signed documents (policies, terms, calendars) by the SHA-256 of their exact bytes.
CREATE TABLE reference (
    digest TEXT NOT NULL PRIMARY KEY,
    kind   TEXT NOT NULL,
    bytes  BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- The reader's ciphertext: deletable, so never in an event.
CREATE TABLE card_blob (
    subject INTEGER PRIMARY KEY REFERENCES event (seq),
    bytes   BLOB NOT NULL
) STRICT;

-- Hints heard from the acquirer's feed, and whether they were followed.
CREATE TABLE inbox (
    event_id TEXT NOT NULL PRIMARY KEY,
    feed_seq INTEGER NOT NULL,
    kind     TEXT NOT NULL,
    subject  TEXT NOT NULL,
    version  INTEGER,
    state    TEXT NOT NULL CHECK (state IN ('pending', 'done'))
) STRICT, WITHOUT ROWID;

CREATE INDEX inbox_pending ON inbox (feed_seq) WHERE state = 'pending';

-- Alerts heard by the merchant, up to and including this number.
CREATE TABLE alert_ack (
    id   INTEGER PRIMARY KEY CHECK (id = 1),
    upto INTEGER NOT NULL
) STRICT;
