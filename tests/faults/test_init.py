"""`saphan-broker init` on a disk that refuses: said, never repaired by guessing, and done anew."""

from __future__ import annotations

import resource
import shutil
import subprocess
from pathlib import Path

import pytest
from support.broker_command import BrokerRan, broker_line, init_broker, running_broker
from support.command import environment


def init_with_limit(place: Path, file_bytes: int) -> BrokerRan:
    """`init` in a process none of whose files may grow beyond `file_bytes`."""
    words = ("init", "--data", place / "data", "--keys", place / "keys", "--name", "b.example")
    ended = subprocess.run(
        broker_line(*words),
        capture_output=True,
        text=True,
        env=environment(PYTHONDONTWRITEBYTECODE="1"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes)),
        check=False,
        timeout=60,
    )
    return BrokerRan(ended.returncode, ended.stdout, ended.stderr)


@pytest.mark.parametrize("file_bytes", [0, 60, 150, 300, 4_096, 60_000])
def test_init_that_a_disk_stopped_is_made_anew(tmp_path: Path, file_bytes: int) -> None:
    ran = init_with_limit(tmp_path, file_bytes)
    assert ran.status == 5, ran
    assert ran.code in ("directory_unusable", "disk_full")
    assert ran.out == ""
    # What is there is never taken for a broker.
    again = init_with_limit(tmp_path, 2**30)
    assert (again.status, again.code) == (5, "init_unfinished")
    for name in ("data", "keys"):
        shutil.rmtree(tmp_path / name)
    init_broker(tmp_path)
    with running_broker(tmp_path) as broker:
        assert broker.stop() == 0
