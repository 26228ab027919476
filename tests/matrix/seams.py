"""Where effects leave the product: the few places through which all of them go.

Stores: `Database.transaction`, `DeskStore.transaction`, `commit`, `put_note` of both engines.
Files: `saphan.durable`, `saphan_broker.private_files`. Frames: the functions that send.
"""

from __future__ import annotations

import re
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import msgspec
import pytest
from saphan import durable
from saphan.desk.line import DeskLine
from saphan.desk.store import DeskStore
from saphan.node.desks.session import DeskSession
from saphan.node.rows.db import Database
from saphan.node.wire.session import Session as NodeSession
from saphan_broker import private_files
from saphan_broker.sessions.session import Session as BrokerSession
from saphan_broker.store.base import Commit, CommitUnknown, Sign
from saphan_broker.store.redis.store import RedisStore
from saphan_broker.store.sqlite import SqliteStore
from saphan_protocol.evidence import MAX_ENTRY_BYTES
from saphan_schemas.codec import decode
from saphan_schemas.errors import OperatorError, Unavailable
from saphan_schemas.frames import Feed, FromBroker, State
from saphan_schemas.records import Entry, LeafType

from matrix.effects import Effect, Effects

BROKER, DESK = "broker", "desk"
CLIENTS: Final = Path(durable.__file__).parent
_NUMBERS: Final = re.compile(r"[0-9a-f]{16,}|[0-9]+")
_from_broker: Final = msgspec.msgpack.Decoder(FromBroker)
FRESH: Final = "nothing new"
"""What a head is signed over that only tells the time."""
UNHEARD: Final = frozenset({"Ping", "Spare"})
"""Frames that say nothing which lasts, sent whenever a line has been quiet: no effects."""


def install(effects: Effects, patch: pytest.MonkeyPatch) -> None:
    """Lead every effect of this process through `effects`."""
    _node_store(effects, patch)
    _desk_store(effects, patch)
    for engine in (SqliteStore, RedisStore):
        _broker_store(effects, patch, engine)
    _client_files(effects, patch)
    _broker_files(effects, patch)
    _frames(effects, patch)


# --- stores --------------------------------------------------------------------------------------


def _node_store(effects: Effects, patch: pytest.MonkeyPatch) -> None:
    opened, whole = Database.__init__, Database.transaction
    whose: dict[int, str] = {}

    def remember(db: Database, folder: Path) -> None:
        opened(db, folder)
        whose[id(db)] = agency_of(folder)

    def transaction(db: Database) -> Any:
        return _through(whole, db, whose[id(db)], sys._getframe(1))

    @contextmanager
    def _through(
        really: Any, db: Database, who: str, caller: FrameType
    ) -> Iterator[sqlite3.Connection]:
        about = _about(caller)
        lost = False
        with really(db) as tx:
            yield tx
            # What was done inside is rolled back when the disk has no room for it.
            lost = effects.enter([Effect(who, one) for one in about], no_room)
        if lost:
            raise no_room()

    patch.setattr(Database, "__init__", remember)
    patch.setattr(Database, "transaction", transaction)


def _desk_store(effects: Effects, patch: pytest.MonkeyPatch) -> None:
    whole = DeskStore.transaction

    def transaction(store: DeskStore) -> Any:
        return _through(store, sys._getframe(1))

    @contextmanager
    def _through(store: DeskStore, caller: FrameType) -> Iterator[None]:
        inside = store._db.in_transaction
        lost = False
        with whole(store):
            yield
            if not inside:
                lost = effects.enter([Effect(DESK, _place(caller))], _desk_full)
        if lost:
            raise _desk_full()

    patch.setattr(DeskStore, "transaction", transaction)


def _broker_store(effects: Effects, patch: pytest.MonkeyPatch, engine: type[Any]) -> None:
    whole, noted, cosigned = engine.commit, engine.put_note, engine.put_cosignature

    async def commit(store: Any, commit: Commit, sign: Sign | None = None) -> None:
        about = _about_commit(commit)
        effects.about[commit.log] = about
        if effects.enter(_commits(about), lambda: CommitUnknown("injected, not done")):
            await whole(store, commit)  # and a crash before anything is signed
            raise CommitUnknown("injected, done")
        note = (
            [] if sign is None else [Effect(BROKER, f"keeps the note over {one}") for one in about]
        )
        lost = False

        def signed() -> bytes:
            nonlocal lost
            assert sign is not None
            made = sign()
            effects.heads.add(made)
            lost = effects.enter(note, lambda: CommitUnknown("injected, not done"))
            return made

        await whole(store, commit, None if sign is None else signed)
        if sign is not None:
            effects.about[commit.log] = [FRESH]
        if lost:
            raise CommitUnknown("injected, done")

    async def put_note(store: Any, log: Any, size: int, note: bytes) -> None:
        effects.heads.add(note)
        keeps = [
            Effect(BROKER, f"keeps the note over {one}") for one in effects.about.get(log, [FRESH])
        ]
        lost = effects.enter(keeps, lambda: CommitUnknown("injected, not done"))
        await noted(store, log, size, note)
        effects.about[log] = [FRESH]
        if lost:
            raise CommitUnknown("injected, done")

    async def put_cosignature(store: Any, log: Any, row: Any) -> None:
        effect = Effect(BROKER, "keeps a cosignature")
        lost = effects.enter([effect], lambda: CommitUnknown("injected, not done"))
        await cosigned(store, log, row)
        if lost:
            raise CommitUnknown("injected, done")

    patch.setattr(engine, "commit", commit)
    patch.setattr(engine, "put_note", put_note)
    patch.setattr(engine, "put_cosignature", put_cosignature)


def _commits(about: list[str]) -> list[Effect]:
    return [Effect(BROKER, f"commits {one}") for one in about]


def _about_commit(commit: Commit) -> list[str]:
    """Events of its entries, an anchor, a leaf of the directory."""
    about = {row.event for row in commit.entries}
    if commit.anchors:
        about.add("anchor")
    if commit.log == "directory":
        about = {LeafType(leaf[0]).name.lower() for leaf in commit.leaves}
    if not about:
        about.add("stanzas under later days")
    return sorted(about)


# --- files ---------------------------------------------------------------------------------------


def _client_files(effects: Effects, patch: pytest.MonkeyPatch) -> None:
    for name in ("create_file", "replace_file", "destroy_file"):
        really = getattr(durable, name)

        def through(path: Path, *given: Any, really: Any = really, verb: str = name) -> None:
            effect = Effect(agency_of(path), f"{verb} {_named(path)}")
            lost = effects.enter([effect], lambda: _unwritable(path))
            really(path, *given)
            if lost:
                raise _unwritable(path)

        for module in list(sys.modules.values()):
            ours = getattr(module, "__name__", "").startswith("saphan.")
            if ours and getattr(module, name, None) is really:
                patch.setattr(module, name, through)


def _broker_files(effects: Effects, patch: pytest.MonkeyPatch) -> None:
    for name in ("replace", "overwrite"):
        really = getattr(private_files, name)

        def through(path: Path, *given: Any, really: Any = really, **more: Any) -> None:
            head = path.suffix == ".head"
            over = effects.about.get(path.stem, [FRESH]) if head else [""]
            wrote = [Effect(BROKER, f"writes {_named(path)} {one}".rstrip()) for one in over]
            lost = effects.enter(wrote, lambda: _key_file(path))
            really(path, *given, **more)
            if lost:
                raise _key_file(path)

        patch.setattr(private_files, name, through)


# --- frames --------------------------------------------------------------------------------------


def _frames(effects: Effects, patch: pytest.MonkeyPatch) -> None:
    said, desk, broker, told = (
        NodeSession._send,
        DeskLine.send,
        BrokerSession._send,
        DeskSession._send,
    )

    async def from_node(session: NodeSession, frame: object) -> None:
        who = session._engine.agency
        lost = effects.enter(_sends(who, frame), _down)
        await said(session, frame)
        if lost:
            raise _down()

    async def from_desk(line: DeskLine, frame: object) -> None:
        lost = effects.enter(_sends(DESK, frame), _down)
        await desk(line, frame)
        if lost:
            raise _down()

    async def to_desk(session: DeskSession, frame: object) -> None:
        lost = effects.enter(_sends(session._service.agency, frame), _down)
        await told(session, frame)
        if lost:
            raise _down()

    async def from_broker(session: BrokerSession, data: bytes) -> None:
        frame = _from_broker.decode(data)
        lost = effects.enter(_sends(BROKER, frame), ConnectionResetError)
        effects.heads |= {getattr(frame, "note", b"")} - {b""}
        await broker(session, data)
        if lost:
            raise ConnectionResetError

    patch.setattr(NodeSession, "_send", from_node)
    patch.setattr(DeskLine, "send", from_desk)
    patch.setattr(DeskSession, "_send", to_desk)
    patch.setattr(BrokerSession, "_send", from_broker)


def _sends(whose: str, frame: object) -> list[Effect]:
    """A frame by its name, and where it carries statements or entries, by theirs."""
    name = type(frame).__name__
    about: set[str] = set()
    if isinstance(frame, State):
        about = {item.event.value for item in frame.items}
    elif isinstance(frame, Feed):
        about = {_event(one.entry) for one in frame.entries}
    if name in UNHEARD:
        return []
    return [Effect(whose, f"sends {name} {one}".rstrip()) for one in sorted(about) or [""]]


def _event(entry: bytes) -> str:
    return decode(Entry, entry, MAX_ENTRY_BYTES, "entry").type.split("/")[1]


# --- names and errors ----------------------------------------------------------------------------


def _place(frame: FrameType) -> str:
    """`file:function` of the caller; what is defined inside a function has the function's name."""
    code = frame.f_code
    path = Path(code.co_filename)
    name = code.co_qualname.split(".<locals>")[0]
    where = path.relative_to(CLIENTS) if path.is_relative_to(CLIENTS) else path.name
    return f"{where}:{name}"


def _about(frame: FrameType) -> list[str]:
    """A node's transaction by its place; where it keeps a part of the feed, with the entries."""
    place = _place(frame)
    if place != "node/storing.py:store":
        return [place]
    seen = frame.f_locals["effects"].seen
    return [f"{place} {one}".rstrip() for one in sorted({row.event for row in seen}) or [""]]


def agency_of(path: Path) -> str:
    """Whose folder it is."""
    for part in path.parts:
        if re.fullmatch(r"[a-z]{2}\.[a-z]{2,}", part):
            return part
        if part.startswith("desk-"):
            return DESK
    return "somebody"


def _named(path: Path) -> str:
    return _NUMBERS.sub("N", path.name)


def no_room() -> OperatorError:
    return OperatorError("disk_full", "injected: there is no room left")


def _desk_full() -> OperatorError:
    return OperatorError("desk_disk_full", "injected: there is no room left")


def _unwritable(path: Path) -> OperatorError:
    return OperatorError("file_unwritable", f"injected: {path.name} cannot be written")


def _key_file(path: Path) -> OperatorError:
    return OperatorError("key_file_unwritable", f"injected: {path.name} cannot be written")


def _down() -> Unavailable:
    return Unavailable("line_down", "injected: the line broke")
