"""A desk's day keys: what it keeps of a bulletin rests under the key of the day on which it goes.

A key is a file of its own beside the store. A row is sealed under the desk's key and the day's
together: a thief of the folder needs the passphrase, and a copy of the store from before a day's
end opens nothing of that day once its key file is gone.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from saphan_protocol.identity import pae_array
from saphan_schemas.errors import OperatorError

from saphan.durable import destroy_file, destroy_leftovers, make_folder, replace_file
from saphan.private import read_private

DAY_TYPE: Final = "saphan/desk_day/1"
FOLDER: Final = "day-keys"
KEY_BYTES: Final = 32
HELD: Final = 0
"""The day of what a hold keeps: it goes on none."""


class DeskDays:
    """The day keys of one desk; whoever makes or destroys one holds the store's write lock.

    Args:
        folder: 0700, made when the first key is; holds one file per day, named by its number.
        key: the desk's 32-byte key.
    """

    def __init__(self, folder: Path, key: bytes) -> None:
        self._folder = folder
        self._key = key
        self._ciphers: dict[int, AESGCM] = {}

    def known(self) -> frozenset[int]:
        """Days that have a key."""
        if not self._folder.is_dir():
            return frozenset()
        names = (path.name for path in self._folder.iterdir())
        return frozenset(int(name) for name in names if name.isascii() and name.isdecimal())

    def sealing(self, day: int) -> AESGCM:
        """The cipher of a day for something new; its key is durable when this returns.

        Raises:
            OperatorError: `file_unwritable`, `key_file_exposed`, `desk_store_damaged`.
        """
        path = self._folder / str(day)
        if not path.exists():
            make_folder(self._folder)
            # A crash right after this leaves an unused key: it goes at the next sweep.
            replace_file(path, os.urandom(KEY_BYTES))
        # Read each time: another program of this desk may have ended the day and begun it anew.
        found = self._ciphers[day] = self._load(path, day)
        return found

    def opening(self, day: int) -> AESGCM | None:
        """The cipher of a day; None: its key was destroyed."""
        known = self._ciphers.get(day)
        if known is None:
            path = self._folder / str(day)
            if not path.exists():
                return None
            known = self._ciphers[day] = self._load(path, day)
        return known

    def unseal(self, day: int, nonce: bytes, data: bytes, aad: bytes) -> bytes | None:
        """What was sealed under a day; None: its key was destroyed.

        Raises:
            InvalidTag: it was sealed under another key.
        """
        cipher = self.opening(day)
        if cipher is None:
            return None
        try:
            return cipher.decrypt(nonce, data, aad)
        except InvalidTag:
            # Another connection to this desk may have ended the day and begun it anew.
            del self._ciphers[day]
        again = self.opening(day)
        return None if again is None else again.decrypt(nonce, data, aad)

    def destroy(self, day: int) -> None:
        """End a day: overwrite and remove its key; idempotent.

        Raises:
            OperatorError: `file_unwritable`.
        """
        self._ciphers.pop(day, None)
        if self._folder.is_dir():
            destroy_file(self._folder / str(day))
            destroy_leftovers(self._folder)

    def _load(self, path: Path, day: int) -> AESGCM:
        salt = read_private(path, 2 * KEY_BYTES, "day key")
        if len(salt) != KEY_BYTES:
            raise OperatorError(
                "desk_store_damaged",
                f"the key of day {day} has {len(salt)} bytes, not {KEY_BYTES}",
                field="desk",
                hint="what was kept under it comes again: move the file away and give the command"
                " again",
            )
        info = pae_array(DAY_TYPE, [day])
        made = HKDF(algorithm=SHA256(), length=32, salt=salt, info=info).derive(self._key)
        return AESGCM(made)
