"""The engine-neutral store: four small protocols, one commit, and how each method may fail.

One process sequences: it reads facts, computes a `Commit` and hands it over. The compare-and-swap
on the unsigned head makes a second sequencer harmless: its commit is HeadMoved, never a fork.
Every method may raise OperatorError `store_closed` after `close`. Reads see every commit that
returned before the read began. A call with arguments that break a documented rule is a bug of the
caller and raises RuntimeError (memory checks all of them, other engines what is cheap).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol, TypeAlias

from saphan_schemas.errors import OperatorError, Unavailable
from saphan_schemas.records import BatchSignature

from saphan_broker.store.rows import BODY_EVENTS as BODY_EVENTS
from saphan_broker.store.rows import LOGS as LOGS
from saphan_broker.store.rows import STANZA_EVENTS as STANZA_EVENTS
from saphan_broker.store.rows import AnchorRow as AnchorRow
from saphan_broker.store.rows import BulletinFacts as BulletinFacts
from saphan_broker.store.rows import BulletinRow as BulletinRow
from saphan_broker.store.rows import Commit as Commit
from saphan_broker.store.rows import Corridor as Corridor
from saphan_broker.store.rows import CosignatureRow as CosignatureRow
from saphan_broker.store.rows import Counts as Counts
from saphan_broker.store.rows import DayCount as DayCount
from saphan_broker.store.rows import DeliveryKey as DeliveryKey
from saphan_broker.store.rows import DeliveryRow as DeliveryRow
from saphan_broker.store.rows import EntryRow as EntryRow
from saphan_broker.store.rows import FeedRow as FeedRow
from saphan_broker.store.rows import HoldKey as HoldKey
from saphan_broker.store.rows import HoldRow as HoldRow
from saphan_broker.store.rows import Log as Log
from saphan_broker.store.rows import LogHead as LogHead
from saphan_broker.store.rows import LogState as LogState
from saphan_broker.store.rows import SignatureKey as SignatureKey
from saphan_broker.store.rows import SignedHead as SignedHead
from saphan_broker.store.rows import StanzaRow as StanzaRow
from saphan_broker.store.rows import StatementKey as StatementKey
from saphan_broker.store.rows import TileKey as TileKey

FORMAT: Final = 3
"""Format of the stored data; a store of a newer one is refused, an older one brought up to it."""


Sign: TypeAlias = Callable[[], bytes]
"""Signs the head that is being committed and returns its note; may block on a disk of its own."""


class HeadMoved(Unavailable):
    """Compare-and-swap failed: nothing was written; read the head and compute the commit anew."""

    def __init__(self, log: Log, expected: int, found: int) -> None:
        super().__init__(
            "head_moved",
            f"the {log} log has {found} leaves where the commit expected {expected}",
            hint="read the head again and compute the commit anew",
        )

    def __reduce__(self) -> tuple[object, ...]:
        return (Unavailable, (self.code, self.message))


class CommitUnknown(OperatorError):
    """The engine cannot know whether the write is durable: stop, reopen, re-read the head."""

    def __init__(self, detail: str) -> None:
        super().__init__(
            "commit_unknown",
            f"the store cannot tell whether its last write is kept: {detail}",
            hint="check the disk, then start the broker again; it reads the head and goes on",
        )

    def __reduce__(self) -> tuple[object, ...]:
        return (OperatorError, (self.code, self.message))


class Logs(Protocol):
    """The two logs: heads, leaves, tiles, signed heads, cosignatures."""

    async def state(self, log: Log) -> LogState:
        """The committed, unsigned head and its time; (0, EMPTY_ROOT, 0) before the first commit."""

    async def commit(self, commit: Commit, sign: Sign | None = None) -> None:
        """Apply a commit, all or nothing; durable (fsynced) when it returns.

        `sign` is called once the commit is durable, beside the event loop, and its note kept as by
        `put_note` before this returns. If it raises, that is raised here, and the commit stays; if
        its note cannot be kept, the errors below are the note's. Whether it was called tells the
        caller which of the two has failed.

        Order: commits of one log form one sequence; readers see a commit whole or not at all.
        Each entry enters the mailboxes of its sender and its recipient (once when they are equal).
        Bulletins must be new; deliveries, stanzas, holds and corridors replace what is there;
        statements and signatures stored before are left as they are. What `destroyed` and
        `bodiless` name is removed after all that: a reader sees it with the entry that says so, or
        the entry not yet. When this returns, no later read and no reopening brings it back, and
        what the removed bytes left in this store's own files is gone by the end of `cleanse`.
        A stanza under a later due-day than the stored one (wrapped anew) moves the bulletin's
        ciphertext to what is kept for that day.
        Idempotency: the same commit again is HeadMoved, because its head has been passed; one
        without leaves (deliveries and stanzas only: expiry, wrapping anew; in the directory log
        packages only) leaves the head where it is and may be repeated.

        Errors: HeadMoved, nothing was written; Unavailable `store_busy`, nothing was written;
        OperatorError `disk_full`, nothing was written and the store goes on; CommitUnknown, this
        store object is dead: close it, open anew and compare `state` with commit.expected and
        commit.head. Cancelling the caller does not stop a commit that has begun.
        """

    async def edge_tiles(self, log: Log) -> dict[TileKey, bytes]:
        """The partial tiles at the committed head: what a TileTree of that size starts from."""

    async def tile(self, log: Log, level: int, n: int) -> bytes | None:
        """One tile at the committed head, None when it has no hash yet.

        A tile of an older size is a prefix of it.
        """

    async def leaves(self, log: Log, start: int, stop: int) -> list[bytes]:
        """Leaves start <= index < stop in order; fewer where the log ends."""

    async def put_note(self, log: Log, size: int, note: bytes) -> None:
        """Keep the newest signed head; durable when it returns; fails as `commit` does.

        Idempotent: the same note again changes nothing. A note of the same size replaces the one
        before (an idle log signs anew). A size beyond the committed head, or below the stored
        note's, is RuntimeError.
        """

    async def note(self, log: Log) -> SignedHead | None:
        """The newest signed head, None before the first."""

    async def put_cosignature(self, log: Log, row: CosignatureRow) -> None:
        """Keep an agency's newest cosignature; need not be durable (its node cosigns again).

        Idempotent; a row with a smaller (size, time) than the stored one changes nothing.
        """

    async def cosignatures(self, log: Log) -> list[CosignatureRow]:
        """The newest cosignature of each agency, ordered by agency."""

    async def packages(self, start: int, stop: int) -> dict[int, bytes]:
        """Agreement packages of directory leaves start <= index < stop, in index order."""

    async def anchor(self, below: int) -> AnchorRow | None:
        """The newest anchor of the evidence log with index < below."""

    async def anchors(self, start: int, stop: int) -> list[AnchorRow]:
        """Anchors with start <= index < stop, in index order."""


class Facts(Protocol):
    """Look-ups by key, many at a time: a key that is not stored is not in the answer."""

    async def bulletins(self, ids: Iterable[bytes]) -> dict[bytes, BulletinFacts]:
        """Facts of bulletins by id."""

    async def by_nonce(
        self, keys: Iterable[tuple[str, bytes]]
    ) -> dict[tuple[str, bytes], BulletinFacts]:
        """Facts of bulletins by (sender, header nonce); unique, so that a replay is found."""

    async def deliveries(self, keys: Iterable[DeliveryKey]) -> dict[DeliveryKey, DeliveryRow]:
        """Deliveries by (bulletin id, recipient)."""

    async def statements(self, keys: Iterable[StatementKey]) -> dict[StatementKey, int]:
        """Index of the first entry about a statement."""

    async def corridors(self, keys: Iterable[Corridor]) -> dict[Corridor, tuple[int, int]]:
        """End of a corridor, by (sender, recipient): (running number, index) of its last entry."""

    async def due(self, now: int, limit: int) -> list[DeliveryRow]:
        """Deliveries with deadline <= now, earliest first, then in log order; at most `limit`."""

    async def deliveries_of(self, ids: Iterable[bytes]) -> dict[bytes, list[DeliveryRow]]:
        """Every delivery of each bulletin, by recipient; a bulletin without one is left out."""

    async def holds(self, keys: Iterable[HoldKey]) -> dict[HoldKey, HoldRow]:
        """Holds by (target, order), standing or released."""

    async def holds_of(self, ids: Iterable[bytes]) -> dict[bytes, list[HoldRow]]:
        """Every hold on a delivery of each bulletin, standing or released, by (target, order).

        A bulletin without one is left out.
        """

    async def destroyable(self, day: int, limit: int) -> list[DeliveryRow]:
        """Deliveries with due_day <= day that nothing keeps: no deadline, no hold, not destroyed.

        Earliest due-day first, of one day about in log order (`submitted`); at most `limit`. Costs
        what it returns, however many are due, held or destroyed: asked again after each commit it
        goes on where that ended.
        """

    async def stanzas_due(self, below_day: int, limit: int) -> list[StanzaRow]:
        """Stanzas with due_day < below_day of deliveries that a hold keeps: to be wrapped anew.

        Earliest due-day first; at most `limit`. Wrapped under a later day they are no longer in the
        answer. Costs what it returns.
        """

    async def first_undestroyed(self) -> int | None:
        """The earliest day whose key something stored still needs; None: nothing is stored.

        Counted are stanzas by their due_day (or the delivery's, once no hold keeps it any more) and
        entries' records by their record_day: the seed must not pass this day, and may be moved to
        it. Never later than the due-day of a delivery that is neither destroyed nor held. Cheap.
        """

    async def due_counts(self, upto_day: int) -> list[DayCount]:
        """What is not destroyed and due on or before a day, by day, earliest first; no empty days.

        Deliveries with a deadline are counted, too: they are expired first. For a person who asks
        for the plan: it may take some seconds for each million, beside other reads.
        """

    async def open_deliveries(self) -> dict[str, int]:
        """How many deliveries of each sender have a deadline; who has none is not in the answer.

        Asked once by who begins to sequence: it may take a second for each 100,000 of them.
        """

    async def counts(self) -> Counts:
        """Numbers for metrics."""


class Mailboxes(Protocol):
    """What an agency is to receive, and what record packs are made from."""

    async def feed(
        self, agency: str, after: int | None, below: int, max_items: int, max_bytes: int
    ) -> list[FeedRow]:
        """Entries of the agency's corridors with after < index < below, in index order.

        At most `max_items` rows and about `max_bytes` of records and bodies: the row that would
        exceed it is left for the next call, but the first row always comes. Empty: nothing there.
        A ciphertext that is lost (`object_missing`) has no bytes here: it ends no feed.
        """

    async def last_entry(self, agency: str) -> int | None:
        """Index of the newest entry in the agency's corridors; None: it has none."""

    async def entries(self, start: int, stop: int) -> list[EntryRow]:
        """Entries with start <= index < stop of every corridor, in index order."""

    async def bodies(self, ids: Iterable[bytes]) -> dict[bytes, BulletinRow]:
        """Bulletins with header and ciphertext, by id; OperatorError `object_missing`."""

    async def stanzas(self, keys: Sequence[DeliveryKey]) -> dict[DeliveryKey, StanzaRow]:
        """Newest stanzas by (bulletin id, recipient). Whether they may be given is not asked."""

    async def signatures(
        self, keys: Mapping[SignatureKey, int]
    ) -> dict[SignatureKey, BatchSignature]:
        """Batch signatures, each by its key and the index of an entry that names it."""


class Aging(Protocol):
    """What goes without an entry in the log: old records, and the traces of what was removed."""

    async def forget(self, before_day: int, limit: int) -> int:
        """Remove up to `limit` things whose record_day < before_day; how many, 0: none is left.

        In this order: entries from the log's beginning, each with its record, its place in
        mailboxes and every statement key whose first entry it is; headers, and bulletins (facts,
        nonce, deliveries, holds) of which no delivery is undestroyed; signatures that no kept
        entry's commit named. Leaves, tiles, anchors, corridor ends, heads and packages stay.
        Look-ups, feeds and `entries` then answer as if they had never been stored.
        Durable when it returns, all of one call or nothing of it; no commit of a log: it runs
        between commits, and the head does not move. Idempotent: call it until it returns 0.
        Errors: as `commit`, without HeadMoved.
        """

    async def cleanse(self) -> bool:
        """Clean this store's own files of what commits and `forget` removed since; as `forget`.

        Afterwards no byte of it is in any file or object that the store keeps (write-ahead log,
        free pages, append-only files, packs), except for what the medium keeps by itself. False:
        a reader still looks at an older state, or a rewriting is under way; call it again later.
        Idempotent and cheap when nothing was removed. It may take seconds beside commits, never
        inside one.
        """


class Store(Logs, Facts, Mailboxes, Aging, Protocol):
    """One broker's store. An engine's `create` makes an empty one, `open` never creates."""

    async def close(self) -> None:
        """Finish what has begun and free everything; idempotent."""
