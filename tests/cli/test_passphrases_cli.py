"""Passphrases and key files at the command line: what is taken, and what is never taken."""

from __future__ import annotations

import fcntl
import os
import subprocess
import termios
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.agency_folders import DESK_PASSPHRASE as DESK
from support.agency_folders import ROOT_PASSPHRASE as ROOT
from support.command import environment, saphan, saphan_command


def test_a_key_file_that_others_can_read_is_refused_with_the_way_out(folder: Path) -> None:
    key = folder / "la.ospp" / "root" / "root.key"
    key.chmod(0o644)
    ran = saphan(
        *("keys", "add", "mailbox", "--dir", folder / "la.ospp"),
        *("--passphrase-file", folder / "root.txt"),
        status=5,
    )
    assert ran.code == "key_file_exposed"
    assert f"chmod 600 {key}" in ran.err


def test_a_wrong_passphrase_is_said_and_not_repeated(folder: Path) -> None:
    ran = saphan(
        *("keys", "add", "mailbox", "--dir", folder / "la.ospp"),
        *("--passphrase-file", folder / "desk.txt"),
        status=5,
    )
    assert ran.code == "passphrase_wrong"
    assert DESK not in ran.err
    assert "hint: " in ran.err


def test_a_passphrase_is_never_taken_from_an_argument(folder: Path) -> None:
    ran = saphan(
        *("keys", "add", "mailbox", "--dir", folder / "la.ospp", "--passphrase", ROOT), status=2
    )
    assert "unrecognized arguments" in ran.err
    assert ROOT not in ran.err  # nor shown again to whoever looks over the shoulder


def test_a_passphrase_is_never_taken_from_the_environment_or_standard_input(folder: Path) -> None:
    ran = saphan(
        *("keys", "add", "mailbox", "--dir", folder / "la.ospp"),
        status=5,
        stdin=ROOT + "\n",
        PASSPHRASE=ROOT,
        SAPHAN_PASSPHRASE=ROOT,
        SAPHAN_ROOT_PASSPHRASE=ROOT,
    )
    assert ran.code == "passphrase_unavailable"


def test_a_passphrase_comes_through_an_open_descriptor(folder: Path) -> None:
    reader, writer = os.pipe()
    os.write(writer, ROOT.encode() + b"\n")
    os.close(writer)
    try:
        saphan(
            *("keys", "add", "mailbox", "--dir", folder / "la.ospp"),
            *("--passphrase-fd", str(reader)),
            pass_fds=[reader],
        )
    finally:
        os.close(reader)


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    master, slave = os.openpty()
    yield master, slave
    os.close(master)


def test_at_a_terminal_the_passphrase_is_asked_for_and_not_shown(
    folder: Path, terminal: tuple[int, int]
) -> None:
    master, slave = terminal
    process = subprocess.Popen(
        saphan_command("keys", "add", "mailbox", "--dir", folder / "la.ospp"),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment(),
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(slave)
    shown = b""
    while b"root key: " not in shown:
        shown += os.read(master, 1024)
    os.write(master, ROOT.encode() + b"\n")
    while True:
        try:
            shown += os.read(master, 1024)
        except OSError:  # the other end of the terminal was closed: the command is done
            break
    assert process.wait(timeout=30) == 0, shown
    assert ROOT.encode() not in shown
    assert b"Operation 2" in shown
