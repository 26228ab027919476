"""The signer writes down what it will sign, and never signs two roots for one size."""

from __future__ import annotations

import errno
import hashlib
import itertools
import logging
import os
import signal
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from saphan_broker.keys import LogKeys, create_log_keys, load_log_keys
from saphan_broker.logs.last_head import SLOT_AT, LastHead
from saphan_broker.logs.signer import Signer
from saphan_protocol.checkpoint import Head, verify_head
from saphan_protocol.merkle import EMPTY_ROOT
from saphan_schemas.errors import OperatorError, SaphanError, Unavailable
from saphan_schemas.records import HeadRef

ORIGIN = "bridge.example/evidence/1"
NOW = 1_790_000_000


def root(name: object) -> bytes:
    return hashlib.sha256(repr(name).encode()).digest()


@pytest.fixture
def keys_dir(tmp_path: Path) -> Path:
    return tmp_path / "keys"


@pytest.fixture
def keys(keys_dir: Path) -> LogKeys:
    return create_log_keys(keys_dir, "evidence", ORIGIN)


@pytest.fixture
def signer(keys_dir: Path, keys: LogKeys) -> Signer:
    made = Signer.create(keys_dir, "evidence", keys)
    made.allow_unheard("a test")
    return made


def reopened(keys_dir: Path) -> Signer:
    return Signer.open(keys_dir, "evidence", load_log_keys(keys_dir, "evidence"))


def assert_refused(code: str, signer: Signer, size: int, of: object, time: int = NOW) -> None:
    before = signer.last()
    with pytest.raises(SaphanError) as refused:
        signer.sign(size, root(of), time)
    assert refused.value.code == code
    assert refused.value.hint
    assert signer.last() == before


def test_a_head_is_signed_with_both_keys_and_remembered(signer: Signer, keys: LogKeys) -> None:
    head = signer.sign(3, root(3), NOW)
    assert verify_head(head.note, keys.pair) == head
    assert head.time == NOW
    assert signer.last() == LastHead(3, root(3), NOW)


def test_a_new_log_has_signed_nothing(keys_dir: Path, keys: LogKeys) -> None:
    signer = Signer.create(keys_dir, "evidence", keys)
    assert signer.last() == LastHead(0, EMPTY_ROOT, 0)
    with pytest.raises(OperatorError) as refused:
        Signer.create(keys_dir, "evidence", keys)
    assert refused.value.code == "key_file_exists"


def test_the_same_head_is_signed_anew_with_a_later_time(signer: Signer) -> None:
    signer.sign(3, root(3), NOW)
    assert signer.sign(3, root(3), NOW + 3600).time == NOW + 3600


def test_another_root_of_a_signed_size_is_refused(signer: Signer, keys_dir: Path) -> None:
    """Attack: a store restored from yesterday grows a second history and asks for its head."""
    signer.sign(3, root(3), NOW)
    assert_refused("signer_fork", signer, 3, "another")
    later = reopened(keys_dir)
    later.allow_unheard("a test")
    assert_refused("signer_fork", later, 3, "another")


def test_a_smaller_size_is_refused(signer: Signer) -> None:
    signer.sign(3, root(3), NOW)
    assert_refused("signer_behind", signer, 2, 2)


def test_two_signers_on_one_directory_cannot_contradict_each_other(
    signer: Signer, keys_dir: Path
) -> None:
    other = reopened(keys_dir)
    other.allow_unheard("a test")
    signer.sign(3, root("first"), NOW)
    assert_refused("signer_fork", other, 3, "second")


def test_of_many_racing_signatures_one_root_wins_each_size(signer: Signer, keys_dir: Path) -> None:
    other = reopened(keys_dir)
    other.allow_unheard("a test")

    def race(turn: int) -> Head | None:
        try:
            return (signer, other)[turn % 2].sign(1 + turn // 4, root(turn), NOW)
        except OperatorError:
            return None

    with ThreadPoolExecutor(4) as pool:
        heads = [head for head in pool.map(race, range(40)) if head is not None]
    sizes = [head.size for head in heads]
    assert len(set(sizes)) == len(sizes)
    assert max(sizes) == signer.last().size


def test_time_never_falls_and_a_broken_clock_is_refused(signer: Signer) -> None:
    signer.sign(3, root(3), NOW)
    assert signer.sign(4, root(4), NOW - 60).time == NOW
    assert_refused("signer_clock", signer, 5, 5, NOW - 61)


def test_after_a_start_nothing_is_signed_until_a_node_is_heard(
    signer: Signer, keys_dir: Path
) -> None:
    signer.sign(3, root(3), NOW)
    later = reopened(keys_dir)
    with pytest.raises(Unavailable) as refused:
        later.sign(4, root(4), NOW)
    assert refused.value.code == "signer_unheard"
    later.heard([HeadRef(ORIGIN, 2, root(2)), HeadRef("bridge.example/directory/1", 9, root(9))])
    assert later.released
    assert later.sign(4, root(4), NOW).size == 4


def test_a_node_without_any_head_releases_the_signer(signer: Signer, keys_dir: Path) -> None:
    later = reopened(keys_dir)
    later.heard([])
    assert later.released


@pytest.mark.parametrize(
    ("head", "code"),
    (
        (HeadRef(ORIGIN, 4, root(4)), "signer_behind"),
        (HeadRef(ORIGIN, 3, root("another")), "signer_fork"),
    ),
)
def test_a_node_that_knows_better_keeps_the_signer_silent(
    signer: Signer, keys_dir: Path, head: HeadRef, code: str
) -> None:
    """Attack or accident: the keys directory was restored from a backup.

    1. The broker signs 4 leaves; a node verifies them.
    2. The keys directory of 3 leaves comes back.
    3. The node's session opens: the signer must not sign another root for 4 leaves.
    """
    signer.sign(3, root(3), NOW)
    later = reopened(keys_dir)
    with pytest.raises(OperatorError) as refused:
        later.heard([head])
    assert refused.value.code == code
    assert not later.released


def test_an_override_is_logged_with_its_reason(
    keys_dir: Path, keys: LogKeys, caplog: pytest.LogCaptureFixture
) -> None:
    signer = Signer.create(keys_dir, "evidence", keys)
    with caplog.at_level(logging.WARNING):
        signer.allow_unheard("no node is enrolled")
    assert "no node is enrolled" in caplog.text
    assert ORIGIN in caplog.text


KILLED_WHILE_SIGNING = """
import os, signal, sys
from pathlib import Path
from saphan_broker.keys import LogKeys, load_log_keys
from saphan_broker.logs.signer import Signer
LogKeys.sign_head = lambda *arguments: os.kill(os.getpid(), signal.SIGKILL)
keys = Path(sys.argv[1])
signer = Signer.open(keys, "evidence", load_log_keys(keys, "evidence"))
signer.heard([])
signer.sign(4, bytes.fromhex(sys.argv[2]), int(sys.argv[3]))
"""


def test_a_kill_between_file_and_signature_binds_the_next_start(
    signer: Signer, keys_dir: Path
) -> None:
    """What was written down may have been signed: the same head again, or a later one, only."""
    signer.sign(3, root(3), NOW)
    arguments = [str(keys_dir), root(4).hex(), str(NOW + 1)]
    child = subprocess.run([sys.executable, "-c", KILLED_WHILE_SIGNING, *arguments], check=False)
    assert child.returncode == -signal.SIGKILL
    later = reopened(keys_dir)
    later.heard([])
    assert later.last() == LastHead(4, root(4), NOW + 1)
    assert_refused("signer_fork", later, 4, "another")
    assert later.sign(4, root(4), NOW + 2).size == 4


def test_a_crash_before_the_rename_leaves_the_old_head(signer: Signer, keys_dir: Path) -> None:
    signer.sign(3, root(3), NOW)
    (keys_dir / "evidence.head.new").write_bytes(b'{"saphan":"head/1","ori')
    later = reopened(keys_dir)
    later.heard([])
    assert later.last().size == 3
    assert later.sign(4, root(4), NOW).size == 4


def flip(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def slot_of(path: Path, before: bytes) -> int:
    """The byte at which the slot begins that has changed; exactly one has."""
    after = path.read_bytes()
    half = len(after) // 2
    changed = [at for at in SLOT_AT if before[at : at + half] != after[at : at + half]]
    assert len(changed) == 1
    return changed[0]


def test_heads_are_written_in_turn_into_one_file(signer: Signer, keys_dir: Path) -> None:
    """The slot of the last signed head is never the one that is written."""
    path = keys_dir / "evidence.head"
    signer.sign(3, root(3), NOW)
    file, slots = path.stat().st_ino, []
    for size in range(4, 10):
        before = path.read_bytes()
        signer.sign(size, root(size), NOW)
        slots.append(slot_of(path, before))
        assert reopened(keys_dir).last() == LastHead(size, root(size), NOW)
    assert path.stat().st_ino == file
    assert all(a != b for a, b in itertools.pairwise(slots))


@pytest.mark.parametrize("byte", (0, 7, 8, 16, 40, 48, 55, 56, 87))
def test_a_torn_slot_was_not_signed_under(signer: Signer, keys_dir: Path, byte: int) -> None:
    """A power cut in the middle of writing a slot: what was signed before it still binds."""
    path = keys_dir / "evidence.head"
    for size in (3, 4):
        signer.sign(size, root(size), NOW)
    before = path.read_bytes()
    signer.sign(5, root(5), NOW)  # its slot is torn: this stands for a signature never made
    flip(path, slot_of(path, before) + byte)
    later = reopened(keys_dir)
    later.heard([])
    assert later.last() == LastHead(4, root(4), NOW)
    assert_refused("signer_fork", later, 4, "another")
    assert later.sign(5, root("anew"), NOW).size == 5
    assert reopened(keys_dir).last() == LastHead(5, root("anew"), NOW)


def test_with_both_slots_damaged_nothing_is_signed(signer: Signer, keys_dir: Path) -> None:
    path = keys_dir / "evidence.head"
    for size in (3, 4):
        signer.sign(size, root(size), NOW)
    for at in SLOT_AT:
        flip(path, at)
    for act in (signer.last, lambda: signer.sign(5, root(5), NOW), lambda: reopened(keys_dir)):
        with pytest.raises(OperatorError) as refused:
            act()
        assert refused.value.code == "key_file_malformed"


def test_after_a_failed_sync_nothing_is_written_in_place(
    signer: Signer, keys_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the file reads as after a failed sync may be in memory only.

    1. The slot of 4 leaves is written, its sync fails: nothing is signed.
    2. Writing the next slot in place would overwrite the only one that is surely on the disk: the
       file is replaced instead, and only then are slots written in place again.
    """
    path = keys_dir / "evidence.head"
    signer.sign(3, root(3), NOW)

    def fail(_descriptor: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as broken:
        broken.setattr(os, "fdatasync", fail)
        with pytest.raises(OperatorError) as refused:
            signer.sign(4, root(4), NOW)
    assert refused.value.code == "key_file_unwritable"
    with path.open("rb"):  # held open, so that its number is not given out again
        files = [path.stat().st_ino]
        for size in (4, 5, 6):
            signer.sign(size, root(size), NOW)
            files.append(path.stat().st_ino)
    assert files[0] != files[1] == files[2] == files[3]
    assert signer.last().size == 6


def test_what_another_signer_wrote_is_not_overwritten_in_place(
    signer: Signer, keys_dir: Path
) -> None:
    other = reopened(keys_dir)
    other.allow_unheard("a test")
    path = keys_dir / "evidence.head"
    for size, of in ((3, signer), (4, other), (5, signer)):
        with path.open("rb"):
            before = path.stat().st_ino
            of.sign(size, root(size), NOW)
            assert path.stat().st_ino != before


def test_a_missing_or_foreign_last_head_file_is_refused(signer: Signer, keys_dir: Path) -> None:
    path = keys_dir / "evidence.head"
    data = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    foreign = keys_dir / "foreign"
    other = create_log_keys(foreign, "evidence", "bridge.example/evidence/2")
    Signer.create(foreign, "evidence", other)
    of_another = (foreign / "evidence.head").read_bytes()
    for damaged in (b"", data[:-3], data + b"\0", bytes(len(data)), of_another):
        path.write_bytes(damaged)
        with pytest.raises(OperatorError) as refused:
            reopened(keys_dir)
        assert refused.value.code == "key_file_malformed"
    path.unlink()
    with pytest.raises(OperatorError) as refused:
        reopened(keys_dir)
    assert refused.value.code == "key_file_missing"


def test_an_exposed_last_head_file_is_refused(signer: Signer, keys_dir: Path) -> None:
    (keys_dir / "evidence.head").chmod(0o644)
    with pytest.raises(OperatorError) as refused:
        reopened(keys_dir)
    assert refused.value.code == "key_file_exposed"
