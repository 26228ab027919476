"""The old store, whole, under DATA/ended/NUMBER: for exports and audits, never to be run again.

What a crash means: some of the files are moved and some are not; the same call moves the rest. The
new store is begun only when all of them are away.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

from saphan_broker import private_files
from saphan_broker.blobs.store import FOLDER
from saphan_broker.export_file import file_error, put_file
from saphan_broker.inviting import INVITATION_NAME
from saphan_broker.serving_keys import PINS_NAME
from saphan_broker.store.sqlite_file import STORE_NAME

ENDED_NAME: Final = "ended"
STORE_FILES: Final = tuple(f"{STORE_NAME}{end}" for end in ("", "-wal", "-shm", "-journal"))


def ended_place(data: Path, number: str) -> Path:
    """Where the store of an ended log lies."""
    return data / ENDED_NAME / number


def set_aside(data: Path, number: str, pins: bytes, *, blobs: bool) -> Path:
    """Move the store of log `number` away; idempotent. A server's store stays where it is.

    Args:
        pins: that log's pin file, which tells whose data it is.
        blobs: attachments lie in the data directory too.

    Raises:
        OperatorError: `file_unwritable`, `disk_full`.
    """
    place = ended_place(data, number)
    try:
        for folder in (data, place.parent, place):
            folder.mkdir(mode=0o700, exist_ok=True)
        # The write-ahead log first: without its store it is nothing, and never the new store's.
        for name in (*reversed(STORE_FILES), *((FOLDER,) if blobs else ())):
            if (data / name).exists():
                (data / name).rename(place / name)
        if (data / INVITATION_NAME).exists() and not (place / INVITATION_NAME).exists():
            shutil.copyfile(data / INVITATION_NAME, place / INVITATION_NAME)
        private_files.sync_directory(place)
        private_files.sync_directory(data)
    except OSError as error:
        raise file_error(place, error) from None
    put_file(place / PINS_NAME, pins)
    return place
