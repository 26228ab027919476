"""The `saphan-broker` command as an operator meets it: real processes, files, signals."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import sqlite3
import stat
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from saphan_broker.init_marker import MARKER_NAME
from saphan_protocol import tls
from saphan_protocol.checkpoint import verify_head
from saphan_protocol.invitation import parse_invitation
from saphan_protocol.notes import parse_vkey
from saphan_protocol.pins import parse_pins
from support.agency import Agency
from support.broker_command import (
    broker_line,
    broker_log,
    enrol,
    init_broker,
    running_broker,
    saphan_broker,
)
from support.command import environment

NOW = 1_790_000_000_000


def run_once(place: Path, *options: str, status: int) -> str:
    """Run a broker that refuses to start; gives the code."""
    words = ("run", "--data", place / "data", "--keys", place / "keys")
    return saphan_broker(*words, "--listen", "127.0.0.1:0", *options, status=status).code


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


# --- init -----------------------------------------------------------------------------------------


def test_init_makes_a_broker_whose_pins_verify_its_first_heads(tmp_path: Path) -> None:
    shown = init_broker(tmp_path).json
    pins = parse_pins((tmp_path / "data/pins.json").read_bytes())
    invitation = parse_invitation((tmp_path / "data/invitation.json").read_bytes())
    assert shown["words"] == invitation.words
    assert invitation.pins == pins
    assert shown["address"] == invitation.address == "bridge.example:8470"
    assert [head["size"] for head in shown["heads"]] == [1, 1]
    with sqlite3.connect(tmp_path / "data/broker.db") as db:
        notes = [row[0] for row in db.execute("SELECT note FROM log ORDER BY log")]
    db.close()
    for pin, note in zip((pins.directory, pins.evidence), notes, strict=True):
        first, second = (parse_vkey(vkey) for vkey in pin.vkeys)
        assert verify_head(note, (first, second)).size == 1


def test_init_keeps_everything_from_others(made_broker: Path) -> None:
    assert [mode(made_broker / name) for name in ("data", "keys")] == [0o700, 0o700]
    assert {mode(path) for path in (made_broker / "keys").iterdir()} == {0o600}
    assert mode(made_broker / "data/broker.db") == 0o600


def test_init_refuses_to_run_twice_and_leaves_everything(place: Path) -> None:
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    words = ("init", "--data", place / "data", "--keys", place / "keys", "--name", "x.example")
    ran = saphan_broker(*words, status=5)
    assert ran.code == "broker_exists"
    assert "saphan-broker run" in ran.hint
    for data, keys in (("data", "other"), ("other", "keys")):
        words = ("init", "--data", place / data, "--keys", place / keys, "--name", "x.example")
        assert saphan_broker(*words, status=5).code == "broker_exists"
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


def test_an_interrupted_init_is_named_and_not_run(place: Path) -> None:
    (place / "keys" / MARKER_NAME).touch(0o600)
    words = ("init", "--data", place / "data", "--keys", place / "keys", "--name", "x.example")
    ran = saphan_broker(*words, status=5)
    assert ran.code == "init_unfinished"
    assert "remove both directories" in ran.hint
    assert run_once(place, status=5) == "init_unfinished"


@pytest.mark.parametrize(
    ("data", "keys", "name", "code", "status"),
    [
        ("d", "d", "x.example", "directories_overlap", 5),
        ("d", "d/keys", "x.example", "directories_overlap", 5),
        ("k/data", "k", "x.example", "directories_overlap", 5),
        ("no/such/d", "k", "x.example", "directory_unusable", 5),
        ("full", "k", "x.example", "directory_not_empty", 5),
        ("d", "k", "Bridge Example", "broker_name", 2),
        ("d", "k", "../up", "broker_name", 2),
        ("d", "open", "x.example", "key_file_exposed", 5),
    ],
)
def test_init_says_what_is_wrong_with_its_arguments(
    tmp_path: Path, data: str, keys: str, name: str, code: str, status: int
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/letter.txt").write_text("mine")
    (tmp_path / "open").mkdir(mode=0o755)
    words = ("init", "--data", tmp_path / data, "--keys", tmp_path / keys, "--name", name)
    ran = saphan_broker(*words, status=status)
    assert ran.code == code
    assert ran.hint
    assert not (tmp_path / "k" / "directory.key").exists()


def test_init_writes_the_pin_file_where_it_is_told(tmp_path: Path) -> None:
    words = ("init", "--data", tmp_path / "d", "--keys", tmp_path / "k", "--name", "b.example")
    saphan_broker(*words, "--pins", tmp_path / "for-auditors.json")
    parse_pins((tmp_path / "for-auditors.json").read_bytes())
    assert not (tmp_path / "d/pins.json").exists()


def test_init_writes_the_invitation_for_the_address_it_is_told(tmp_path: Path) -> None:
    words = ("init", "--data", tmp_path / "d", "--keys", tmp_path / "k", "--name", "b.example")
    file = tmp_path / "for-agencies.json"
    ran = saphan_broker(*words, "--address", "192.0.2.7:9000", "--invitation", file)
    found = parse_invitation(file.read_bytes())
    assert " ".join(found.words.split()[:4]) in ran.out
    certificate = tls.read_certificate(tls.first_certificate((tmp_path / "k/tls.crt").read_bytes()))
    assert (found.address, found.tls) == ("192.0.2.7:9000", certificate.pin)
    assert certificate.names == ("b.example", "192.0.2.7")
    assert not (tmp_path / "d/invitation.json").exists()


# --- run ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_is_ready_and_ends_cleanly(place: Path, number: signal.Signals) -> None:
    with running_broker(place) as broker:
        assert broker.ready["event"] == "ready"
        assert broker.ready["name"] == "bridge.example"
        with urllib.request.urlopen(f"{broker.url}/healthz", timeout=30) as answer:  # noqa: S310
            assert json.load(answer) == {"alive": True}
        assert mode(place / "data/admin.sock") == 0o600
        assert broker.stop(number) == 0
    assert not (place / "data/admin.sock").exists()
    assert [row["level"] for row in broker_log(place) if row["level"] == "error"] == []


def test_a_broker_that_was_killed_starts_again(place: Path) -> None:
    with running_broker(place) as broker:
        assert broker.stop(signal.SIGKILL) == -signal.SIGKILL
    assert (place / "data/admin.sock").exists()
    with running_broker(place) as broker:
        assert saphan_broker("status", "--data", place / "data", "--json").json["ready"]
        assert broker.stop() == 0


def test_two_brokers_on_one_directory(place: Path) -> None:
    with running_broker(place):
        assert run_once(place, status=5) == "store_locked"
        assert saphan_broker("status", "--data", place / "data", "--json").json["ready"]


def test_a_taken_port_is_named(place: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run_once(place, "--listen", f"127.0.0.1:{port}", status=5) == "port_taken"
    with running_broker(place) as broker:  # nothing is left locked
        assert broker.stop() == 0


def test_a_taken_metrics_port_is_named(place: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert run_once(place, "--metrics-listen", f"127.0.0.1:{port}", status=5) == "port_taken"


@pytest.mark.parametrize("name", ["directory.key", "evidence.head", "days.seed", "."])
def test_exposed_key_files_are_refused(place: Path, name: str) -> None:
    path = place / "keys" / name
    path.chmod(0o750 if path.is_dir() else 0o644)
    words = ("run", "--data", place / "data", "--keys", place / "keys")
    ran = saphan_broker(*words, status=5)
    assert ran.code == "key_file_exposed"
    assert "chmod" in ran.hint


def test_a_missing_store_or_key_is_named(place: Path, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir(mode=0o700)
    words = ("run", "--keys", place / "keys", "--data", tmp_path / "none")
    assert saphan_broker(*words, status=5).code == "store_missing"
    (place / "keys/evidence.key").unlink()
    assert run_once(place, status=5) == "key_file_missing"


def test_a_store_of_a_newer_program_is_refused(place: Path) -> None:
    db = sqlite3.connect(place / "data/broker.db")
    db.execute("PRAGMA user_version=9999")
    db.close()
    assert run_once(place, status=5) == "store_format_newer"


def test_a_store_that_is_older_than_its_signer_is_not_signed_again(
    place: Path, tmp_path: Path
) -> None:
    shutil.copytree(place / "data", tmp_path / "backup")
    with running_broker(place):
        enrol(place, Agency("la.ospp", NOW))
    shutil.rmtree(place / "data")
    shutil.copytree(tmp_path / "backup", place / "data")
    assert run_once(place, status=5) == "store_behind_signer"


def test_wrong_usage_is_two_lines_and_status_2(place: Path) -> None:
    for words in (
        ("run", "--data", str(place)),
        ("run", "--data", "d", "--keys", "k", "--listen", "nowhere"),
        ("run", "--data", "d", "--keys", "k", "--listen", "127.0.0.1:99999"),
        ("records", "export", "--data", "d", "--keys", "k", "--out", "o", "--from", "-1"),
        ("fly",),
        (),
    ):
        ran = saphan_broker(*words, status=2)
        assert ran.err.startswith("saphan-broker: ")
        assert ran.err.splitlines()[1].startswith("hint: saphan-broker")


def test_an_unknown_option_is_not_repeated_with_its_value(place: Path) -> None:
    words = ("status", "--data", place / "data", "--token=hush")
    assert "hush" not in saphan_broker(*words, status=2).err


def test_errors_are_objects_when_json_is_asked_for(tmp_path: Path) -> None:
    ran = saphan_broker("status", "--data", tmp_path, "--json", status=5)
    assert ran.out == ""
    error = json.loads(ran.err)["error"]
    assert set(error) == {"code", "message", "field", "hint"}
    assert error["code"] == "broker_not_running"


def test_a_closed_pipe_is_no_traceback(place: Path) -> None:
    process = subprocess.Popen(
        broker_line("--help"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(PYTHONUNBUFFERED="1"),
    )
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert b"Traceback" not in process.stderr.read()
    process.stderr.close()
    process.wait(60)
