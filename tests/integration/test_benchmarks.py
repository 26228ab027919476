"""The measurements keep working: every piece once, at toy size; no figure is judged."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

import pytest
from support.rooms import ROOT

PATIENCE_S: Final = 240
"""Bounds a hopeless wait on a busy machine; nothing is judged by it."""


def printed(module: str) -> str:
    """The page of a toy measurement."""
    ended = subprocess.run(
        [sys.executable, "-m", module, "--toy"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


@pytest.mark.long
def test_every_piece_on_weak_lines_and_desks_runs() -> None:
    page = printed("benchmarks.run_desks")
    for figure in (
        "(7) first bulletin of new nodes",
        "(7) bytes of the attachment that came twice",
        "(8) memory of the broker",
        "(9) bytes a day",
        "(10) saphan inbox --desk",
        "(10) 50 desks at once",
    ):
        assert f"| {figure}" in page


@pytest.mark.long
def test_every_piece_on_engines_runs() -> None:
    page = printed("benchmarks.run_engines")
    for figure in (
        "floor: XADD of 4 KiB",
        "Valkey, two processes: 20 senders, one at a time",
        "from SIGKILL of the holder",
    ):
        assert f"| {figure}" in page
    assert "bytes for each open bulletin (192 measured)" in page
    assert "bytes (8 measured)" in page


def test_every_piece_beside_peers_runs() -> None:
    page = printed("benchmarks.run_speed")
    for figure in (
        "NATS JetStream, synced always",
        "Valkey streams, AOF always",
        "SQLite, one process, one sender",
        "latency at 200/s, p99, ms",
        "saphan --help, ms",
        "from the start of the process until it has accepted",
        "30 leaves in the log, bulletins/s",
        "1 agencies more in the directory, bulletins/s",
    ):
        assert f"| {figure}" in page


def test_every_piece_of_checking_content_runs() -> None:
    page = printed("benchmarks.validation")
    for content in ("drug_seizure", "2,000 cells", "1 MiB"):
        assert f"| {content} |" in page


@pytest.mark.long
def test_every_piece_runs() -> None:
    page = printed("benchmarks.run")
    for figure in (
        "(1) ingest",
        "(2) 20 senders",
        "(3) the whole way",
        "(4) latency",
        "(6) broker",
    ):
        assert f"| {figure}" in page
    assert "| broker to recipient |" in page
    assert "Broker after 128 bulletins" in page


@pytest.mark.long
def test_every_piece_of_destruction_runs() -> None:
    page = printed("benchmarks.retention")
    for figure in (
        "destroyed with an entry each, beside 200/s",
        "p99 beside the sweep / the lower one without",
    ):
        assert f"| {figure} |" in page
