"""An open desk: whose it is, the officer's key, the store. Everything of a desk works on one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from saphan_protocol.keys import SigningKey
from saphan_schemas.errors import OperatorError
from saphan_schemas.records import Role

from saphan.desk.folder import DeskFolder, DeskId
from saphan.desk.store import DeskStore, Shelf, store_key
from saphan.desk.uptime import Uptime, system_uptime
from saphan.keys.keyfiles import read_key
from saphan.keys.passphrase import Passphrase
from saphan.keys.token_place import HeldHalf, TokenAccess

_NEXT = b"next number"


@dataclass(frozen=True, slots=True)
class Desk:
    """An open desk; `clock` gives ms UTC, `held` is the half of the key that a token holds.

    `uptime` tells what time has passed, by a clock that nobody sets."""

    me: DeskId
    key: SigningKey
    store: DeskStore
    clock: Callable[[], int]
    held: HeldHalf | None = None
    uptime: Uptime = system_uptime

    def take_number(self) -> int:
        """A number for a draft or a queued bulletin, never given twice; inside a transaction."""
        kept = self.store.get(Shelf.STATE, _NEXT)
        number = 1 if kept is None else int.from_bytes(kept, "big")
        self.store.put(Shelf.STATE, _NEXT, number_name(number + 1))
        return number


def number_name(number: int) -> bytes:
    """The name of a numbered row."""
    return number.to_bytes(8, "big")


@contextmanager
def open_desk(
    folder: DeskFolder,
    passphrase: Passphrase | None,
    clock: Callable[[], int],
    access: TokenAccess | None = None,
    uptime: Uptime = system_uptime,
) -> Iterator[Desk]:
    """The desk for as long as the block lasts; `access` is for a key half of which a token holds.
    What has reached its day is erased by `keeping.sweep`, which whoever opens it calls first.

    Raises:
        OperatorError: `not_a_desk`, `desk_damaged`, `desk_key_differs`, `desk_store_*`, and what
            `read_key` raises, such as `passphrase_wrong`.
    """
    me = folder.read()
    secret = read_key(folder.key_file, Role.OFFICER, passphrase, access)
    if secret.handle != me.handle:
        raise OperatorError(
            "desk_key_differs",
            f"{folder.key_file} is {secret.handle}'s key; this desk is {me.handle}'s",
            field="officer.key",
            hint="put back the officer.key that belongs to this desk, or make a new desk",
        )
    store = DeskStore(folder.store, store_key(secret.seed, secret.key_id))
    try:
        yield Desk(me, secret.signing(), store, clock, secret.held, uptime)
    finally:
        store.close()
        if secret.held is not None:
            secret.held.close()
