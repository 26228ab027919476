"""Archive keys per retention day: what content keys are wrapped under while they rest here.

A key is a file of its own, apart from the node's database and its backup (design section 8): when
the day has come and the file is gone, every content key wrapped under it is gone. Plaintext and
unwrapped content keys are never written.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from saphan_protocol.identity import pae
from saphan_schemas.errors import OperatorError

from saphan.durable import destroy_file, destroy_leftovers, make_folder, replace_file
from saphan.private import read_private

KEY_BYTES: Final = 32
NONCE_BYTES: Final = 12
SUPPLY: Final = 256
WRAP_TYPE: Final = "saphan/archive/1"
AUTHOR_TYPE: Final = "saphan/archive_author/1"
DRAFT_TYPE: Final = "saphan/archive_draft/1"
REASON_TYPE: Final = "saphan/archive_reason/1"
WORDS_TYPE: Final = "saphan/archive_words/1"
FACTS_TYPE: Final = "saphan/archive_facts/1"


class Archive:
    """The archive keys of one node.

    Args:
        folder: 0700, made if missing; holds one file of 32 bytes per day, named by its number
            (days since 1970-01-01).
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ciphers: dict[int, AESGCM] = {}
        self._lock = threading.Lock()
        self._nonces: list[bytes] = []
        make_folder(folder)
        destroy_leftovers(folder)

    def __repr__(self) -> str:
        return f"<Archive {self._folder}>"

    def wrap(self, content_key: bytes, bulletin_id: bytes, day: int) -> bytes:
        """Seal a 32-byte content key under the key of `day`, which is durable when this returns.

        Raises:
            OperatorError: `file_unwritable`, `key_file_exposed`, `archive_key_damaged`.
        """
        return self._seal(content_key, bulletin_id, day, WRAP_TYPE)

    def seal_author(self, author: str | None, bulletin_id: bytes, day: int) -> bytes | None:
        """An author's handle at rest: it stands inside the seal, and goes when its day goes.

        Raises:
            OperatorError: as `wrap`.
        """
        if author is None:
            return None
        return self._seal(author.encode(), bulletin_id, day, AUTHOR_TYPE)

    def author(self, sealed: bytes | None, bulletin_id: bytes, day: int) -> str | None:
        """The handle again; None for a machine's bulletin, and after its day was destroyed."""
        if sealed is None:
            return None
        try:
            return self._open(sealed, bulletin_id, day, AUTHOR_TYPE).decode()
        except OperatorError:
            return None

    def seal_reason(self, reason: str, bulletin_id: bytes, day: int) -> bytes:
        """Why a bulletin was rejected, at rest: sealed to this agency before, and to nobody else.

        Raises:
            OperatorError: as `wrap`.
        """
        return self._seal(reason.encode(), bulletin_id, day, REASON_TYPE)

    def reason(self, sealed: bytes, bulletin_id: bytes, day: int) -> str | None:
        """The reason again; None after its day was destroyed."""
        try:
            return self._open(sealed, bulletin_id, day, REASON_TYPE).decode()
        except OperatorError:
            return None

    def seal_words(self, words: bytes, bulletin_id: bytes, day: int) -> bytes:
        """What a bulletin says of its thread, at rest; raises as `wrap`."""
        return self._seal(words, bulletin_id, day, WORDS_TYPE)

    def words(self, sealed: bytes, bulletin_id: bytes, day: int) -> bytes | None:
        """The same again; None after its day was destroyed."""
        try:
            return self._open(sealed, bulletin_id, day, WORDS_TYPE)
        except OperatorError:
            return None

    def seal_facts(self, facts: bytes, bulletin_id: bytes, day: int) -> bytes:
        """What a bulletin's days are reckoned from, at rest; raises as `wrap`."""
        return self._seal(facts, bulletin_id, day, FACTS_TYPE)

    def facts(self, sealed: bytes, bulletin_id: bytes, day: int) -> bytes | None:
        """The same again; None after its day was destroyed."""
        try:
            return self._open(sealed, bulletin_id, day, FACTS_TYPE)
        except OperatorError:
            return None

    def seal_draft(self, data: bytes, draft: bytes, day: int) -> bytes:
        """What waits for a second officer, by the identity of its header; raises as `wrap`."""
        return self._seal(data, draft, day, DRAFT_TYPE)

    def open_draft(self, sealed: bytes, draft: bytes, day: int) -> bytes:
        """The same again; raises as `unwrap`."""
        return self._open(sealed, draft, day, DRAFT_TYPE)

    def unwrap(self, wrapped: bytes, bulletin_id: bytes, day: int) -> bytes:
        """The content key again.

        Raises:
            OperatorError: `archive_key_gone` after its day was destroyed, `archive_key_damaged`.
        """
        return self._open(wrapped, bulletin_id, day, WRAP_TYPE)

    def move(
        self, sealed: bytes | None, bulletin_id: bytes, old: int, new: int, kind: str
    ) -> bytes | None:
        """What rests under the key of one day, under that of another (`kind`: one of the types).

        Raises:
            OperatorError: as `unwrap` and `wrap`.
        """
        if sealed is None:
            return None
        return self._seal(self._open(sealed, bulletin_id, old, kind), bulletin_id, new, kind)

    def days(self) -> list[int]:
        """Days that have a key, in their order."""
        return sorted(int(path.name) for path in self._folder.iterdir() if path.name.isdecimal())

    def destroy(self, day: int) -> None:
        """Overwrite the key of a day and take it away; whatever is still under it is gone.

        What a medium keeps of overwritten blocks is not claimed. Idempotent; a crash between
        leaves a file that nobody reads, for `destroy_leftovers` at the next start.

        Raises:
            OperatorError: `file_unwritable`.
        """
        with self._lock:
            self._ciphers.pop(day, None)
            destroy_file(self._folder / str(day))

    def _seal(self, data: bytes, bulletin_id: bytes, day: int, kind: str) -> bytes:
        nonce = self._nonce()
        cipher = self._cipher(day, make=True)
        return nonce + cipher.encrypt(nonce, data, pae(kind, bulletin_id))

    def _open(self, sealed: bytes, bulletin_id: bytes, day: int, kind: str) -> bytes:
        nonce, data = sealed[:NONCE_BYTES], sealed[NONCE_BYTES:]
        try:
            return self._cipher(day, make=False).decrypt(nonce, data, pae(kind, bulletin_id))
        except InvalidTag:
            raise OperatorError(
                "archive_key_damaged",
                f"the archive key of day {day} does not open bulletin {bulletin_id.hex()[:16]}",
                hint="restore the archive-keys folder and node.db from backups of the same time",
            ) from None

    def _nonce(self) -> bytes:
        """From a supply: a system call for each of a thousand bulletins a second is felt."""
        with self._lock:
            if not self._nonces:
                supply = os.urandom(NONCE_BYTES * SUPPLY)
                self._nonces = [
                    supply[at : at + NONCE_BYTES] for at in range(0, len(supply), NONCE_BYTES)
                ]
            return self._nonces.pop()

    def _cipher(self, day: int, *, make: bool) -> AESGCM:
        with self._lock:
            known = self._ciphers.get(day)
            if known is None:
                known = self._ciphers[day] = AESGCM(self._load(day, make=make))
            return known

    def _load(self, day: int, *, make: bool) -> bytes:
        path = self._folder / str(day)
        if not path.exists():
            if not make:
                raise OperatorError(
                    "archive_key_gone",
                    f"there is no archive key for day {day}: what was kept under it is destroyed",
                    hint="if this day is not over, restore the archive-keys folder from its backup",
                )
            # A crash right after this leaves an unused key: harmless. Before it nothing was kept.
            replace_file(path, os.urandom(KEY_BYTES))
        key = read_private(path, 2 * KEY_BYTES, "archive key")
        if len(key) != KEY_BYTES:
            raise OperatorError(
                "archive_key_damaged",
                f"the archive key of day {day} has {len(key)} bytes, not {KEY_BYTES}",
                hint="restore the archive-keys folder from its backup",
            )
        return key
