-- Format 1 of the broker's store. Indices are positions in a log; sealed columns are opaque here.
-- Rows are keyed by what grows (an index, a bulletin's seq) and appended; only three trees are ordered
-- by random identities (bulletin.id, its nonce, statement), so that a commit dirties few pages.

CREATE TABLE log (
    log INTEGER PRIMARY KEY,             -- 0 directory, 1 evidence
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    time INTEGER NOT NULL,
    note_size INTEGER,                   -- newest signed head, once there is one
    note BLOB
) STRICT;

CREATE TABLE leaf (
    log INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    leaf BLOB NOT NULL,
    PRIMARY KEY (log, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE tile (
    log INTEGER NOT NULL,
    level INTEGER NOT NULL,
    n INTEGER NOT NULL,
    hashes BLOB NOT NULL,
    PRIMARY KEY (log, level, n)
) STRICT;

CREATE TABLE cosignature (
    log INTEGER NOT NULL,
    agency TEXT NOT NULL,
    size INTEGER NOT NULL,
    time INTEGER NOT NULL,
    lines BLOB NOT NULL,
    PRIMARY KEY (log, agency)
) STRICT;

CREATE TABLE package (                   -- agreements: what the directory leaf only commits to
    idx INTEGER PRIMARY KEY,
    package BLOB NOT NULL
) STRICT;

CREATE TABLE anchor (
    idx INTEGER PRIMARY KEY,
    size INTEGER NOT NULL,
    root BLOB NOT NULL
) STRICT;

CREATE TABLE entry (
    idx INTEGER PRIMARY KEY,
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    number INTEGER NOT NULL,
    event TEXT NOT NULL,
    bulletin BLOB,
    issuer TEXT NOT NULL,
    time INTEGER NOT NULL,
    record_day INTEGER NOT NULL,
    record BLOB NOT NULL                 -- sealed
) STRICT;

CREATE TABLE mailbox (
    agency TEXT NOT NULL,
    idx INTEGER NOT NULL,
    PRIMARY KEY (agency, idx)
) STRICT, WITHOUT ROWID;

CREATE TABLE corridor (
    sender TEXT NOT NULL,
    recipient TEXT NOT NULL,
    number INTEGER NOT NULL,
    idx INTEGER NOT NULL,
    PRIMARY KEY (sender, recipient)
) STRICT, WITHOUT ROWID;

CREATE TABLE statement (
    identity BLOB NOT NULL,
    recipient TEXT NOT NULL,
    idx INTEGER NOT NULL,
    PRIMARY KEY (identity, recipient)
) STRICT, WITHOUT ROWID;

CREATE TABLE bulletin (
    seq INTEGER PRIMARY KEY,
    id BLOB NOT NULL UNIQUE,
    sender TEXT NOT NULL,
    nonce BLOB NOT NULL,
    header_identity BLOB NOT NULL,
    ciphertext_length INTEGER NOT NULL,  -- outlives the body: the bulletin id is proven with it
    ciphertext_digest BLOB NOT NULL,
    due_day INTEGER NOT NULL,
    record_day INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    UNIQUE (sender, nonce)
) STRICT;

CREATE TABLE body (                      -- apart, so that facts are read without bodies
    seq INTEGER PRIMARY KEY REFERENCES bulletin (seq),
    header BLOB NOT NULL,                -- sealed
    ciphertext BLOB NOT NULL
) STRICT;

CREATE TABLE delivery (
    seq INTEGER NOT NULL REFERENCES bulletin (seq),
    recipient TEXT NOT NULL,
    sender TEXT NOT NULL,
    state TEXT NOT NULL,
    submitted INTEGER NOT NULL,
    last INTEGER NOT NULL,
    consignments INTEGER NOT NULL,
    expires INTEGER NOT NULL,
    answer_by INTEGER,
    due_day INTEGER NOT NULL,
    deadline INTEGER,
    PRIMARY KEY (seq, recipient)
) STRICT, WITHOUT ROWID;

CREATE INDEX delivery_deadline ON delivery (deadline) WHERE deadline IS NOT NULL;

CREATE TABLE stanza (
    seq INTEGER NOT NULL,
    recipient TEXT NOT NULL,
    due_day INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (seq, recipient),
    FOREIGN KEY (seq, recipient) REFERENCES delivery (seq, recipient)
) STRICT;

CREATE TABLE signature (
    key BLOB NOT NULL,
    size INTEGER NOT NULL,
    root BLOB NOT NULL,
    signature BLOB NOT NULL,
    PRIMARY KEY (key, size, root)
) STRICT;
