"""The commands of `offline.py`: a broker's copy and backup, a node's backup."""

from __future__ import annotations

import io
import shutil
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from pathlib import Path

from saphan.backup.restoring import read_header
from saphan.backup.shares import open_share, write_share
from saphan.cli.main import main as saphan
from saphan.keys.keyfiles import read_key
from saphan_broker.cli.main import main as saphan_broker
from saphan_protocol.mailbox import MailboxKey
from saphan_schemas.records import Role
from support.bridge import LA, SECRET
from support.brokers import World
from support.servers import Server

from matrix.offline import Offline
from matrix.seams import BROKER


def _status(program: object, *words: str | Path) -> int:
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        ended = program([str(word) for word in words])  # type: ignore[operator]
    assert isinstance(ended, int)
    return ended


def _bring(world: World, folder: Path) -> None:
    """The broker's folders, in a place of this run's own."""
    shutil.copytree(world.data, folder / "data")
    shutil.copytree(world.keys, folder / "keys")


def broker_backup(world: World) -> Offline:
    """`saphan-broker backup`, then `restore` and `fsck` of what it made."""

    def do(folder: Path) -> int:
        return _status(saphan_broker, "backup", "--data", world.data, "--out", folder / "kept")

    def check(folder: Path) -> None:
        new = ("--data", folder / "new", "--keys", world.keys)
        assert _status(saphan_broker, "restore", "--from", folder / "kept", *new) == 0
        assert _status(saphan_broker, "fsck", *new) == 0

    return Offline(BROKER, lambda folder: None, do, check)


def broker_copy(world: World, server: Server) -> Offline:
    """`saphan-broker copy` to a Valkey, which has nothing of it before."""

    where = partial(_on, server)

    def ready(folder: Path) -> None:
        _bring(world, folder)
        with server.client() as client:
            client.flushall()

    def do(folder: Path) -> int:
        return _status(saphan_broker, "copy", *where(folder), "--to", "redis")

    def check(folder: Path) -> None:
        assert _status(saphan_broker, "fsck", *where(folder)) == 0

    return Offline(BROKER, ready, do, check)


def _on(server: Server, folder: Path) -> tuple[str | Path, ...]:
    """Words for a broker whose store is on a server."""
    redis = ("--redis", server.address().url, "--blobs", folder / "objects")
    return ("--data", folder / "data", "--keys", folder / "keys", *redis)


def broker_copy_back(world: World, server: Server) -> Offline:
    """`saphan-broker copy --to sqlite`, out of a Valkey to which it was copied before.

    Its data folder is a new machine's.
    """
    there, where = broker_copy(world, server), partial(_on, server)

    def ready(folder: Path) -> None:
        there.ready(folder)
        assert there.do(folder) == 0
        (folder / "data").rename(folder / "before")
        (folder / "data").mkdir(mode=0o700)

    def do(folder: Path) -> int:
        return _status(saphan_broker, "copy", *where(folder), "--to", "sqlite")

    def check(folder: Path) -> None:
        assert _status(saphan_broker, "fsck", *where(folder)[:4]) == 0

    return Offline(BROKER, ready, do, check)


def node_backup(office: Path, custodian: Path) -> Offline:
    """`saphan node backup`, then `restore` from it with a custodian's share."""

    def ready(folder: Path) -> None:
        shutil.copytree(office, folder / LA)

    def do(folder: Path) -> int:
        if (folder / "a.data").exists():
            return 0  # whoever finds it takes it for whole: `check` does
        words = ("--dir", folder / LA, "--data", folder / "a.data", "--quorum", "1")
        public = custodian.with_suffix(".pub")
        return _status(saphan, "node", "backup", *words, "--custodians", public)

    def check(folder: Path) -> None:
        shutil.rmtree(folder / LA)
        header = read_header(folder / "a.data")
        key = read_key(custodian, Role.MAILBOX, SECRET)
        write_share(folder / "a.share", header, open_share(header, MailboxKey(key.seed)))
        words = ("--dir", folder / LA, "--data", folder / "a.data", "--shares", folder / "a.share")
        assert _status(saphan, "node", "restore", *words) == 0

    return Offline(LA, ready, do, check)
