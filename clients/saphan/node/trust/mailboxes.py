"""The agency's mailbox keys as this node holds them: files that may come and go while it runs."""

from __future__ import annotations

import threading
from pathlib import Path

from saphan_protocol.mailbox import MailboxKey
from saphan_schemas.errors import OperatorError, SaphanError

from saphan.durable import destroy_file, destroy_leftovers
from saphan.keys.keyfiles import read_mailbox


class Mailboxes:
    """Private mailbox keys of a folder; a file that comes later is named by the first 16 hex digits
    of its key's id, those that are there at the start by anything.

    Raises:
        OperatorError: what `keyfiles.read_key` raises for a file that is exposed or damaged.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._keys: dict[bytes, MailboxKey] = {}
        destroy_leftovers(folder)
        for path in sorted(folder.glob("*.key")):
            key = read_mailbox(path)
            self._keys[key.key_id] = key

    def get(self, key_id: bytes) -> MailboxKey | None:
        """The key, looked for on disk too: a rotation adds files while the node runs."""
        with self._lock:
            known = self._keys.get(key_id)
            if known is None:
                path = self._path(key_id)
                if path.exists():
                    try:
                        found = read_mailbox(path)
                    except SaphanError:
                        return None  # shown by the alarm of whoever needed it
                    if found.key_id == key_id:
                        known = self._keys[key_id] = found
            return known

    def destroy(self, key_id: bytes) -> None:
        """Overwrite and remove a private half, and forget it; durable on return.

        A copy under another name goes too: the next start would read it again.

        Raises:
            OperatorError: `file_unwritable`; it is tried again.
        """
        with self._lock:
            for path in sorted(self._folder.glob("*.key")):
                if path == self._path(key_id) or _holds(path, key_id):
                    destroy_file(path)
            self._keys.pop(key_id, None)

    def _path(self, key_id: bytes) -> Path:
        return self._folder / f"{key_id.hex()[:16]}.key"


def _holds(path: Path, key_id: bytes) -> bool:
    try:
        return read_mailbox(path).key_id == key_id
    except SaphanError:
        return False  # another key's, exposed or damaged: the start refuses it


def mailbox_missing(bulletin: bytes, mailbox_key: bytes | None) -> OperatorError:
    """A bulletin is sealed to a key that is not here; `mailbox_key` is the key's id."""
    name = "" if mailbox_key is None else mailbox_key.hex()[:16]
    return OperatorError(
        "mailbox_key_missing",
        f"bulletin {bulletin.hex()[:16]} is sealed to mailbox key {name}, "
        "which is not in this node's mailbox folder",
        hint="put the key file back and start the node again: it then hands over",
    )
