"""Files that a person hands to a command: whatever is in them, one line says what is wrong."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from saphan_schemas.limits import LIMITS
from saphan_schemas.samples import sample
from support.command import Ran, environment, saphan, saphan_command

BULLETIN = json.dumps({"schema": "saphan/training_notice/1", **sample("training_notice")}).encode()

FILES: dict[str, tuple[str, bytes]] = {
    "empty": ("malformed", b""),
    "cut off": ("malformed", BULLETIN[:-1]),
    "a member that stands twice": ("malformed", BULLETIN[:-1] + b', "schema": "x"}'),
    "not UTF-8": ("malformed", BULLETIN.replace(b"a", b"\xe4", 1)),
    "nested very deep": ("malformed", b"[" * 200_000),
    "no text at all": ("malformed", bytes(range(256)) * 10),
    "longer than a bulletin may be": ("too_large", b" " * (LIMITS.api_body_bytes + 1)),
}


def refused(ran: Ran, code: str) -> None:
    """One line with the code, one with the way out, and never a traceback."""
    assert ran.code == code, ran
    assert [line for line in ran.err.splitlines() if line.startswith("hint: ")], ran.err
    assert ran.out == ""


@pytest.mark.parametrize("name", FILES)
def test_a_bad_bulletin_file_is_refused_before_any_key_is_asked_for(
    folder: Path, name: str
) -> None:
    code, data = FILES[name]
    file = folder / "bulletin.json"
    file.write_bytes(data)
    before = sorted(folder.rglob("*"))
    ran = saphan("send", file, "--to", "kh.gpo", "--dir", folder / "la.ospp", status=2)
    refused(ran, code)
    assert sorted(folder.rglob("*")) == before


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b'{"saphan": 1, "saphan": 2}', b"\xff\xfe", b"[" * 60_000, b"\x91" * 60_000],
    ids=["empty", "cut off", "twice", "not UTF-8", "nested", "nested records"],
)
@pytest.mark.parametrize("command", [("agreement", "show"), ("agreement", "sign")])
def test_a_bad_agreement_file_is_refused_before_any_key_is_asked_for(
    folder: Path, command: tuple[str, str], data: bytes
) -> None:
    file = folder / "agreement.json"
    file.write_bytes(data)
    words = () if command[1] == "show" else ("--passphrase-file", folder / "root.txt")
    ran = saphan(*command, file, "--dir", folder / "la.ospp", *words, status=2)
    refused(ran, ran.code)
    assert file.read_bytes() == data


# --- saphan node run ------------------------------------------------------------------------------


@contextmanager
def node_running(folder: Path) -> Iterator[None]:
    """A node that has said that it runs."""
    words = ("node", "run", "--dir", folder, "--broker", "ws://127.0.0.1:9", "--json")
    process = subprocess.Popen(
        saphan_command(*words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
        start_new_session=True,
    )
    assert process.stdout is not None
    try:
        assert json.loads(process.stdout.readline())["agency"] == "la.ospp"
        yield
    finally:
        process.terminate()
        assert process.wait(60) == 0
        process.stdout.close()


@pytest.fixture
def node(folder: Path) -> Iterator[Path]:
    """An agency's folder under a short name, as Unix sockets need, with its pins."""
    with tempfile.TemporaryDirectory(prefix="sn", dir="/tmp") as place:
        made = Path(place) / "la"
        shutil.copytree(folder / "la.ospp", made)
        shutil.copy(folder / "pins.json", made / "node" / "pins.json")
        yield made


def run_node(folder: Path, *words: str, broker: str = "ws://127.0.0.1:9") -> Ran:
    return saphan("node", "run", "--dir", folder, "--broker", broker, *words, status=5)


def test_a_second_node_on_a_directory_is_refused_and_the_first_goes_on(node: Path) -> None:
    with node_running(node):
        refused(run_node(node), "node_locked")
        found = saphan("inbox", "--dir", node, "--json").json
        assert found["bulletins"] == []


def test_a_node_with_an_exposed_key_file_does_not_start(node: Path) -> None:
    key = node / "node" / "node.key"
    key.chmod(0o644)
    refused(run_node(node), "key_file_exposed")
    key.chmod(0o600)
    with node_running(node):
        pass


def test_a_node_whose_port_is_taken_does_not_start(node: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused(run_node(node, "--listen", f"127.0.0.1:{taken.getsockname()[1]}"), "port_taken")
    with node_running(node):
        pass


def test_a_node_with_a_damaged_pin_file_does_not_start(node: Path) -> None:
    pins = node / "node" / "pins.json"
    whole = pins.read_bytes()
    for data in (whole[:-30], b"[" * 10_000, whole.replace(b'"name"', b'"saphan"', 1), b"\xff"):
        pins.write_bytes(data)
        ran = saphan("node", "run", "--dir", node, "--broker", "ws://127.0.0.1:9", status=2)
        refused(ran, "pins_malformed")


def test_a_node_that_is_killed_leaves_a_directory_that_starts_again(node: Path) -> None:
    child = subprocess.Popen(
        saphan_command("node", "run", "--dir", node, "--broker", "ws://127.0.0.1:9", "--json"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(),
    )
    assert child.stdout is not None
    child.stdout.readline()
    child.kill()
    child.wait(60)
    child.stdout.close()
    with node_running(node):
        assert saphan("inbox", "--dir", node, "--json").json["bulletins"] == []
