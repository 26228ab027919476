"""A bundle or record pack whose writer dies: what it leaves has no name, and does not stay."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

from saphan.item_file import write_items
from support.command import environment

WRITER = """
import sys, time
from pathlib import Path
from saphan.item_file import write_items

def items():
    yield b"a content key" * 100_000
    print("half", flush=True)
    time.sleep(60)

write_items(Path(sys.argv[1]), items())
"""


def test_what_a_killed_writer_leaves_goes_with_the_next_one(tmp_path: Path) -> None:
    path = tmp_path / "case[1].evidence"
    words = [sys.executable, "-c", WRITER, str(path)]
    with subprocess.Popen(words, env=environment(), stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"half\n"
        child.kill()
    (left,) = tmp_path.iterdir()
    assert stat.S_IMODE(left.stat().st_mode) == 0o600
    # In a container the next process may have the number of the one that died.
    left.rename(left.with_name(left.name.replace(str(child.pid), str(os.getpid()))))
    (tmp_path / f".{path.name}.1.part").touch()
    others = {tmp_path / ".case1.evidence.1.part", tmp_path / ".case[1].evidence.2.1.part"}
    for other in others:
        other.touch()
    write_items(path, ["whole"])
    assert set(tmp_path.iterdir()) == {path, *others}
