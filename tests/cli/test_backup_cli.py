"""Backups and restores as a keeper types them, with what can go wrong."""

from __future__ import annotations

import base64
import io
import json
import os
import shutil
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest
from saphan.backup.custodians import make_custodian
from saphan.backup.making import LOCK_NAME
from saphan.backup.one_at_a_time import alone
from saphan.backup.restoring import read_header, restore
from saphan.backup.shares import read_share
from saphan.cli.main import main
from saphan.keys.passphrase import Passphrase
from saphan.node.archive import Archive
from saphan.node.restored import RESTORED
from saphan.node.rows.db import Database
from saphan.office import Office
from saphan_protocol.words import word_lines
from support.cheap import CHEAP
from support.command import Ran

NAMES = ("dara", "mali", "noy")
PASSPHRASE = "a custodian's passphrase"
BLOB = "node/data/blobs/in/ab12/0"


def saphan(*words: str | Path, status: int = 0) -> Ran:
    """The command without a process of its own: there are sixty of them here."""
    with redirect_stdout(io.StringIO()) as out, redirect_stderr(io.StringIO()) as err:
        ended = main([*map(str, words)])
    ran = Ran(ended, out.getvalue(), err.getvalue())
    assert ran.status == status, ran
    return ran


@dataclass
class Place:
    """An agency's folder with a store in it, three custodians, and where files go."""

    folder: Path

    @property
    def office(self) -> Path:
        return self.folder / "la.ospp"

    def backup(self, name: str = "a", *words: str | Path, status: int = 0) -> Ran:
        pubs = ",".join(str(self.folder / f"{one}.pub") for one in NAMES)
        given = words or (
            *("--data", self.folder / f"{name}.data"),
            *("--keys", self.folder / f"{name}.keys"),
        )
        return saphan(
            *("node", "backup", "--dir", self.office, *given),
            *("--custodians", pubs, "--quorum", "2", "--json"),
            status=status,
        )

    def share(self, who: str, name: str = "a.keys", status: int = 0) -> Path:
        out = self.folder / f"{who}.{name}.share"
        saphan(
            *("custodian", "open", self.folder / name, "--key", self.folder / f"{who}.key"),
            *("--out", out, "--passphrase-file", self.folder / "custodian.txt"),
            status=status,
        )
        return out

    def restore(self, *words: str | Path, shares: list[Path], status: int = 0) -> Ran:
        listed = ",".join(map(str, shares))
        return saphan(
            *("node", "restore", "--dir", self.folder / "new", *words, "--shares", listed),
            *(("--json",) if not status else ()),
            status=status,
        )


@pytest.fixture(scope="session")
def saved(agencies: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`la.ospp` with a store, an archive key and an attachment; one backup; two opened shares."""
    folder = tmp_path_factory.mktemp("saved") / "work"
    shutil.copytree(agencies, folder)
    passphrase = folder / "custodian.txt"
    passphrase.write_text(PASSPHRASE + "\n")
    passphrase.chmod(0o600)
    for name in NAMES:
        make_custodian(folder, name, Passphrase(PASSPHRASE), CHEAP)
    place = Place(folder)
    with closing(Database(place.office / "node/data")):
        Archive(place.office / "node/data/archive-keys").wrap(bytes(32), b"b" * 32, 20_000)
    blob = place.office / BLOB
    blob.parent.mkdir(parents=True)
    blob.write_bytes(bytes(200_000))
    shutil.copy(folder / "pins.json", place.office / "node/pins.json")
    place.backup()
    place.share("dara")
    place.share("noy")
    return folder


@pytest.fixture
def place(saved: Path, tmp_path: Path) -> Place:
    return Place(Path(shutil.copytree(saved, tmp_path / "work")))


def shares(place: Place) -> list[Path]:
    return [place.folder / f"{who}.a.keys.share" for who in ("dara", "noy")]


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def nothing_left(place: Place) -> bool:
    return not (place.folder / "new").exists() and not list(place.folder.glob(".new*"))


def test_both_files_bring_back_everything_but_root_and_witness(place: Place) -> None:
    data, keys = place.folder / "a.data", place.folder / "a.keys"
    done = place.restore("--data", data, "--keys", keys, shares=shares(place)).json
    assert done["agency"] == "la.ospp"
    assert done["node_key"] is True
    assert done["mailbox_keys"] == 8  # one for each week
    before, after = files(place.office), files(place.folder / "new")
    for name in ("node.lock", "node.db-wal", "node.db-shm"):
        before.pop(f"node/data/{name}", None)
    assert {name for name in before if name not in after} == {
        "root/root.key",
        "node/witness.key",
        "node/backup.json",
        "node/backup.lock",
    }
    same = set(after) - {"node/data/node.db"}
    assert {name: before.get(name) for name in same} == {name: after[name] for name in same}
    for name in after:
        mode = (place.folder / "new" / name).stat().st_mode & 0o777
        secret = name.endswith(".key") or "/data/" in name
        assert mode == (0o600 if secret else 0o644), name
    for path in (data, keys, *shares(place)):
        assert path.stat().st_mode & 0o777 == 0o600


def test_no_secret_of_the_folder_stands_in_a_backup_in_clear(place: Place) -> None:
    secrets = [
        json.loads((place.office / "node" / "node.key").read_text())["seed"].encode(),
        next((place.office / "node/data/archive-keys").iterdir()).read_bytes(),
    ]
    for name in ("a.data", "a.keys"):
        whole = (place.folder / name).read_bytes()
        assert not any(secret in whole for secret in secrets)


def test_a_backup_says_what_it_leaves_out_and_who_opens_it(place: Place) -> None:
    made = place.backup("b").json
    assert made["left_out"] == ["witness", "root"]
    assert made["quorum"] == 2
    shown = saphan("custodian", "show", place.folder / "b.data").out
    assert "la.ospp" in shown
    assert "dara, mali, noy" in shown
    page = saphan(
        *("node", "restore", "--dir", place.folder / "new", "--data", place.folder / "a.data"),
        *("--shares", ",".join(map(str, shares(place)))),
    ).out
    assert "Without a backup of the keys" in page
    (root,) = Office(place.office).read_agency().root_ids
    assert all(line in page for line in word_lines(root))
    assert "saphan keys add witness" in page
    assert "saphan keys add node" in page


def test_half_a_file_restores_nothing(place: Place) -> None:
    for name, code in (("a.data", "backup_damaged"), ("a.keys", "backup_damaged")):
        whole = (place.folder / name).read_bytes()
        (place.folder / "half").write_bytes(whole[: len(whole) // 2 + 5000])
        part = "--data" if name == "a.data" else "--keys"
        ran = place.restore(part, place.folder / "half", shares=shares(place), status=2)
        assert ran.code == code
    (place.folder / "half").write_bytes((place.folder / "a.keys").read_bytes()[:700])
    ran = place.restore("--keys", place.folder / "half", shares=shares(place), status=2)
    assert ran.code == "backup_malformed"
    assert nothing_left(place)


@pytest.mark.parametrize("at", ["header", "stream", "end"])
def test_a_changed_byte_restores_nothing(place: Place, at: str) -> None:
    whole = bytearray((place.folder / "a.keys").read_bytes())
    line = whole.index(b"\n")
    spot = {"header": whole.index(b'"made": ') + 9, "stream": line + 3000, "end": len(whole) - 1}
    whole[spot[at]] ^= 1
    (place.folder / "changed").write_bytes(whole)
    ran = place.restore("--keys", place.folder / "changed", shares=shares(place), status=2)
    assert ran.code == "backup_damaged"
    assert nothing_left(place)


def test_too_few_or_the_wrong_custodians_open_nothing(place: Place) -> None:
    data, dara, noy = place.folder / "a.data", *shares(place)
    assert place.restore("--data", data, shares=[dara], status=3).code == "custodians_too_few"
    assert place.restore("--data", data, shares=[dara, dara], status=3).code == "custodians_too_few"
    place.backup("b")
    other = place.share("mali", "b.data")
    ran = place.restore("--data", data, shares=[other], status=3)
    assert ran.code == "share_foreign"
    assert (
        place.restore("--data", data, shares=[dara, other], status=3).code == "custodians_too_few"
    )
    stranger, _, _ = make_custodian(place.folder, "pov", Passphrase(PASSPHRASE), CHEAP)
    ran = saphan(
        *("custodian", "open", data, "--key", stranger, "--out", place.folder / "x"),
        *("--passphrase-file", place.folder / "custodian.txt"),
        status=3,
    )
    assert ran.code == "custodian_unknown"
    ran = saphan(
        *("custodian", "open", data, "--key", place.office / "node/node.key"),
        *("--out", place.folder / "x", "--passphrase-file", place.folder / "custodian.txt"),
        status=2,
    )
    assert ran.code == "custodian_malformed"
    dara.write_bytes(noy.read_bytes()[:200])
    assert place.restore("--data", data, shares=[dara], status=2).code == "share_malformed"
    dara.chmod(0o644)
    assert place.restore("--data", data, shares=[dara], status=5).code == "key_file_exposed"
    assert nothing_left(place)


def test_two_agencies_do_not_make_one_node(place: Place) -> None:
    other = place.folder / "kh.gpo"
    pubs = ",".join(str(place.folder / f"{one}.pub") for one in NAMES)
    saphan(
        *("node", "backup", "--dir", other, "--keys", place.folder / "kh.keys"),
        *("--custodians", pubs, "--quorum", "1"),
    )
    given = ("--data", place.folder / "a.data", "--keys", place.folder / "kh.keys")
    assert place.restore(*given, shares=shares(place), status=2).code == "backups_differ"
    given = ("--data", place.folder / "a.data", "--keys", place.folder / "a.data")
    assert place.restore(*given, shares=shares(place), status=2).code == "backups_differ"


def test_a_newer_format_and_other_files_are_said_to_be_what_they_are(place: Place) -> None:
    newer = (place.folder / "a.data").read_bytes().replace(b"backup/1", b"backup/2", 1)
    (place.folder / "newer").write_bytes(newer)
    ran = place.restore("--data", place.folder / "newer", shares=shares(place), status=5)
    assert ran.code == "backup_newer"
    for wrong in (place.office / "agency.json", place.office / "node/data/node.db"):
        ran = place.restore("--data", wrong, shares=shares(place), status=2)
        assert ran.code == "backup_malformed"
    ran = place.restore("--data", place.folder / "none", shares=shares(place), status=5)
    assert ran.code == "file_missing"


def test_nothing_is_written_over(place: Place) -> None:
    (place.folder / "new").mkdir()
    (place.folder / "new" / "mine.txt").write_text("mine")
    data = place.folder / "a.data"
    assert place.restore("--data", data, shares=shares(place), status=5).code == "target_not_empty"
    assert [path.name for path in (place.folder / "new").iterdir()] == ["mine.txt"]
    (place.folder / "new" / "mine.txt").unlink()
    place.restore("--data", data, shares=shares(place))
    again = place.backup("c", "--data", data, status=5)
    assert again.err.count("file_exists") == 1


def test_a_backup_needs_a_node_that_has_run_and_custodians_that_can_open(place: Place) -> None:
    other = place.folder / "kh.gpo"
    given = ("node", "backup", "--dir", other, "--custodians", place.folder / "dara.pub")
    out = ("--data", place.folder / "k.data")
    assert saphan(*given, *out, "--quorum", "1", status=5).code == "store_missing"
    assert saphan(*given, *out, "--quorum", "2", status=2).code == "custodians_malformed"
    assert saphan(*given, "--quorum", "1", status=2).code == "backup_part_missing"
    wrong = ("node", "backup", "--dir", other, "--custodians", place.folder / "dara.key")
    assert saphan(*wrong, *out, "--quorum", "1", status=2).code == "custodian_malformed"
    assert not (place.folder / "k.data").exists()


def test_a_damaged_store_is_not_saved(place: Place) -> None:
    store = place.office / "node/data/node.db"
    whole = bytearray(store.read_bytes())
    whole[8192:12288] = bytes([255]) * 4096
    store.write_bytes(whole)
    ran = saphan(
        *("node", "backup", "--dir", place.office, "--data", place.folder / "d.data"),
        *("--custodians", place.folder / "dara.pub", "--quorum", "1"),
        status=5,
    )
    assert ran.code == "store_damaged"
    assert not (place.folder / "d.data").exists()
    assert not list((place.office / "node/data").glob(".backup*"))


def test_a_killed_backup_or_restore_is_cleared_away_by_the_next_one(place: Place) -> None:
    copy, part = place.office / "node/data/.backup.db", place.folder / ".k.data.part"
    for left in (copy, copy.with_name(".backup.db-journal"), part):
        left.write_bytes(b"half")
    place.backup("k")
    assert not any(left.exists() for left in (copy, part))
    staging = place.folder / ".new.restoring"
    (staging / "node").mkdir(parents=True)
    (staging / "node" / "node.key").write_text("a secret of the one before")
    place.restore("--data", place.folder / "a.data", shares=shares(place))
    assert not staging.exists()
    assert not (place.folder / "new/node/node.key").exists()


def test_one_backup_and_one_restore_at_a_time(place: Place) -> None:
    with alone(place.office / "node" / LOCK_NAME):
        assert place.backup("k", status=4).err.count("backup_running") == 1
    assert not (place.folder / "k.data").exists()
    staging = place.folder / ".new.restoring"
    staging.mkdir()
    (staging / "theirs").touch()
    with alone(staging, os.O_RDONLY | os.O_DIRECTORY):
        ran = place.restore("--data", place.folder / "a.data", shares=shares(place), status=4)
        assert ran.code == "backup_running"
        assert (staging / "theirs").exists()


def test_a_custodian_makes_a_key_once_and_shows_its_words(place: Place) -> None:
    given = ("custodian", "init", "vanna", "--dir", place.folder / "hers")
    secret = ("--passphrase-file", place.folder / "custodian.txt")
    made = saphan(*given, *secret, "--json").json
    assert len(made["words"].split()) == 20
    page = saphan("custodian", "init", "other", "--dir", place.folder / "hers", *secret).out
    assert [len(line.split()) for line in page.splitlines()[-5:]] == [4] * 5
    assert Path(made["key_file"]).stat().st_mode & 0o777 == 0o600
    assert saphan(*given, *secret, status=5).code == "file_exists"
    assert saphan("custodian", "init", "../x", *secret, status=2).code == "handle_malformed"
    out = ("--data", place.folder / "v.data")
    pub = ("--custodians", made["public_file"], "--quorum", "1")
    saphan("node", "backup", "--dir", place.office, *out, *pub)
    share = place.folder / "vanna.share"
    opening = ("custodian", "open", place.folder / "v.data", "--key", made["key_file"])
    wrong = place.folder / "wrong.txt"
    wrong.write_text("not her passphrase at all\n")
    wrong.chmod(0o600)
    ran = saphan(*opening, "--out", share, "--passphrase-file", wrong, status=5)
    assert ran.code == "passphrase_wrong"
    saphan(*opening, "--out", share, *secret)
    assert share.stat().st_mode & 0o777 == 0o600
    place.restore("--data", place.folder / "v.data", shares=[share])


def test_a_dead_clock_does_not_make_the_old_witness_a_new_one(place: Place) -> None:
    """A spare machine starts in 1970: what was enrolled before the backup is still older."""
    files = [place.folder / "a.data", place.folder / "a.keys"]
    opened = [read_share(path) for path in shares(place)]
    restored = restore(place.folder / "new", files, opened, now=1)
    with closing(Database(restored.office.node / "data")) as db:
        (row,) = db.rows("SELECT value FROM facts WHERE name = ?", (RESTORED,))
    assert row[0] == read_header(files[0]).made


def test_one_custodian_who_lies_does_not_stop_those_who_suffice(place: Place) -> None:
    """Two of three suffice: a wrong share, under the own place or another's, is passed over."""
    true = [*shares(place), place.share("mali")]
    lie = json.loads(true[0].read_text())
    for share in lie["shares"]:
        share["share"] = base64.b64encode(bytes(32)).decode()
    forged = place.folder / "forged.share"
    given = ("--data", place.folder / "a.data", "--keys", place.folder / "a.keys")
    for at in range(3):
        forged.write_text(json.dumps(lie | {"place": at}))
        forged.chmod(0o600)
        for brought in ([*true, forged], [forged, *true]):
            place.restore(*given, shares=brought)
            shutil.rmtree(place.folder / "new")
    forged.write_text(json.dumps(lie))
    assert place.restore(*given, shares=[forged, true[1]], status=2).code == "backup_damaged"
    assert nothing_left(place)


def test_newer_data_than_keys_opens_only_what_the_keys_know(place: Place) -> None:
    """An archive key is made with the first bulletin of its retention day."""
    data = place.office / "node/data"
    Archive(data / "archive-keys").wrap(bytes(32), b"c" * 32, 20_001)
    with closing(Database(data)) as db, db.transaction() as tx:
        tx.executemany(
            "INSERT INTO bulletins (id, sender, nonce, header, header_id, digest, wrapped,"
            " wrap_day, stored) VALUES (?1, 'la.ospp', ?1, x'', x'', x'', x'00', ?2, 1)",
            [(b"b", 20_000), (b"c", 20_001)],
        )
    place.backup("n")
    both = [*shares(place), place.share("dara", "n.data"), place.share("noy", "n.data")]
    given = ("--data", place.folder / "n.data", "--keys")
    found = place.restore(*given, place.folder / "a.keys", shares=both).json
    assert (found["bulletins"], found["readable"]) == (2, 1)
    shutil.rmtree(place.folder / "new")
    found = place.restore(*given, place.folder / "n.keys", shares=both).json
    assert (found["bulletins"], found["readable"]) == (2, 2)
