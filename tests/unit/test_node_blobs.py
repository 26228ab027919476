"""Files of attachments: they grow, are whole or gone, and leave nothing behind."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest
from saphan.node.files.blobs import BlobFiles, pieces
from saphan_protocol.identity import sha256
from saphan_schemas.errors import OperatorError
from saphan_schemas.records import Blob

ID = b"b" * 32
DATA = os.urandom(700_000)
BLOB = Blob(len(DATA), sha256(DATA))


@pytest.fixture
def files(tmp_path: Path) -> BlobFiles:
    return BlobFiles(tmp_path / "blobs")


def test_a_part_goes_on_where_it_was_and_is_whole_once(files: BlobFiles) -> None:
    for at in range(0, len(DATA), 300_000):
        file = files.open_incoming(ID, 1, BLOB)
        assert file.held == at
        file.append(DATA[at : at + 300_000])
        file.close()
    file = files.open_incoming(ID, 1, BLOB)
    assert file.finish()
    file.close()
    path = files.received(ID, 1)
    assert b"".join(pieces(path)) == DATA
    assert b"".join(pieces(path, 699_000)) == DATA[699_000:]
    assert [one.name for one in path.parent.iterdir()] == ["1"]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("wrong", [DATA[:-1] + b"x", DATA + b"x"])
def test_what_is_not_the_part_goes(files: BlobFiles, wrong: bytes) -> None:
    file = files.open_incoming(ID, 1, BLOB)
    file.append(wrong)
    assert not file.finish()
    file.close()
    assert list(files.received(ID, 1).parent.iterdir()) == []


def test_a_file_of_another_length_is_begun_anew(files: BlobFiles) -> None:
    file = files.open_incoming(ID, 1, BLOB)
    file.append(DATA)
    file.close()
    shorter = Blob(1_000, sha256(DATA[:1_000]))
    file = files.open_incoming(ID, 1, shorter)
    assert file.held == 0
    file.append(DATA[:1_000])
    assert file.finish()
    file.close()


def test_a_whole_file_that_is_asked_for_again_is_judged_by_its_digest(files: BlobFiles) -> None:
    file = files.open_incoming(ID, 1, BLOB)
    file.append(DATA)
    assert file.finish()
    file.close()
    file = files.open_incoming(ID, 1, BLOB)
    assert (file.held, file.finish()) == (len(DATA), True)
    file.close()


def test_writing_after_the_end_touches_no_other_file(files: BlobFiles, tmp_path: Path) -> None:
    """A session is gone, a thread still writes: it must not write into what was opened since."""
    file = files.open_incoming(ID, 1, BLOB)
    started, failures = threading.Event(), []

    def write() -> None:
        try:
            for _ in range(2_000):
                file.append(b"x" * 100)
                started.set()
        except OperatorError as error:
            failures.append(error.code)

    thread = threading.Thread(target=write)
    thread.start()
    started.wait()
    file.close()
    with open(tmp_path / "other", "wb") as other:
        thread.join()
        assert os.fstat(other.fileno()).st_size == 0
    assert failures == ["file_unwritable"]


def test_a_sweep_keeps_what_is_known(files: BlobFiles) -> None:
    staged = files.stage("nonce")
    (staged / "1").write_bytes(b"sealed")
    files.adopt(staged, ID)
    files.stage("crashed")
    files.open_incoming(b"c" * 32, 1, BLOB).close()
    files.sweep({ID.hex()})
    assert [path.name for path in files.out.iterdir()] == [ID.hex()]
    assert list(files.incoming.iterdir()) == []
    files.remove(ID)
    assert list(files.out.iterdir()) == []


def test_what_is_missing_is_this_disks_fault(files: BlobFiles) -> None:
    with pytest.raises(OperatorError, match="attachment_damaged"):
        list(pieces(files.received(ID, 1)))
