"""The scripts that run inside the server: each is one atomic step (see the files in `lua/`).

Only a commit needs memory. What finishes one, moves the lease or makes room runs in a full server,
too (`allow-oom`): else a full server could be neither opened nor relieved.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from importlib import resources
from typing import Final

from saphan_schemas.errors import OperatorError

from saphan_broker.store.redis.line import Argument, Command
from saphan_broker.store.redis.refusals import Reply


def read(name: str) -> bytes:
    """The text of a script."""
    folder = resources.files("saphan_broker.store.redis").joinpath("lua")
    return folder.joinpath(f"{name}.lua").read_bytes()


def with_slots(name: str) -> bytes:
    """A script behind its flags and the part that those of the archive's index share."""
    flags, _, rest = read(name).partition(b"\n")
    return flags + b"\n" + read("archive_slots") + rest


class Script:
    """A script and how it is called."""

    def __init__(self, name: str, *, slots: bool = False) -> None:
        self.source: Final = with_slots(name) if slots else read(name)
        digest = hashlib.sha1(self.source, usedforsecurity=False)  # the server's name for it
        self._name: Final = digest.hexdigest()

    def call(self, keys: Sequence[bytes], *arguments: Argument) -> Command:
        """The command that runs it; `load` must have been asked once since the server's start."""
        return ("EVALSHA", self._name, len(keys), *keys, *arguments)

    @property
    def load(self) -> Command:
        """The command that makes the server know it."""
        return ("SCRIPT", "LOAD", self.source)


COMMIT: Final = Script("commit")
NOTE: Final = Script("note")
SETTLE: Final = Script("settle")
BARRIER: Final = Script("barrier")
CREATE: Final = Script("create")
COSIGN: Final = Script("cosign")
TAKE: Final = Script("take")
FENCE: Final = Script("fence")
RENEW: Final = Script("renew")
AGING: Final = Script("aging", slots=True)
UPGRADE: Final = Script("upgrade")
EVERY: Final = (COMMIT, NOTE, SETTLE, BARRIER, CREATE, COSIGN, TAKE, FENCE, RENEW, AGING, UPGRADE)


def outcome(reply: Reply) -> tuple[str, int]:
    """A script's answer: a word and a number.

    Raises:
        OperatorError: `store_missing`: the log is not there (any more).
    """
    word, number = reply[0].decode(), int(reply[1])
    if word == "empty":
        raise missing()
    return word, number


def missing() -> OperatorError:
    """The error for a server that holds nothing of this broker."""
    return OperatorError(
        "store_missing",
        "the Redis server holds no store of this broker",
        field="redis",
        hint="was it restarted empty, or is --redis another server? If its data is lost, restore"
        " a backup; a new broker's store is made by `saphan-broker init`",
    )
