"""Each system call by which a signer's last-head file reaches the disk fails once, or is the last.

Oracle: a head that was reported written is there or a later one is; the file is never malformed;
nothing was signed under a head that is not there.
"""

from __future__ import annotations

import shutil
import signal
from functools import partial
from pathlib import Path

import pytest
from saphan_broker.logs.last_head import LastHeadFile
from support import traced
from support.signing_child import ORIGIN, head
from support.traced import PATIENCE_S, Fault, Ran, need_strace, said

CHILD = "support.signing_child"
HEADS = 4
CALLS = ("openat", "write", "pwrite64", "fsync", "fdatasync", "rename")
USED = frozenset(("openat", "pwrite64", "fsync", "fdatasync", "rename"))
CODES = frozenset(("key_file_unwritable", "key_file_missing", "key_file_unreadable"))

pytestmark = pytest.mark.timeout(PATIENCE_S)


def begin(folder: Path) -> Path:
    folder.mkdir()
    LastHeadFile(folder / "evidence.head", ORIGIN).create()
    return folder / "evidence.head"


def files_of(file: Path) -> list[Path]:
    return [file, file.parent, *(file.with_name(f"{file.name}{end}") for end in (".new", ".tmp"))]


def hit(place: Path, call: str, which: tuple[int, Fault]) -> Ran:
    at, fault = which
    file = begin(place / f"{call}-{at}-{fault}")
    ran = traced.run(CHILD, [str(file), str(HEADS)], files_of(file), call, fault, at)
    try:
        judge(file, ran)
    except BaseException as error:
        error.add_note(f"{call} number {at}: {fault}; said {ran.said}, {ran.noise[-2000:]}")
        raise
    shutil.rmtree(file.parent)
    return ran


def judge(file: Path, ran: Ran) -> None:
    assert "Traceback" not in ran.noise
    if ran.status != -signal.SIGKILL:
        last = ran.said[-1].split()
        assert last == ["done"] or (last[0] == "failed" and last[1] in CODES)
    begun, signed = max(ran.sizes("begun"), default=0), max(ran.sizes("signed"), default=0)
    read = LastHeadFile(file, ORIGIN)
    found = read.read()
    assert found.size in (signed, begun)
    assert found.size == 0 or found == head(found.size)
    read.write(head(begun + 1))
    assert LastHeadFile(file, ORIGIN).read() == head(begun + 1)


@pytest.mark.parametrize("call", CALLS)
def test_a_signers_file_under_which_a_call_fails_holds_what_was_signed(
    call: str, tmp_path: Path
) -> None:
    need_strace()

    def count() -> int:
        file = begin(tmp_path / "counted")
        return traced.count(CHILD, [str(file), str(HEADS)], files_of(file), call)

    found = traced.sweep(count, partial(hit, tmp_path, call))
    print(f"{call}: {len(found)} times hit; " + said(found))
    assert found or call not in USED, "no head is kept with it any more"
