"""A node that has lost its store, as after a restore of its keys alone."""

from __future__ import annotations

import shutil
from contextlib import closing

from saphan.node.restored import mark_restored
from saphan.node.rows.db import Database

from support.bridge import Bridge


def lose_store(bridge: Bridge, agency: str) -> None:
    """The store is gone, all keys but the witness's are there: as after a restore of keys only."""
    folder = bridge.place / agency / "node" / "data"
    keys = folder / "archive-keys"
    for path in folder.iterdir():
        if path.is_dir() and path != keys:
            shutil.rmtree(path)
        elif path != keys:
            path.unlink()
    (bridge.place / agency / "node" / "witness.key").unlink()
    with closing(Database(folder)) as db, db.transaction() as tx:
        mark_restored(tx, bridge.clock())
