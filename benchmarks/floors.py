"""Floors 1 and 2: what one core and this disk do without any of our code around it."""

from __future__ import annotations

import os
import sqlite3
import statistics
import time
from pathlib import Path
from typing import Final

from saphan_broker.keys import LogKeys
from saphan_protocol.checkpoint import verify_head
from saphan_protocol.keys import SigningKey
from saphan_schemas.records import Role

MESSAGE_BYTES = 256
SIGNED: Final = 4
"""By one bulletin's way: inner record and consignment, handover, accepted."""
CHECKED: Final = 6
"""The last three by the broker, consignment and author by the recipient's node, accepted by the
sender's."""
HEADS: Final = 3
"""One for each commit of the broker, checked by the node that waits for it."""


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


def way_of_signatures(seconds: float) -> float:
    """Milliseconds of what one bulletin's way from submission to receipt signs and checks.

    Each step needs the one before, so no number of cores makes a receipt quicker than this;
    network, disk, sealing and everything of ours come on top. The median: ML-DSA's time varies.
    """
    key = SigningKey(Role.NODE, os.urandom(64))
    log = LogKeys("bench.example/evidence/1", os.urandom(32), os.urandom(32))
    message, verifying, root = os.urandom(MESSAGE_BYTES), key.verifying(), os.urandom(32)
    took, begin = list[float](), time.perf_counter()
    while (now := time.perf_counter()) - begin < seconds:
        signatures = [key.sign(message) for _ in range(SIGNED)]
        for number in range(CHECKED):
            verifying.verify(message, signatures[number % SIGNED])
        for size in range(1, HEADS + 1):
            verify_head(log.sign_head(size, root, 1).note, log.pair)
        took.append(time.perf_counter() - now)
    return statistics.median(took) * 1000


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
