"""The one signer of a log: it writes down what it will sign before it signs (bytes.md, Signer).

    KEYS/<log>.head    the last size, root and time signed (`last_head`): on the disk before each
                       signature, apart from the store and from every backup
    KEYS/<log>.lock    held for every signature

It never signs two roots for one size. After a start it signs nothing until `heard` or
`allow_unheard`: a signer whose directory came from a backup learns from the nodes that it did.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Final, Self

from saphan_protocol.checkpoint import Head
from saphan_protocol.merkle import HASH_BYTES
from saphan_schemas.errors import OperatorError, Unavailable
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import HeadRef

from saphan_broker import private_files
from saphan_broker.keys import LogKeys
from saphan_broker.logs.last_head import LastHead, LastHeadFile
from saphan_broker.store.base import Log

_logger = logging.getLogger(__name__)


class Signer:
    """Signs the heads of one log. All methods block on the disk: call them from a thread.

    Two signers on one keys directory cannot contradict each other: each signature re-reads the
    last-head file under its lock.
    """

    def __init__(self, keys_directory: Path, log: Log, keys: LogKeys) -> None:
        self.origin: Final = keys.origin
        self._keys: Final = keys
        self._file: Final = LastHeadFile(keys_directory / f"{log}.head", keys.origin)
        self._lock: Final = keys_directory / f"{log}.lock"
        self._released = False

    @classmethod
    def create(cls, keys_directory: Path, log: Log, keys: LogKeys) -> Self:
        """Begin a log: its last-head file says that nothing was signed, and must not exist yet.

        Raises:
            OperatorError: `key_file_exists`, `key_file_exposed`.
        """
        private_files.make_directory(keys_directory)
        made = cls(keys_directory, log, keys)
        made._file.create()
        return made

    @classmethod
    def open(cls, keys_directory: Path, log: Log, keys: LogKeys) -> Self:
        """The signer of a log that exists; checks its files.

        Raises:
            OperatorError: `key_file_missing`, `key_file_exposed`, `key_file_malformed`.
        """
        private_files.check_private(keys_directory)
        made = cls(keys_directory, log, keys)
        made.last()
        return made

    def __repr__(self) -> str:
        return f"<Signer {self.origin}>"

    @property
    def released(self) -> bool:
        """Whether it may sign: a node was heard since the start, or the operator said so."""
        return self._released

    def last(self) -> LastHead:
        """What was signed last, from the file.

        Raises:
            OperatorError: `key_file_missing`, `key_file_exposed`, `key_file_malformed`.
        """
        return self._file.read()

    def heard(self, heads: Iterable[HeadRef]) -> None:
        """A node's session has opened with the newest heads it has verified: signing may begin.

        Heads of other origins say nothing here; a node that has none yet releases the signer too.

        Raises:
            OperatorError: `signer_behind` (the node holds a later head), `signer_fork` (another
                root for the last size). The signer stays as it was, and the operator must act.
        """
        last = self.last()
        for head in heads:
            if head.origin != self.origin:
                continue
            if head.size > last.size:
                raise OperatorError(
                    "signer_behind",
                    f"a node has verified {head.size} leaves of {self.origin}, the signer's file "
                    f"knows of {last.size}",
                    field="keys",
                    hint="the keys directory or the store is an old copy: do not start it; if no "
                    "newer one is left: saphan-broker succeed",
                )
            if head.size == last.size and head.root != last.root:
                raise self._fork(head.size)
        self._released = True

    def allow_unheard(self, reason: str) -> None:
        """Let it sign although no node was heard: none is enrolled, or the operator decides."""
        _logger.warning("%s: signing without having heard a node: %s", self.origin, reason)
        self._released = True

    def sign(self, size: int, root: bytes, time: int) -> Head:
        """Sign a head; `Head.note` has both lines of the log.

        Args:
            size: leaves, at least those signed last.
            root: 32 bytes; for the last size the same root again.
            time: POSIX seconds. A head's time never falls: within the allowed skew an earlier
                time is replaced by the last one's.

        Raises:
            Unavailable: `signer_unheard`. OperatorError: `signer_behind` (a smaller size),
                `signer_fork`, `signer_clock`, and what `last` raises. Nothing is signed then.
        """
        if not self._released:
            raise Unavailable(
                "signer_unheard",
                f"{self.origin} signs nothing until a node's session has opened",
                hint="wait for a node to connect",
                retry_after_ms=LIMITS.backoff_max_ms,
            )
        with private_files.exclusive(self._lock):
            last = self.last()
            self._check(last, size, root, time)
            time = max(time, last.time)
            # From here on no other root of this size can be signed, whatever crashes.
            self._file.write(LastHead(size, root, time))
            return self._keys.sign_head(size, root, time)

    def _check(self, last: LastHead, size: int, root: bytes, time: int) -> None:
        if len(root) != HASH_BYTES or size < 1:
            raise RuntimeError("a head has at least one leaf and a root of 32 bytes")
        if size < last.size:
            raise OperatorError(
                "signer_behind",
                f"{self.origin}: asked to sign {size} leaves after {last.size} were signed",
                field="data",
                hint="the store is an old copy: do not run it; if no newer one is left: "
                "saphan-broker succeed",
            )
        if size == last.size and root != last.root:
            raise self._fork(size)
        if last.time - time > LIMITS.skew_ms // 1000:
            raise OperatorError(
                "signer_clock",
                f"{self.origin}: the clock shows {time} s, the last head was signed at {last.time}",
                field="clock",
                hint="set this machine's clock; a head's time never falls",
            )

    def _fork(self, size: int) -> OperatorError:
        return OperatorError(
            "signer_fork",
            f"{self.origin}: another root is already signed for {size} leaves",
            field="data",
            hint="stop; keep the store and the keys directory as they are, and compare both with "
            "the nodes' copies",
        )
