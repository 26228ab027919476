-- Format 3: what is due goes. Headers and ciphertexts part, because the ciphertext goes first. A
-- ciphertext lies in the table of its day (body_<day>: place INTEGER PRIMARY KEY, ciphertext BLOB;
-- made and dropped as days come and go), where rows are appended only: a row that SQLite never
-- moved from page to page has left no copy behind when it is overwritten.

CREATE TABLE header (
    seq INTEGER PRIMARY KEY REFERENCES bulletin (seq),
    header BLOB NOT NULL                 -- sealed
) STRICT;

INSERT INTO header SELECT seq, header FROM body;

ALTER TABLE body RENAME TO body_before;

CREATE TABLE body (                      -- where a ciphertext is that is not destroyed
    seq INTEGER PRIMARY KEY REFERENCES bulletin (seq),
    day INTEGER NOT NULL,
    place INTEGER NOT NULL
) STRICT;

CREATE TABLE body_day (                  -- days that have a table
    day INTEGER PRIMARY KEY,
    live INTEGER NOT NULL,               -- ciphertexts in it
    last INTEGER NOT NULL                -- place of the newest row it ever had
) STRICT;

ALTER TABLE delivery ADD COLUMN destroyed INTEGER;
ALTER TABLE delivery ADD COLUMN holds INTEGER NOT NULL DEFAULT 0;

CREATE INDEX delivery_due ON delivery (due_day, submitted)
    WHERE deadline IS NULL AND destroyed IS NULL AND holds = 0;

CREATE INDEX delivery_held ON delivery (due_day) WHERE holds > 0 AND destroyed IS NULL;

ALTER TABLE stanza ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
ALTER TABLE stanza ADD COLUMN day INTEGER NOT NULL DEFAULT 0;  -- due_day, or the delivery's unless held

CREATE INDEX stanza_day ON stanza (day);

CREATE INDEX stanza_held ON stanza (due_day) WHERE held = 1;

CREATE TABLE hold (
    target INTEGER NOT NULL,
    hold_order BLOB NOT NULL,
    agency TEXT NOT NULL,
    seq INTEGER NOT NULL REFERENCES bulletin (seq),
    recipient TEXT NOT NULL,
    held INTEGER NOT NULL,
    released INTEGER,
    PRIMARY KEY (target, hold_order)
) STRICT, WITHOUT ROWID;

CREATE INDEX hold_seq ON hold (seq);

CREATE TABLE forgotten (                 -- so that no seq is given twice
    only INTEGER PRIMARY KEY CHECK (only = 1),
    seq INTEGER NOT NULL                 -- highest one that was forgotten
) STRICT;

INSERT INTO forgotten VALUES (1, 0);

-- Found by age: bulletins and signatures by their record day, statements by their entry.

CREATE INDEX bulletin_record ON bulletin (record_day);

CREATE INDEX statement_entry ON statement (idx);

ALTER TABLE signature ADD COLUMN record_day INTEGER NOT NULL DEFAULT 0;

UPDATE signature SET record_day = coalesce((SELECT max(record_day) FROM entry), 0);

CREATE INDEX signature_record ON signature (record_day);
