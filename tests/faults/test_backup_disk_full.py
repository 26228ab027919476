"""A disk that fills up while a backup is made or restored: nothing half is left, and it is said."""

from __future__ import annotations

import resource
import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from saphan import agency as ceremony
from saphan.backup.custodians import make_custodian
from saphan.backup.restoring import read_header
from saphan.backup.shares import open_share, write_share
from saphan.keys.keyfiles import read_key
from saphan.node.rows.db import Database
from saphan.office import Office
from saphan_protocol.mailbox import MailboxKey
from saphan_schemas.records import Role
from support.bridge import CHEAP, LA, SECRET
from support.brokers import Clock
from support.command import Ran, environment, saphan_command


@pytest.fixture
def office(tmp_path: Path) -> Office:
    made = ceremony.init(tmp_path / LA, LA, SECRET, {"bounmy": SECRET}, now=Clock()(), cost=CHEAP)
    make_custodian(tmp_path, "dara", SECRET, CHEAP)
    with closing(Database(made.node / "data")) as db, db.transaction() as tx:
        tx.execute("INSERT INTO facts VALUES ('ballast', ?)", (bytes(2_000_000),))
    return made


def saphan(*words: str | Path, longest: int | None = None, status: int = 0) -> Ran:
    """The command, unable to write any file beyond `longest` bytes: what a full disk refuses."""

    def limit() -> None:
        if longest is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (longest, longest))

    ended = subprocess.run(
        saphan_command(*words),
        capture_output=True,
        text=True,
        env=environment(),
        preexec_fn=limit,
        check=False,
    )
    ran = Ran(ended.returncode, ended.stdout, ended.stderr)
    assert ran.status == status, ran
    return ran


def backup(place: Path, longest: int | None = None, status: int = 0) -> Ran:
    return saphan(
        *("node", "backup", "--dir", place / LA, "--data", place / "a.data"),
        *("--custodians", place / "dara.pub", "--quorum", "1"),
        longest=longest,
        status=status,
    )


def hidden(place: Path) -> list[Path]:
    return [path for path in place.rglob(".*") if path.is_file() or path.is_dir()]


@pytest.mark.parametrize("longest", [300_000, 2_050_000], ids=["the copy", "the backup"])
def test_a_backup_that_does_not_fit_is_not_there(
    office: Office, tmp_path: Path, longest: int
) -> None:
    assert backup(tmp_path, longest, status=5).code == "disk_full"
    assert not (tmp_path / "a.data").exists()
    assert hidden(tmp_path) == []
    assert not (office.node / "backup.json").exists()
    backup(tmp_path)


def test_a_restore_that_does_not_fit_leaves_nothing(office: Office, tmp_path: Path) -> None:
    backup(tmp_path)
    shutil.rmtree(office.folder)
    header = read_header(tmp_path / "a.data")
    key = read_key(tmp_path / "dara.key", Role.MAILBOX, SECRET)
    write_share(tmp_path / "dara.share", header, open_share(header, MailboxKey(key.seed)))
    words = (
        *("node", "restore", "--dir", office.folder, "--data", tmp_path / "a.data"),
        *("--shares", tmp_path / "dara.share"),
    )
    assert saphan(*words, longest=1_000_000, status=5).code == "disk_full"
    assert not office.folder.exists()
    assert hidden(tmp_path) == []
    saphan(*words)
    assert office.read_agency().agency == LA
