"""Tables of the node's store. Times are ms UTC, `idx` a place in the evidence logs (`places`)."""

from __future__ import annotations

from typing import Final

from saphan.node.rows.places import SUCCESSIONS

FORMAT: Final = 7
"""Format of the stored data; a newer one is refused, never guessed at."""

APPLICATION_ID: Final = 0x5A504E44
"""Marks the file as a Saphan node's ("ZPND"), so that another program's database is refused."""

SCHEMA: Final = """
CREATE TABLE facts (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;

-- What the logs said, as far as it was verified.
CREATE TABLE leaves (idx INTEGER PRIMARY KEY, leaf BLOB NOT NULL);
CREATE TABLE agreements (
    position INTEGER PRIMARY KEY, identity BLOB NOT NULL UNIQUE, package BLOB NOT NULL);
CREATE TABLE heads (
    origin TEXT NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL, time INTEGER NOT NULL,
    note BLOB NOT NULL, witnesses TEXT NOT NULL, PRIMARY KEY (origin, size)) WITHOUT ROWID;
CREATE TABLE anchors (idx INTEGER PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL);
CREATE TABLE corridors (
    sender TEXT NOT NULL, recipient TEXT NOT NULL, number INTEGER NOT NULL, idx INTEGER NOT NULL,
    PRIMARY KEY (sender, recipient)) WITHOUT ROWID;
CREATE TABLE entries (
    idx INTEGER PRIMARY KEY, bulletin BLOB, event TEXT NOT NULL, time INTEGER NOT NULL,
    sender TEXT NOT NULL, recipient TEXT NOT NULL, issuer TEXT NOT NULL, code TEXT,
    entry BLOB NOT NULL, salt BLOB NOT NULL, statement BLOB NOT NULL, item BLOB, root BLOB,
    head_size INTEGER NOT NULL, path BLOB NOT NULL);
CREATE INDEX entries_of_bulletin ON entries (bulletin, idx);
CREATE TABLE signatures (
    key BLOB NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL, signature BLOB NOT NULL,
    PRIMARY KEY (key, size, root)) WITHOUT ROWID;

-- Bulletins, our own and received; content keys rest wrapped under an archive key.
CREATE TABLE bulletins (
    seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, sender TEXT NOT NULL, nonce BLOB NOT NULL,
    header BLOB NOT NULL, header_id BLOB NOT NULL, digest BLOB NOT NULL,
    wrapped BLOB, wrap_day INTEGER NOT NULL, author BLOB, judged_at INTEGER,
    stored INTEGER NOT NULL, arrived INTEGER UNIQUE);
-- Apart, so that a change of the row beside it does not write the bulletin once more.
CREATE TABLE bodies (seq INTEGER PRIMARY KEY, ciphertext BLOB NOT NULL);
CREATE UNIQUE INDEX bulletins_nonce ON bulletins (sender, nonce);
CREATE TABLE deliveries (
    bulletin BLOB NOT NULL, recipient TEXT NOT NULL, sender TEXT NOT NULL, state TEXT NOT NULL,
    code TEXT, changed INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0,
    mailbox_key BLOB, stanza BLOB, PRIMARY KEY (bulletin, recipient)) WITHOUT ROWID;
CREATE INDEX deliveries_of_state ON deliveries (state, changed);

-- What must reach the broker; kept until the log shows it.
CREATE TABLE consignments (
    id INTEGER PRIMARY KEY, bulletin BLOB NOT NULL, body BLOB NOT NULL, item BLOB NOT NULL,
    root BLOB NOT NULL, salts BLOB NOT NULL, stanzas BLOB NOT NULL,
    state TEXT NOT NULL, code TEXT);
CREATE INDEX consignments_waiting ON consignments (id) WHERE state = 'waiting';
CREATE INDEX consignments_of_bulletin ON consignments (bulletin);
CREATE TABLE statements (
    id INTEGER PRIMARY KEY, bulletin BLOB NOT NULL, event TEXT NOT NULL, sender TEXT NOT NULL,
    recipient TEXT NOT NULL, body BLOB NOT NULL, item BLOB NOT NULL, root BLOB NOT NULL,
    salt BLOB NOT NULL, state TEXT NOT NULL, code TEXT);
CREATE INDEX statements_waiting ON statements (id) WHERE state = 'waiting';
CREATE INDEX statements_of_bulletin ON statements (bulletin);

-- Who was shown what: stays in the node (design section 4, step 5).
CREATE TABLE readings (
    bulletin BLOB NOT NULL, reader BLOB NOT NULL, handle TEXT, time INTEGER NOT NULL,
    record BLOB, signature BLOB, salt BLOB, PRIMARY KEY (bulletin, reader)) WITHOUT ROWID;
"""

UPGRADES: Final[dict[int, str]] = {
    2: """
-- Sealed bytes that travel in parts and rest in files: place 0 is a ciphertext that came late,
-- i the attachment i-1. `stage`: 0 it is not all here; 1 the file is on disk, length and digest
-- checked; 2 the broker has said that it holds it too (our own only).
CREATE TABLE parts (
    bulletin BLOB NOT NULL, place INTEGER NOT NULL, length INTEGER NOT NULL, digest BLOB NOT NULL,
    stage INTEGER NOT NULL, PRIMARY KEY (bulletin, place)) WITHOUT ROWID;
CREATE INDEX parts_missing ON parts (bulletin) WHERE stage = 0;
-- Those whose content key is not here: few, however many were accepted.
CREATE INDEX bulletins_closed ON bulletins (seq) WHERE wrapped IS NULL;

-- Place in `saphan.compose.URGENCIES`: what is urgent overtakes what waits.
ALTER TABLE bulletins ADD COLUMN urgency INTEGER NOT NULL DEFAULT 0;
ALTER TABLE consignments ADD COLUMN urgency INTEGER NOT NULL DEFAULT 0;
DROP INDEX consignments_waiting;
CREATE INDEX consignments_waiting ON consignments (urgency, id) WHERE state = 'waiting';

-- Who is to be told of a bulletin, and what came of it: step 0 when it comes, then those of the
-- settings. `state`: waiting, told, read (nobody had to be told any more), nobody (none may see
-- it), failed (given up). `code`: exit code of the command, NULL if it did not end by itself.
CREATE TABLE notices (
    bulletin BLOB NOT NULL, step INTEGER NOT NULL, due INTEGER NOT NULL, state TEXT NOT NULL,
    tries INTEGER NOT NULL DEFAULT 0, told INTEGER, code INTEGER,
    PRIMARY KEY (bulletin, step)) WITHOUT ROWID;
CREATE INDEX notices_waiting ON notices (due) WHERE state = 'waiting';
""",
    3: """
-- Revocations and orders that came by another way than the log: they bind here at once.
CREATE TABLE bound (
    position INTEGER PRIMARY KEY, identity BLOB NOT NULL UNIQUE, kind TEXT NOT NULL,
    package BLOB NOT NULL, imported INTEGER NOT NULL, leaves INTEGER NOT NULL);

-- Operations of this agency that its people know: made here, submitted here, or acknowledged.
CREATE TABLE own_operations (
    version INTEGER PRIMARY KEY, identity BLOB NOT NULL, known TEXT NOT NULL,
    time INTEGER NOT NULL);

-- Reasons of rejections whose mailbox key is destroyed, under the key of the bulletin's day.
CREATE TABLE details (
    bulletin BLOB NOT NULL, issuer TEXT NOT NULL, wrapped BLOB NOT NULL,
    PRIMARY KEY (bulletin, issuer)) WITHOUT ROWID;

-- Tokens of the local API, by their SHA-256: of a system (rights, schemas) or of an officer
-- (handle, key). `revoked`: when it was; what has ended stays for a while, so that people see who
-- had one.
CREATE TABLE tokens (
    digest BLOB PRIMARY KEY, name TEXT NOT NULL, rights TEXT NOT NULL, schemas TEXT, handle TEXT,
    key BLOB, made INTEGER NOT NULL, expires INTEGER NOT NULL, used INTEGER, revoked INTEGER
    ) WITHOUT ROWID;
-- First answers to what a system may send again: its idempotency key, the SHA-256 of its request.
CREATE TABLE repeats (
    caller TEXT NOT NULL, key TEXT NOT NULL, request BLOB NOT NULL, bulletin BLOB NOT NULL,
    time INTEGER NOT NULL, PRIMARY KEY (caller, key)) WITHOUT ROWID;
CREATE INDEX repeats_time ON repeats (time);

-- What each officer was shown: one row per bulletin, officer, kind and UTC day; a reading, with
-- the officer's signed record, is one of its own.
CREATE TABLE showings (
    seq INTEGER PRIMARY KEY, bulletin BLOB NOT NULL, handle TEXT NOT NULL, kind TEXT NOT NULL,
    day INTEGER NOT NULL, time INTEGER NOT NULL, record BLOB, signature BLOB);
CREATE UNIQUE INDEX showings_once ON showings (bulletin, handle, kind, day) WHERE record IS NULL;
CREATE UNIQUE INDEX showings_readings ON showings (bulletin, record) WHERE record IS NOT NULL;
CREATE INDEX showings_of_officer ON showings (handle, seq);
CREATE INDEX showings_of_bulletin ON showings (bulletin, seq);

-- Bulletins that wait for a second officer, by the identity of their header. What they say, and
-- the key under which their attachments are sealed already, rests under the archive key of their
-- day until they have left or were refused. `state`: waiting, signed, refused, withdrawn, expired.
CREATE TABLE countersigning (
    id BLOB PRIMARY KEY, header BLOB NOT NULL, author BLOB, day INTEGER NOT NULL,
    stored INTEGER NOT NULL, state TEXT NOT NULL, sealed BLOB, outcome BLOB, bulletin BLOB,
    decided INTEGER) WITHOUT ROWID;
CREATE INDEX countersigning_waiting ON countersigning (stored) WHERE state = 'waiting';

-- Our own deliveries that are on their way under an agreement that is suspended or has ended, as
-- their senders were told: `treatment` is deliver or stop, `agreement` the identity of its text.
CREATE TABLE in_flight (
    bulletin BLOB NOT NULL, recipient TEXT NOT NULL, treatment TEXT NOT NULL,
    agreement BLOB NOT NULL, condition TEXT NOT NULL, since INTEGER NOT NULL,
    PRIMARY KEY (bulletin, recipient)) WITHOUT ROWID;
""",
    4: """
-- Warnings before deadlines, for each delivery without an outcome: at so many hundredths of the
-- time from a bulletin's creation to its deadline (expires, answer_by). `told`: when it was said.
-- By the bulletin's place, so that many rows are written one after the other.
CREATE TABLE warnings (
    seq INTEGER NOT NULL, recipient TEXT NOT NULL, deadline TEXT NOT NULL,
    share INTEGER NOT NULL, due INTEGER NOT NULL, told INTEGER,
    PRIMARY KEY (seq, recipient, deadline, share)) WITHOUT ROWID;
CREATE INDEX warnings_due ON warnings (due) WHERE told IS NULL;

-- Content keys that were given away: the node's signed record, and the 32 bytes of salt under which
-- the statement (its exact bytes) commits to it.
CREATE TABLE disclosures (
    seq INTEGER PRIMARY KEY, bulletin BLOB NOT NULL, record BLOB NOT NULL, signature BLOB NOT NULL,
    salt BLOB NOT NULL, statement BLOB NOT NULL);
CREATE INDEX disclosures_of_bulletin ON disclosures (bulletin);

-- Two histories that this broker's log keys have signed: while one of them stands (`cleared` is
-- NULL), the node does not speak with the broker. `pins`: digest of the lasting pins; `file`: name
-- of the proof in the data folder; `reason`: why a person has cleared it.
CREATE TABLE splits (
    position INTEGER PRIMARY KEY, pins BLOB NOT NULL, origin TEXT NOT NULL, size INTEGER NOT NULL,
    message TEXT NOT NULL, file TEXT NOT NULL UNIQUE, found INTEGER NOT NULL, cleared INTEGER,
    reason TEXT);
-- The newest evidence head that each peer has named in a signed consignment (the entry `idx`), and
-- whether it is of the history known here. `state`: waiting, doubted (asked about in vain), ahead
-- (larger than the log was here), same, differs (then `file`: what was written of it), cleared.
CREATE TABLE seen_heads (
    sender TEXT PRIMARY KEY, idx INTEGER NOT NULL, origin TEXT NOT NULL, size INTEGER NOT NULL,
    root BLOB NOT NULL, state TEXT NOT NULL, file TEXT) WITHOUT ROWID;

-- An anchor's inclusion path, and the size of the head under which it leads; NULL for those that an
-- older release was told.
ALTER TABLE anchors ADD COLUMN head_size INTEGER;
ALTER TABLE anchors ADD COLUMN path BLOB;

-- Entries whose path does not lead yet to a head that the witness policy of their agreement takes;
-- `far`: no chain of steps leads there from the head they rest under, the broker is asked. And how
-- each kept evidence head continues the kept one before it, `start`: an RFC 9162 path.
CREATE TABLE unproven (idx INTEGER PRIMARY KEY, far INTEGER NOT NULL DEFAULT 0);
INSERT INTO unproven SELECT idx, 1 FROM entries;
CREATE INDEX unproven_far ON unproven (idx) WHERE far = 1;
CREATE TRIGGER entries_unproven AFTER INSERT ON entries BEGIN
    INSERT OR IGNORE INTO unproven (idx) VALUES (NEW.idx);
END;
CREATE INDEX entries_of_head ON entries (head_size);
CREATE INDEX heads_witnessed ON heads (origin, size, witnesses) WHERE witnesses != '';
CREATE TABLE steps (size INTEGER PRIMARY KEY, start INTEGER NOT NULL, path BLOB NOT NULL);
CREATE INDEX steps_from ON steps (start);

-- A destroyed ciphertext leaves its length behind, which the bulletin's id covers: stage 3.
CREATE TRIGGER bodies_destroyed BEFORE DELETE ON bodies BEGIN
    INSERT INTO parts SELECT id, 0, length(OLD.ciphertext), digest, 3 FROM bulletins
        WHERE seq = OLD.seq ON CONFLICT DO NOTHING;
END;

-- What was read is accepted, and read: a state of its own.
UPDATE deliveries SET state = 'read' WHERE state = 'accepted' AND EXISTS (SELECT 1 FROM entries e
    WHERE e.bulletin = deliveries.bulletin AND e.recipient = deliveries.recipient
    AND e.event = 'read');
""",
    5: """
-- What bulletins say of each other, by the place of the one that says it: `target` is the other
-- one's id, whether that is here or not. What else a thread is shown by rests sealed under the
-- archive key of the bulletin's day, and all of it goes with the bulletin's bytes.
CREATE TABLE relations (
    seq INTEGER NOT NULL, place INTEGER NOT NULL, kind TEXT NOT NULL, target BLOB NOT NULL,
    PRIMARY KEY (seq, place)) WITHOUT ROWID;
CREATE INDEX relations_of_target ON relations (target);
CREATE TABLE thread_words (seq INTEGER PRIMARY KEY, sealed BLOB NOT NULL);
-- Who owes an answer to a request, while it is watched: `due` once its node has accepted it, `next`
-- when it is looked at again, `told` the share of the time that was warned of last.
CREATE TABLE owed (
    seq INTEGER NOT NULL, replier TEXT NOT NULL, due INTEGER, next INTEGER,
    told INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (seq, replier)) WITHOUT ROWID;
CREATE INDEX owed_unstarted ON owed (seq) WHERE due IS NULL;
CREATE INDEX owed_next ON owed (next) WHERE next IS NOT NULL;
CREATE TRIGGER threads_destroyed AFTER DELETE ON bodies BEGIN
    DELETE FROM relations WHERE seq = OLD.seq;
    DELETE FROM thread_words WHERE seq = OLD.seq;
    DELETE FROM owed WHERE seq = OLD.seq;
END;
-- Bundles of agencies' own schemas, by the digest under which the directory log registers them.
CREATE TABLE schemas (digest BLOB PRIMARY KEY, bundle BLOB NOT NULL);
""",
    6: """
-- How long each bulletin is kept here, by its place. `day`: erased at its first instant, `rule`:
-- why then (a code of `erased`); the nearest of `retain` (its header's day), `near` (what happened
-- to it asks for that) and `planned` (by the rules, once they are armed). `review`: when a person
-- is asked. `closed`: when its matter was, `closing`: how. `facts`: what the days are reckoned
-- from, sealed under the key of its day; `reckoned`: by which rules they were, NULL: they must be.
-- `state`: active, due_review, extended (`extended`: until), deleting (its rows are gone, its files
-- may not be), deleted; held is what stands in `held`. `sealed`: why nobody is shown what it says,
-- though it is here. `erased`: ms UTC.
CREATE TABLE retention (
    seq INTEGER PRIMARY KEY, retain INTEGER NOT NULL, day INTEGER NOT NULL,
    rule TEXT NOT NULL DEFAULT 'due', near INTEGER, near_rule TEXT, planned INTEGER,
    planned_rule TEXT, review INTEGER, closed INTEGER, closing TEXT,
    extended INTEGER NOT NULL DEFAULT 0, state TEXT NOT NULL DEFAULT 'active', sealed TEXT,
    erased INTEGER, facts BLOB, reckoned BLOB);
INSERT INTO retention (seq, retain, day) SELECT seq, wrap_day, wrap_day FROM bulletins;
CREATE INDEX retention_due ON retention (day) WHERE erased IS NULL;
CREATE INDEX retention_planned ON retention (planned) WHERE planned IS NOT NULL;
CREATE INDEX retention_review ON retention (review) WHERE review IS NOT NULL;
CREATE INDEX retention_unreckoned ON retention (seq) WHERE reckoned IS NULL AND erased IS NULL;
CREATE INDEX retention_deleting ON retention (seq) WHERE state = 'deleting';
CREATE INDEX retention_asked ON retention (seq) WHERE state = 'due_review';
CREATE INDEX retention_over ON retention (retain) WHERE state = 'deleted';
CREATE INDEX retention_sealed ON retention (seq) WHERE sealed IS NOT NULL;
CREATE TRIGGER bulletins_retained AFTER INSERT ON bulletins BEGIN
    INSERT INTO retention (seq, retain, day, reckoned) VALUES (NEW.seq, NEW.wrap_day, NEW.wrap_day,
        CASE WHEN NEW.wrapped IS NULL THEN x'' END);
END;
-- What is opened has days to reckon; what names another bulletin may close that one's matter.
CREATE TRIGGER retention_opened AFTER UPDATE OF wrapped ON bulletins
WHEN OLD.wrapped IS NULL AND NEW.wrapped IS NOT NULL BEGIN
    UPDATE retention SET reckoned = NULL WHERE seq = NEW.seq;
END;
CREATE TRIGGER relations_retained AFTER INSERT ON relations BEGIN
    UPDATE retention SET reckoned = NULL WHERE erased IS NULL AND reckoned != x'' AND seq IN (
        SELECT seq FROM bulletins WHERE id = NEW.target
        UNION SELECT seq FROM relations WHERE target = NEW.target);
END;
CREATE TRIGGER retention_rejected AFTER UPDATE OF state ON deliveries
WHEN NEW.state = 'rejected' AND OLD.state != 'rejected' BEGIN
    UPDATE retention SET reckoned = NULL
        WHERE seq = (SELECT seq FROM bulletins WHERE id = NEW.bulletin);
END;
-- What people decided at a review, or between; the reason rests sealed under the bulletin's day.
CREATE TABLE retention_decisions (
    id INTEGER PRIMARY KEY, seq INTEGER NOT NULL, time INTEGER NOT NULL, who TEXT NOT NULL,
    decision TEXT NOT NULL, until INTEGER, reason BLOB);
CREATE INDEX retention_decisions_of ON retention_decisions (seq);

-- Our own bulletins that somebody here has taken back: the statements follow, one for each delivery
-- that the log shows. `open`: 0 when every one of them has an end.
CREATE TABLE recall_orders (
    bulletin BLOB PRIMARY KEY, code TEXT NOT NULL, caller TEXT NOT NULL, time INTEGER NOT NULL,
    open INTEGER NOT NULL DEFAULT 1) WITHOUT ROWID;
CREATE INDEX recall_orders_open ON recall_orders (bulletin) WHERE open = 1;
-- Received bulletins that their sender has taken back by the entry `idx` of this `time`: from then
-- on nobody is shown what they say. `stopped`: before the delivery. `answer`: obeyed, declined
-- (`reason`), or stopped, where none is owed; NULL while one is.
CREATE TABLE recalled (
    bulletin BLOB PRIMARY KEY, idx INTEGER NOT NULL, time INTEGER NOT NULL, code TEXT NOT NULL,
    stopped INTEGER NOT NULL, answer TEXT, reason TEXT, caller TEXT, answered INTEGER)
    WITHOUT ROWID;
CREATE INDEX recalled_open ON recalled (time) WHERE answer IS NULL OR answer = 'declined';
-- Keyed hashes (as in `subjects`) of whom a bulletin named that was recalled for the wrong person:
-- they stay when it goes, until the day `until`, and mark whatever names them later.
CREATE TABLE suppressed (
    token BLOB PRIMARY KEY, kind INTEGER NOT NULL, time INTEGER NOT NULL, until INTEGER NOT NULL)
    WITHOUT ROWID;

-- This agency's hold orders, by the commitment of their directory leaf. `hold`: the hold that each
-- begins (its own name), renews or releases. `terms`, `salt`: NULL where the log alone has shown
-- it; then nothing is destroyed until somebody brings them. `taken`: ms UTC.
CREATE TABLE hold_orders (
    name BLOB PRIMARY KEY, number INTEGER NOT NULL, action TEXT NOT NULL, hold BLOB NOT NULL,
    package BLOB NOT NULL, terms BLOB, salt BLOB, taken INTEGER NOT NULL) WITHOUT ROWID;
-- What follows of them: `newest` is the order by which a hold is reviewed, `known` whether its
-- terms are here, `released` the order that ended it, once the log shows that one.
CREATE TABLE holds (
    name BLOB PRIMARY KEY, newest BLOB NOT NULL, review INTEGER NOT NULL, known INTEGER NOT NULL,
    released BLOB) WITHOUT ROWID;
-- Which bulletins each hold in force keeps; `said`: the log was told of all their deliveries. And
-- those that have not been held against the holds yet, by their places: they count as held.
CREATE TABLE held (
    bulletin BLOB NOT NULL, hold BLOB NOT NULL, said INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (bulletin, hold)) WITHOUT ROWID;
CREATE INDEX held_by ON held (hold);
CREATE INDEX held_unsaid ON held (hold) WHERE said = 0;
CREATE TABLE hold_unsorted (seq INTEGER PRIMARY KEY);
CREATE TRIGGER bulletins_to_hold AFTER INSERT ON bulletins
WHEN EXISTS (SELECT 1 FROM holds WHERE released IS NULL) BEGIN
    INSERT OR IGNORE INTO hold_unsorted VALUES (NEW.seq);
END;
CREATE TRIGGER held_destroyed AFTER DELETE ON bodies BEGIN
    DELETE FROM hold_unsorted WHERE seq = OLD.seq;
END;
-- What the log is told: the `submitted` leaf of a delivery, the hold, the row of the statement; the
-- one that releases it, -1 if there is nothing to release; whether the other side was asked.
CREATE TABLE hold_said (
    target INTEGER NOT NULL, hold BLOB NOT NULL, bulletin BLOB NOT NULL, sender TEXT NOT NULL,
    recipient TEXT NOT NULL, held INTEGER NOT NULL, released INTEGER, asked INTEGER NOT NULL,
    PRIMARY KEY (target, hold)) WITHOUT ROWID;
CREATE INDEX hold_said_of ON hold_said (hold) WHERE released IS NULL;
CREATE INDEX hold_said_bulletin ON hold_said (bulletin, hold);
CREATE INDEX entries_hold_asked ON entries (idx) WHERE event = 'hold_asked';

-- References of bulletins here, as keyed hashes, by place; `kind`: place in `references.KINDS`. And
-- those that are not in it yet: their content key has come, or an older release kept them.
CREATE TABLE subjects (
    token BLOB NOT NULL, seq INTEGER NOT NULL, kind INTEGER NOT NULL, PRIMARY KEY (token, seq))
    WITHOUT ROWID;
CREATE INDEX subjects_of ON subjects (seq);
CREATE TABLE unindexed (seq INTEGER PRIMARY KEY);
INSERT INTO unindexed SELECT seq FROM bulletins WHERE wrapped IS NOT NULL;
CREATE TRIGGER bulletins_to_index AFTER INSERT ON bulletins WHEN NEW.wrapped IS NOT NULL BEGIN
    INSERT OR IGNORE INTO unindexed VALUES (NEW.seq);
END;
CREATE TRIGGER bulletins_opened AFTER UPDATE OF wrapped ON bulletins
WHEN OLD.wrapped IS NULL AND NEW.wrapped IS NOT NULL BEGIN
    INSERT OR IGNORE INTO unindexed VALUES (NEW.seq);
END;
CREATE TRIGGER subjects_destroyed AFTER DELETE ON bodies BEGIN
    DELETE FROM subjects WHERE seq = OLD.seq;
    DELETE FROM unindexed WHERE seq = OLD.seq;
    REPLACE INTO facts VALUES ('subjects_gone', 1);  -- until the table is written anew
END;
-- What was exported of a bulletin: a signed record, and the salt under which the statement (its
-- exact bytes; NULL where the log does not know the bulletin) commits to it.
CREATE TABLE exports (
    seq INTEGER PRIMARY KEY, bulletin BLOB NOT NULL, kind TEXT NOT NULL, record BLOB NOT NULL,
    signature BLOB NOT NULL, salt BLOB NOT NULL, statement BLOB);
CREATE INDEX exports_of_bulletin ON exports (bulletin);
-- Desks (by their officer's key) that were given what a bulletin says. `told`: what the desk has
-- heard of how long it keeps it; `erasure`: the signed confirmation, of several bulletins at once,
-- that it is gone there.
CREATE TABLE desk_copies (
    bulletin BLOB NOT NULL, key BLOB NOT NULL, handle TEXT NOT NULL, given INTEGER NOT NULL,
    told TEXT, erasure INTEGER, PRIMARY KEY (bulletin, key)) WITHOUT ROWID;
-- An older release noted only who read: each officer's key is taken for a desk that has it.
INSERT INTO desk_copies (bulletin, key, handle, given)
    SELECT bulletin, reader, handle, time FROM readings WHERE handle IS NOT NULL;
CREATE INDEX desk_copies_of ON desk_copies (key) WHERE erasure IS NULL;
CREATE TABLE desk_erasures (
    id INTEGER PRIMARY KEY, key BLOB NOT NULL, time INTEGER NOT NULL, record BLOB NOT NULL,
    signature BLOB NOT NULL);
CREATE INDEX desk_copies_erased ON desk_copies (erasure) WHERE erasure IS NOT NULL;
CREATE TRIGGER desk_copies_forgotten AFTER DELETE ON desk_copies
WHEN OLD.erasure IS NOT NULL
AND NOT EXISTS (SELECT 1 FROM desk_copies WHERE erasure = OLD.erasure) BEGIN
    DELETE FROM desk_erasures WHERE id = OLD.erasure;
END;
""",
    7: SUCCESSIONS,
}
"""What each format adds to the one before; a store of an older release is brought up in order."""

KEEP_BODY: Final = (
    "INSERT INTO bodies VALUES ((SELECT seq FROM bulletins WHERE id = ?), ?) ON CONFLICT DO NOTHING"
)
"""(bulletin id, ciphertext) of a bulletin that has just been stored, or was before."""
