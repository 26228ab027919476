"""Tables of a desk's store, and what its rows are."""

from __future__ import annotations

import enum
from typing import Final

APPLICATION_ID: Final = 0x5A504454
"""Marks the file as a Saphan desk's ("ZPDT")."""
FORMAT: Final = 2
SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS rows (
    seq INTEGER PRIMARY KEY, shelf INTEGER NOT NULL, place BLOB NOT NULL, sealed BLOB NOT NULL);
CREATE UNIQUE INDEX IF NOT EXISTS rows_place ON rows (shelf, place);
CREATE TABLE IF NOT EXISTS parts (
    place BLOB NOT NULL, n INTEGER NOT NULL, sealed BLOB NOT NULL,
    PRIMARY KEY (place, n)) WITHOUT ROWID;
"""
DAYS: Final = """
ALTER TABLE rows ADD COLUMN day INTEGER;
ALTER TABLE parts ADD COLUMN day INTEGER;
CREATE INDEX rows_day ON rows (day) WHERE day IS NOT NULL;
CREATE INDEX parts_day ON parts (day) WHERE day IS NOT NULL;
"""
"""Format 2."""


class Shelf(enum.IntEnum):
    """Kinds of rows; how many there are of each is all that the file shows."""

    STATE = 1
    INBOX = 2
    OPENED = 3
    STATUS = 4
    DRAFTS = 5
    OUTBOX = 6
    FILES = 7
    TYPES = 8
    KEEPING = 9
    ERASED = 10
    EXPORTS = 11
    FORMS = 12
    SEARCH = 13
    OWED = 14
