"""Floors 1 and 2: what one core and this disk do without any of our code around it."""

from __future__ import annotations

import os
import sqlite3
import time
from pathlib import Path

from saphan_protocol.keys import SigningKey
from saphan_schemas.records import Role

MESSAGE_BYTES = 256


def composite_checks(seconds: float) -> float:
    """Composite signature checks (ML-DSA-65 and Ed25519) per second on one thread."""
    key = SigningKey(Role.NODE, os.urandom(64))
    message = os.urandom(MESSAGE_BYTES)
    signature, verifying = key.sign(message), key.verifying()
    done, begin = 0, time.perf_counter()
    while (now := time.perf_counter()) - begin < seconds:
        for _ in range(16):
            verifying.verify(message, signature)
        done += 16
    return done / (now - begin)


def composite_signatures(seconds: float) -> float:
    """Composite signatures made per second on one thread."""
    key = SigningKey(Role.NODE, os.urandom(64))
    message = os.urandom(MESSAGE_BYTES)
    done, begin = 0, time.perf_counter()
    while (now := time.perf_counter()) - begin < seconds:
        key.sign(message)
        done += 1
    return done / (now - begin)


def sqlite_commits(folder: Path, seconds: float) -> float:
    """Transactions of one small row per second: WAL, synchronous=FULL, a sync for each."""
    path = folder / "commits.db"
    db = sqlite3.connect(path, isolation_level=None)
    try:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("CREATE TABLE kept (id BLOB PRIMARY KEY, body BLOB) WITHOUT ROWID")
        done, begin = 0, time.perf_counter()
        while (now := time.perf_counter()) - begin < seconds:
            db.execute("INSERT INTO kept VALUES (?, ?)", (os.urandom(32), b"x" * 64))
            done += 1
        return done / (now - begin)
    finally:
        db.close()
        for suffix in ("", "-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
