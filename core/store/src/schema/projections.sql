-- What follows from the events. Dropped and recomputed when its version changes.

CREATE TABLE payment (
    key                  INTEGER PRIMARY KEY REFERENCES event (seq),
    payment_id           BLOB NOT NULL UNIQUE CHECK (length(payment_id) = 16),
    amount_minor         INTEGER NOT NULL,
    currency             TEXT NOT NULL,
    captured_on          TEXT NOT NULL,
    order_reference      TEXT,
    stan                 INTEGER NOT NULL,
    batch_number         TEXT NOT NULL,
    operator             TEXT,
    captured_at_ms       INTEGER NOT NULL,
    scheme               TEXT,
    entry_mode           TEXT,
    card_first           TEXT,
    last_four            TEXT,
    class                TEXT,
    delivery             TEXT,
    deadline_ms          INTEGER,
    report_version       INTEGER,
    authorization        TEXT,
    clearing             TEXT,
    arrival              TEXT,
    evidence             TEXT NOT NULL,
    response_code        TEXT,
    rrn                  TEXT,
    auth_code            TEXT,
    approved_minor       INTEGER,
    accepted_at_ms       INTEGER,
    expected_date        TEXT,
    expected_provisional INTEGER NOT NULL,
    withheld_minor       INTEGER,
    service_given        INTEGER,
    payout_id            TEXT,
    gross_minor          INTEGER,
    fee_minor            INTEGER,
    net_minor            INTEGER,
    taken_minor          INTEGER NOT NULL,
    cause                TEXT,
    stage                TEXT NOT NULL,
    attention_after_ms   INTEGER,
    notice_after_ms      INTEGER,
    unsent               INTEGER NOT NULL,
    open_work            INTEGER NOT NULL,
    payout_key           INTEGER,
    from_acquirer        INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Every index ends in the key, the rowid: pages go by it, newest first.
CREATE INDEX payment_stage ON payment (stage);
CREATE INDEX payment_captured_on ON payment (captured_on);
CREATE INDEX payment_amount ON payment (amount_minor);
CREATE INDEX payment_last_four ON payment (last_four) WHERE last_four IS NOT NULL;
CREATE INDEX payment_order ON payment (order_reference) WHERE order_reference IS NOT NULL;
CREATE INDEX payment_payout ON payment (payout_key) WHERE payout_key IS NOT NULL;
CREATE INDEX payment_attention ON payment (attention_after_ms) WHERE attention_after_ms IS NOT NULL;
CREATE INDEX payment_notice ON payment (notice_after_ms) WHERE notice_after_ms IS NOT NULL;
CREATE INDEX payment_unsent ON payment (currency, captured_at_ms) WHERE unsent = 1;
CREATE INDEX payment_open_work ON payment (open_work) WHERE open_work = 1;

CREATE TABLE attempt (
    subject       INTEGER NOT NULL REFERENCES payment (key),
    number        INTEGER NOT NULL,
    attempt_id    BLOB NOT NULL,
    reader_serial TEXT,
    started_at_ms INTEGER NOT NULL,
    ended         TEXT,
    outcome       TEXT,
    PRIMARY KEY (subject, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE payout (
    key              INTEGER PRIMARY KEY REFERENCES event (seq),
    payout_id        TEXT NOT NULL UNIQUE,
    report_version   INTEGER NOT NULL,
    status           TEXT NOT NULL,
    direction        TEXT NOT NULL,
    currency         TEXT NOT NULL,
    gross_minor      INTEGER NOT NULL,
    fee_minor        INTEGER NOT NULL,
    net_minor        INTEGER NOT NULL,
    entry_count      INTEGER NOT NULL,
    entries_heard    INTEGER NOT NULL,
    complete         INTEGER NOT NULL,
    difference_minor INTEGER,
    business_date    TEXT NOT NULL,
    expected_date    TEXT,
    overdue_after_ms INTEGER,
    notice_after_ms  INTEGER,
    arrived_at_ms    INTEGER,
    evidence         TEXT NOT NULL,
    end_to_end_id    TEXT,
    bank_reference   TEXT,
    reissue_of       TEXT,
    failure_code     TEXT
) STRICT;

CREATE INDEX payout_status ON payout (status);
CREATE INDEX payout_reissue ON payout (reissue_of) WHERE reissue_of IS NOT NULL;
CREATE INDEX payout_notice ON payout (notice_after_ms) WHERE notice_after_ms IS NOT NULL;
CREATE INDEX payout_incomplete ON payout (complete) WHERE complete = 0;

CREATE TABLE payout_entry (
    payout       INTEGER NOT NULL REFERENCES payout (key),
    number       INTEGER NOT NULL,
    entry_id     TEXT NOT NULL,
    entry_type   TEXT NOT NULL,
    payment_id   BLOB,
    captured_on  TEXT,
    gross_minor  INTEGER NOT NULL,
    fee_minor    INTEGER NOT NULL,
    net_minor    INTEGER NOT NULL,
    PRIMARY KEY (payout, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX payout_entry_payment ON payout_entry (payment_id) WHERE entry_type = 'payment';

-- Payouts whose change has not reached all their payments yet, and the last line it reached: survives a crash.
CREATE TABLE spread (
    payout INTEGER PRIMARY KEY REFERENCES payout (key),
    after  INTEGER NOT NULL
) STRICT;

CREATE TABLE to_do (
    subject       INTEGER PRIMARY KEY REFERENCES payment (key),
    lane          TEXT NOT NULL,
    due_ms        INTEGER NOT NULL,
    hold_until_ms INTEGER,
    deadline_ms   INTEGER
) STRICT;

CREATE INDEX to_do_lane ON to_do (lane);
CREATE INDEX to_do_due ON to_do (max(due_ms, ifnull(hold_until_ms, due_ms)));
CREATE INDEX to_do_deadline ON to_do (deadline_ms) WHERE deadline_ms IS NOT NULL;

CREATE TABLE balance (
    account      TEXT NOT NULL,
    currency     TEXT NOT NULL,
    business_day TEXT NOT NULL,
    amount_minor INTEGER NOT NULL,
    PRIMARY KEY (account, currency, business_day)
) STRICT, WITHOUT ROWID;

CREATE TABLE takings (
    captured_on  TEXT NOT NULL,
    currency     TEXT NOT NULL,
    stage        TEXT NOT NULL,
    count        INTEGER NOT NULL,
    amount_minor INTEGER NOT NULL,
    PRIMARY KEY (captured_on, currency, stage)
) STRICT, WITHOUT ROWID;

-- Payments the acquirer has not confirmed, and those of them that were accepted offline and still move.
CREATE TABLE waiting (
    what         TEXT NOT NULL,
    currency     TEXT NOT NULL,
    count        INTEGER NOT NULL,
    amount_minor INTEGER NOT NULL,
    PRIMARY KEY (what, currency)
) STRICT, WITHOUT ROWID;

CREATE TABLE alert (
    seq          INTEGER PRIMARY KEY REFERENCES event (seq),
    kind         TEXT NOT NULL,
    subject      INTEGER NOT NULL,
    version      INTEGER NOT NULL,
    amount_minor INTEGER,
    currency     TEXT
) STRICT;

CREATE UNIQUE INDEX alert_once ON alert (subject, kind, version);
