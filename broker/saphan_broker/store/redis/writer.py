"""The one connection that writes: a script, and behind it on the same line how durable it is.

`WAIT` and `WAITAOF` speak of the writes of the connection that asks. So script and wait go out
together, and when the line has dropped, the new one writes something of its own before it asks:
what is durable behind that covers everything before it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Sequence
from time import monotonic
from typing import Final

from saphan_schemas.errors import OperatorError, SaphanError, Unavailable
from saphan_schemas.limits import LIMITS

from saphan_broker.store.base import (
    LOGS,
    Commit,
    CommitUnknown,
    CosignatureRow,
    HeadMoved,
    Log,
    SignedHead,
)
from saphan_broker.store.redis import packing, scripts
from saphan_broker.store.redis.address import RedisAddress
from saphan_broker.store.redis.dialling import dial
from saphan_broker.store.redis.followers import Followers, Missing
from saphan_broker.store.redis.keys import Keys, aging_keys
from saphan_broker.store.redis.line import Command, Line, LineDown
from saphan_broker.store.redis.link import Link
from saphan_broker.store.redis.refusals import Reply, checked, forgotten
from saphan_broker.store.redis.scripts import Script, outcome
from saphan_broker.store.redis.server import Promises, durable, examine

ID_BYTES: Final = 16
RETRY_S: Final = 0.05


class Fenced(HeadMoved):
    """Another process has taken the lease since: nothing was written, and nothing will be."""

    def __init__(self, log: Log, expected: int, found: int) -> None:
        super().__init__(log, expected, found)
        self.code = "lease_lost"
        self.message = f"another process sequences by now; the {log} log has {found} leaves"


class ReplicasMissing(CommitUnknown):
    """It is written here, and too few replicas have it in time: no answer, and no signature."""

    def __init__(self, wanted: int, have: int) -> None:
        super().__init__(f"{have} of {wanted} replicas have it")
        self.code = "replicas_missing"
        self.hint = "nothing is answered until enough replicas follow the server again"


class Writer:
    """Writes for one store object. Its caller lets one call run at a time.

    Attributes:
        epoch: of the lease under which is written; 0: no lease was ever taken of this store.
    """

    def __init__(self, link: Link, keys: dict[Log, Keys], epoch: int) -> None:
        self.address: Final[RedisAddress] = link.address
        self.epoch = epoch
        self.promises = Promises((), False, False)
        self._link = link
        self._keys = keys
        self._line: Line | None = None
        self._followers: Followers | None = None
        self._ids: dict[Log, bytes] = {}
        self._examined = 0.0

    async def open(self) -> None:
        """Dial, look at the server's settings, and wait until all that it holds is durable.

        Raises:
            Unavailable: `replicas_missing`, `redis_unreachable`; OperatorError: `store_missing`,
                `store_foreign`, `store_lossy`, `store_config_unknown`, `redis_refused`.
        """
        await self._dial()
        barrier = [scripts.BARRIER.call((self._keys["evidence"].barrier,))]
        heads: list[Command] = [("HGET", self._keys[log].head, "commit") for log in LOGS]
        try:
            _counted, directory, evidence = await self._ask([*barrier, *heads])
        except ReplicasMissing as error:
            raise Unavailable(error.code, error.message, hint=error.hint) from None
        except LineDown as error:
            raise Unavailable("redis_unreachable", f"the Redis server went away: {error}") from None
        self._ids = {"directory": directory, "evidence": evidence}

    def close(self) -> None:
        """Drop the line; a commit under way becomes unknown."""
        if self._line is not None:
            self._line.abort()

    def saw(self, log: Log, commit: bytes) -> None:
        """A reader saw this commit's id at the head: the next commit is one upon it."""
        self._ids[log] = commit

    # --- writes ----------------------------------------------------------------------------------

    async def settled(self) -> None:
        """Return once everything that the server holds is durable; nothing hangs on the outcome.

        Raises:
            Unavailable: `redis_unreachable`, `replicas_missing`, `store_busy`; OperatorError.
        """
        await self._ready()
        command = scripts.BARRIER.call((self._keys["evidence"].barrier,))
        try:
            await self._durably(scripts.BARRIER, command)
        except CommitUnknown as error:
            raise Unavailable(error.code, error.message, hint=error.hint) from None
        except LineDown as error:
            raise Unavailable("redis_unreachable", f"the Redis server went away: {error}") from None

    async def commit(
        self, commit: Commit, words: list[bytes | str | int], new: list[bytes]
    ) -> None:
        """Run the commit's script; durable when it returns. Errors as `store.base.Logs.commit`."""
        await self._ready()
        keys, before, id_ = self._keys[commit.log], self._ids[commit.log], new_id()
        command = scripts.COMMIT.call(
            (
                *(keys.head, keys.due, keys.done, keys.wiped, keys.gone),
                *(keys.old, keys.aged, keys.removed),
            ),
            *(self.epoch, before, commit.expected.size, commit.expected.root, commit.time),
            *(id_, commit.head.size, commit.head.root, len(commit.bulletins)),
            *(len(new), *new, *words),
        )
        try:
            reply = await self._durably(scripts.COMMIT, command)
            word, found = outcome(reply)
        except LineDown as error:
            word, found = await self._settle(commit.log, before, id_, error)
        if word in ("moved", "fenced"):
            kind = HeadMoved if word == "moved" else Fenced
            raise kind(commit.log, commit.expected.size, found)
        if word == "time":
            raise RuntimeError(f"commit: time {commit.time} falls below {found}")
        if word == "stored":
            raise RuntimeError("commit: a bulletin or its nonce is stored already")
        self._ids[commit.log] = id_

    async def note(self, log: Log, head: SignedHead) -> None:
        """Keep a signed head; durable when it returns."""
        arguments = (self.epoch, head.size, head.note)
        command = scripts.NOTE.call((self._keys[log].head,), *arguments)
        try:
            word, found = outcome(await self._durably(scripts.NOTE, command))
        except LineDown as error:
            word, found = await self._again(command, error)
        if word == "fenced":
            raise Fenced(log, head.size, found)
        if word == "ahead":
            raise RuntimeError(f"note of size {head.size} beyond the committed head {found}")
        if word == "back":
            raise RuntimeError(f"note of size {head.size} below the stored note of {found}")

    async def age(self, forgotten: int | str, words: list[bytes | str | int]) -> None:
        """Run `lua/aging.lua`; durable when it returns.

        Args:
            forgotten: entries that were forgotten before, or nothing.

        Raises:
            Unavailable: `lease_lost`; CommitUnknown and others, as `commit`.
        """
        keys = self._keys["evidence"]
        arguments = (self.epoch, keys.prefix, forgotten, *words)
        command = scripts.AGING.call(aging_keys(keys), *arguments)
        await self._ready()
        try:
            word, found = outcome(await self._durably(scripts.AGING, command))
        except LineDown as error:
            # If it was done the second time finds the count moved, or does the same again.
            word, found = await self._again(command, error)
        if word == "fenced":
            raise Fenced("evidence", found, found)

    async def cosignatures(self, rows: Sequence[tuple[Log, CosignatureRow]]) -> None:
        """Keep cosignatures, each unless a newer one is there; need not be durable."""
        commands = []
        for log, row in rows:
            keys = (self._keys[log].cosignatures, self._keys[log].cosigned)
            packed = packing.pack_cosignature(row)
            commands.append(scripts.COSIGN.call(keys, row.agency, row.size, row.time, packed))
        replies = await self._connected().ask(commands)
        if any(map(forgotten, replies)):
            replies = await self._connected().ask([scripts.COSIGN.load, *commands])
        for reply in replies:
            checked(reply)

    # --- the line --------------------------------------------------------------------------------

    async def _ready(self) -> None:
        """Before a commit: a line if there is none, and now and then a look at the settings.

        Raises:
            Unavailable, OperatorError: as `open`; nothing is written then.
        """
        line = self._line
        if line is None or line.down:
            await self._dial()
        elif monotonic() > self._examined + LIMITS.store_examine_ms / 1000:
            await self._examine(line)

    async def _examine(self, line: Line) -> None:
        try:
            self.promises = await examine(line, self.address)
        except LineDown as error:
            raise Unavailable("redis_unreachable", f"the Redis server went away: {error}") from None
        self._examined = monotonic()

    def _connected(self) -> Line:
        if self._line is None:
            raise LineDown("not connected")
        return self._line

    async def _dial(self) -> None:
        if self._line is not None:
            self._line.abort()
        line = await dial(self.address)
        try:
            await self._link.check(line)
            await self._examine(line)
        except LineDown as error:
            raise Unavailable("redis_unreachable", f"the Redis server went away: {error}") from None
        except BaseException:
            line.abort()  # nothing is written to what was not looked at
            raise
        self._line = line
        self._followers = Followers(self.address) if self.address.sentinels else None

    async def _durably(self, script: Script, command: Command) -> Reply:
        """Run a script whose refusal is raised; once more if the server was made to forget it."""
        try:
            (reply,) = await self._ask([command])
        except _Forgotten:
            (_loaded, reply) = await self._ask([script.load, command])
        return reply

    async def _ask(self, commands: Sequence[Command]) -> list[Reply]:
        """Answers of commands, the last of which is durable then.

        Raises:
            LineDown; ReplicasMissing; whatever a refusal means, nothing was written then.
        """
        address, line, followers = self.address, self._connected(), self._followers
        if followers is None:
            waiting = self.promises.waiting(address.replicas, address.wait_ms)
        else:
            waiting = followers.waiting(self.promises)
        replies = await line.ask([*commands, *waiting], address.wait_ms)
        done, told = replies[: len(commands)], replies[len(commands) :]
        for reply in done:
            if forgotten(reply):
                raise _Forgotten
            checked(reply)
        if followers is not None:
            await self._followed(followers, line, told)
        elif waiting:
            self._waited(told)
        return done

    async def _followed(self, followers: Followers, line: Line, told: Sequence[Reply]) -> None:
        """Judge by the sentinels whether a failover could lose the write before.

        Raises:
            LineDown; ReplicasMissing, CommitUnknown: it could.
        """
        try:
            await followers.check(line, self.promises, told)
        except Missing as error:
            if error.have is None:
                raise CommitUnknown("it did not reach the server's disk in time") from None
            raise ReplicasMissing(error.wanted, error.have) from None
        except SaphanError as error:  # it is written all the same
            raise CommitUnknown(error.message) from None

    def _waited(self, replies: Sequence[Reply]) -> None:
        """Judge what the server says of the write before.

        Raises:
            ReplicasMissing, CommitUnknown: what was written is not durable as was promised.
        """
        try:
            local, replicas = durable(replies)
        except SaphanError as error:
            raise CommitUnknown(f"the server does not wait for its disk: {error}") from None
        if not local:
            raise CommitUnknown("it did not reach the server's disk in time")
        if replicas < self.address.replicas:
            raise ReplicasMissing(self.address.replicas, replicas)

    # --- after a line has dropped ----------------------------------------------------------------

    async def _settle(self, log: Log, before: bytes, id_: bytes, lost: LineDown) -> tuple[str, int]:
        """What became of a commit whose reply was lost. What is not there never will be."""
        keys, fresh = self._keys[log], new_id()
        command = scripts.SETTLE.call((keys.head, keys.barrier), self.epoch, before, id_, fresh)
        word, found = await self._again(command, lost)
        if word == "refused":
            self._ids[log] = fresh
            raise Unavailable(
                "redis_unreachable",
                f"the line to the Redis server broke before the commit was there ({lost})",
                hint="nothing was written; the same commit can be made again",
            )
        if word == "other":
            raise CommitUnknown("others have committed since the line to the server broke")
        return word, found

    async def _again(self, command: Command, lost: LineDown) -> tuple[str, int]:
        """Ask on a new line for as long as a restart of the server takes.

        Raises:
            CommitUnknown: there is none.
        """
        end = monotonic() + LIMITS.store_settle_ms / 1000
        why: str = str(lost)
        while monotonic() < end:
            try:
                await self._dial()
                (reply,) = await self._ask([command])
            except (LineDown, Unavailable, _Forgotten) as error:
                why = str(error)
                await asyncio.sleep(RETRY_S)
                continue
            except CommitUnknown:
                raise
            except OperatorError as error:
                raise CommitUnknown(error.message) from None
            return outcome(reply)
        raise CommitUnknown(f"the line broke and there is no new one: {why}")


class _Forgotten(Exception):
    """The server does not know our scripts any more (SCRIPT FLUSH)."""


def new_id() -> bytes:
    """A random id, of a commit or a store."""
    return secrets.token_bytes(ID_BYTES)
