"""The power goes while keys are written: nothing half-kept, and the next try works."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from saphan.agency import init
from saphan.durable import create_file, replace_file
from saphan.keys.keyfiles import Argon2Cost
from saphan.keys.passphrase import Passphrase
from support.command import environment, saphan_command

CUT = """
import os, sys
from pathlib import Path
import saphan.durable as durable

calls = 0
def cut(name, real):
    def step(*args, **kwargs):
        global calls
        calls += 1
        if calls == int(sys.argv[1]):
            if name == "write":
                real(args[0], bytes(args[1])[: len(args[1]) // 2])
            os._exit(9)
        return real(*args, **kwargs)
    return step

for name in ("open", "write", "fsync", "link", "unlink"):
    setattr(os, name, cut(name, getattr(os, name)))
"""
CREATE = "durable.create_file(Path(sys.argv[2]), b'x' * 4096)\n"
REPLACE = "durable.replace_file(Path(sys.argv[2]), b'x' * 4096)\n"
INIT = """
from saphan.agency import init
from saphan.keys.keyfiles import Argon2Cost
from saphan.keys.passphrase import Passphrase
cheap = Argon2Cost(memory_kib=64, iterations=1, lanes=1)
word = Passphrase("a passphrase of some length")
init(Path(sys.argv[2]), "la.ospp", word, {"bounmy": word}, now=0, cost=cheap)
"""


def cut_off(body: str, step: int, path: Path) -> bool:
    """Run `body` and stop the process at its given file operation; False if it ended before."""
    command = [saphan_command()[0], "-c", CUT + body, str(step), str(path)]
    ended = subprocess.run(command, env=environment(), capture_output=True, check=False)
    assert ended.returncode in (0, 9), ended.stderr
    return ended.returncode == 9


def test_a_new_file_is_whole_or_not_there_wherever_it_stops(tmp_path: Path) -> None:
    path, step = tmp_path / "node.key", 1
    while cut_off(CREATE, step, path):
        assert not path.exists() or path.read_bytes() == b"x" * 4096, step
        path.unlink(missing_ok=True)
        step += 1
    assert step > 4  # opened, written, fsynced, linked: each was cut
    path.unlink()
    create_file(path, b"again")
    assert path.read_bytes() == b"again"


def test_a_replaced_file_is_the_old_or_the_new_one_wherever_it_stops(tmp_path: Path) -> None:
    path, step = tmp_path / "pins.json", 1
    replace_file(path, b"old")
    while cut_off(REPLACE, step, path):
        assert path.read_bytes() in (b"old", b"x" * 4096), step
        replace_file(path, b"old")
        step += 1
    assert step > 3


@pytest.mark.parametrize("step", (1, 12, 30, 60))
def test_an_agency_cut_off_while_it_is_made_is_made_anew(tmp_path: Path, step: int) -> None:
    folder = tmp_path / "la"
    assert cut_off(INIT, step, folder)
    assert not folder.exists()
    word, cheap = Passphrase("root of the agency"), Argon2Cost(memory_kib=64, iterations=1, lanes=1)
    init(folder, "la.ospp", word, {"bounmy": word}, now=0, cost=cheap)
    assert sorted(tmp_path.iterdir()) == [folder]  # no key of the first try is left behind
