"""Everything the running broker holds: both logs, the replayed directory, keys, clocks, alarms.

The sequencer alone changes logs and directory; sessions and the HTTP side read them.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable
from concurrent.futures import ThreadPoolExecutor

from saphan_protocol.batch import VerifiedRoots
from saphan_protocol.checkpoint import KeyPair
from saphan_protocol.directory import Directory, is_commitment
from saphan_protocol.notes import parse_vkey
from saphan_protocol.pins import Pins
from saphan_protocol.quota import UNUSED, Use
from saphan_schemas.bodies import known_types
from saphan_schemas.errors import OperatorError, Refused
from saphan_schemas.records import HeadRef
from saphan_schemas.succession_frames import Step

from saphan_broker.alarms import Alarms
from saphan_broker.beside import Bundles, agreements_beside
from saphan_broker.blobs.base import Attachments
from saphan_broker.clock import Clock, SessionClocks, steady, system_clock
from saphan_broker.counters import Counters
from saphan_broker.listeners import Listeners
from saphan_broker.logs.last_head import LastHead
from saphan_broker.logs.log_book import LogBook
from saphan_broker.logs.recent import RecentSignatures
from saphan_broker.logs.recent_rows import RecentRows
from saphan_broker.logs.signer import Signer
from saphan_broker.objects.base import Objects
from saphan_broker.quotas import Quotas
from saphan_broker.seeds import DayKeys
from saphan_broker.store.base import LOGS, AnchorRow, Log, Store
from saphan_broker.store.unfinished import check_whole
from saphan_broker.verifying import Verifier
from saphan_broker.witness_lag import WitnessLag

OpenStore = Callable[[], Awaitable[Store]]
CatchUp = Callable[[], Awaitable[None]]
Random = Callable[[int], bytes]
"""Gives so many fresh random bytes."""


async def _here_already() -> None:
    """No other process changes the logs: what is known here is everything."""


VERIFY_THREADS = 2
"""Signature checks release the GIL; more threads than this only wait for each other."""
DEAD = frozenset({"store_closed", "commit_unknown"})
"""What a store says that must be opened anew."""
REPLAY_LEAVES = 256
"""Directory leaves read at a time."""


class State:
    """The broker's memory; nothing in it outlives the process that the store does not hold.

    Args:
        store: the opened store.
        reopen: opens the store anew after a write whose fate is unknown.
        pins: this broker's own pins: origins and log keys.
        keys: day keys.
        signers: the one signer of each log; none on a host that serves only.
        blobs: where attachments are.
        objects: what blobs and store keep theirs in; closed with them.
        clock: milliseconds UTC.
        random: fresh random bytes.
    """

    chain: tuple[Step, ...] = ()
    """Every succession of these logs: who has been away since before one asks for them."""

    texts_brought = 0
    """Texts of leaves that this log had before them, since the start."""

    def __init__(
        self,
        store: Store,
        reopen: OpenStore,
        pins: Pins,
        keys: DayKeys,
        signers: dict[Log, Signer],
        *,
        blobs: Attachments,
        objects: Objects | None = None,
        clock: Clock = system_clock,
        random: Random = os.urandom,
    ) -> None:
        self.store = store
        self.pins = pins
        self.keys = keys
        self.signers = signers
        self.blobs = blobs
        self._objects = objects
        self.clock = clock
        self.random = random
        self.alarms = Alarms()
        self.lag = WitnessLag(lambda: self.directory, self.alarms, clock)
        self.counters = Counters()
        self.clocks = SessionClocks(steady(clock))
        self.verified = VerifiedRoots()
        self.recent = RecentSignatures()
        self.recent_rows = RecentRows()
        self.listeners = Listeners()
        self.directory = Directory()
        self.bundles = Bundles()
        self.types = {known.name: known.digest for known in known_types()}
        origins: dict[Log, str] = {
            "directory": pins.directory.origin,
            "evidence": pins.evidence.origin,
        }
        self.books = {log: LogBook(log, origins[log], lambda: self.store) for log in LOGS}
        self.anchored = 0
        """Directory size that the newest anchor leaf names."""
        self.anchor: AnchorRow | None = None
        """The newest anchor leaf."""
        self.anchored_at = 0  # when it was logged, ms; read, if another process wrote it
        self.certificate: bytes | None = None
        """SHA-256 of the TLS certificate that nodes see, our own or a proxy's; None without TLS."""
        self.catch_up: CatchUp = _here_already
        """Reads what another process has signed meanwhile; before anybody is told that this store
        lacks something."""
        self.heard: dict[str, HeadRef] | None = None
        """By origin the newest heads that nodes have logged in with here; None: no node has."""
        self.quotas = Quotas()
        """How much each agency may have logged; the operator's file changes it while we run."""
        self.used: dict[str, Use] = {}
        """How much of it each has used, as far as this process has sequenced; what is open is the
        store's to say."""
        self.held = False
        """Since the start a node has shown that the store lacks something: nothing is signed."""
        self.verifying = ThreadPoolExecutor(VERIFY_THREADS, "verify")
        self.verifier = Verifier(self.verifying, VERIFY_THREADS, self.verified)
        self._reopen = reopen
        self._textless = set[int]()  # leaves whose texts a lost log had, and nobody has brought yet

    @property
    def evidence(self) -> LogBook:
        """The evidence log."""
        return self.books["evidence"]

    @property
    def registry(self) -> LogBook:
        """The directory log; what it says is `directory`."""
        return self.books["directory"]

    async def load(self) -> None:
        """Read heads, edges and directory from the store; also after a failed commit.

        What was signed last is read before the store: another process may sign meanwhile.

        Raises:
            OperatorError: `copy_unfinished`, `store_behind_signer`, `store_differs`,
                `store_damaged`, `tile_*`.
            Refused, InvalidInput: a directory leaf that this program does not take.
        """
        self.recent_rows.clear()
        await check_whole(self.store)
        signed = {log: await asyncio.to_thread(one.last) for log, one in self.signers.items()}
        for book in self.books.values():
            await book.load()
        await self._check_signers(signed)
        await self.replay(self.registry.tree.size)
        for log, book in self.books.items():
            await book.load_note(self.key_pair(log))
            # It may be a head that open sessions were not told of: its write was reported lost.
            self.listeners.everyone()
        await self.replay(self.registry.tree.size)  # another process has signed meanwhile
        await self.take_late_texts()
        await self.find_anchor(self.evidence.tree.size)
        await self._count_open()

    def key_pair(self, log: Log) -> KeyPair:
        """The log's public keys."""
        pin = self.pins.directory if log == "directory" else self.pins.evidence
        first, second = (parse_vkey(vkey) for vkey in pin.vkeys)
        return first, second

    async def find_anchor(self, below: int) -> None:
        """Read the newest anchor leaf under a head of so many leaves."""
        anchor = await self.store.anchor(below)
        self.anchor = anchor
        self.anchored = 0 if anchor is None else anchor.size
        self.anchored_at = self.clock()

    async def _count_open(self) -> None:
        """Who has how many deliveries without an outcome: what another process, or a commit whose
        answer was lost, has changed is in the store."""
        found = await self.store.open_deliveries()
        for agency in {*found, *self.used}:
            use = self.used.get(agency, UNUSED)
            self.used[agency] = use._replace(open=found.get(agency, 0))

    async def _check_signers(self, signed: dict[Log, LastHead]) -> None:
        """A store that lacks what was signed is an old copy: it must never be signed again."""
        for log, last in signed.items():
            book = self.books[log]
            if last.size > book.tree.size:
                raise OperatorError(
                    "store_behind_signer",
                    f"the store has {book.tree.size} leaves of {book.origin}, but {last.size} "
                    "were signed",
                    field="data",
                    hint="the store is an old copy: do not run it; if no newer one is left: "
                    "saphan-broker succeed",
                )
            if last.size and not await book.holds(last.size, last.root):
                raise OperatorError(
                    "store_differs",
                    f"the store's {book.origin} is not the one signed at {last.size} leaves",
                    field="data",
                    hint="--data and --keys do not belong together, or one was restored",
                )

    async def replay(self, size: int) -> None:
        """Apply the directory leaves below `size` that are not applied yet.

        Before a head over them is shown: sessions are given leaves with the texts that belong to
        them, which are known from here on.

        Raises:
            Refused, InvalidInput: a leaf that this program does not take.
        """
        while self.directory.size < size:
            start = self.directory.size
            stop = min(size, start + REPLAY_LEAVES)
            leaves = await self.store.leaves("directory", start, stop)
            packages = await agreements_beside(self.store, start, leaves)
            for index, leaf in enumerate(leaves, start):
                self.directory.apply(leaf, self.types)
                if index in packages:
                    self.directory.add_package(packages[index])
                elif is_commitment(leaf):
                    self._textless.add(index)

    async def take_late_texts(self) -> bool:
        """Texts that the store has by now of leaves that had none; whether there was one.

        Only a log that follows a lost one has such leaves. Their parties bring them to the process
        that sequences: every other one, and that one's follower in office, finds them here.

        Raises:
            OperatorError: what reading raises.
        """
        found = False
        for index in sorted(self._textless):
            package = (await self.store.packages(index, index + 1)).get(index)
            if package is None:
                continue
            try:
                self.directory.add_package(package)  # once more does no harm
            except Refused:
                continue  # an order came between two reads, after its agreement: the next look
            self._textless.discard(index)
            self.texts_brought += 1
            found = True
        return found

    async def lead(self) -> None:
        """Read everything anew as the process that sequences from now on; raises as `load`."""
        await self.revive_store()
        await self.load()

    async def revive_store(self) -> None:
        """Open the store anew if a write whose fate is unknown has left it dead."""
        try:
            await self.store.state("evidence")
        except OperatorError as error:
            if error.code not in DEAD:
                raise
            await self.store.close()
            self.store = await self._reopen()

    async def reopen_store(self) -> None:
        """Close the dead store, open it anew, read what is kept."""
        await self.store.close()
        self.store = await self._reopen()
        await self.load()

    def hear(self, heads: Iterable[HeadRef]) -> None:
        """A node has logged in with these heads, and they are ours."""
        self.heard = self.heard or {}
        for ref in heads:
            known = self.heard.get(ref.origin)
            if known is None or ref.size > known.size:
                self.heard[ref.origin] = ref

    def head_of(self, ref: HeadRef) -> LogBook | None:
        """The log that a head is of; None for another origin."""
        for book in self.books.values():
            if book.origin == ref.origin:
                return book
        return None

    async def close(self) -> None:
        """Free threads, store and objects; idempotent."""
        self.verifying.shutdown(wait=False, cancel_futures=True)
        self.blobs.close()
        await self.store.close()
        if self._objects is not None:
            await self._objects.close()
