"""What the operator of a running `saphan-broker` does, in real processes: admit, look, allow."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
import subprocess
import termios
import urllib.error
import urllib.request
from pathlib import Path

import aiohttp
from saphan_protocol.checkpoint import verify_head
from saphan_protocol.notes import parse_vkey
from saphan_protocol.pins import parse_pins
from saphan_protocol.words import fingerprint_words, word_lines
from support.agency import Agency
from support.broker_command import broker_line, broker_log, enrol, running_broker, saphan_broker
from support.brokers import Clock
from support.command import environment
from support.session import Line

NOW = 1_790_000_000_000


# --- who may see what over HTTP -------------------------------------------------------------------


def http_status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - our own broker
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


def test_the_logs_are_shown_with_a_token_or_to_everyone(place: Path) -> None:
    with running_broker(place) as broker:
        assert http_status(f"{broker.url}/evidence/checkpoint") == 401
        assert broker.stop() == 0
    with running_broker(place, "--public-log") as broker:
        assert http_status(f"{broker.url}/evidence/checkpoint") == 200
        assert http_status(f"{broker.url}/directory/tile/entries/000.p/1") == 200


def test_metrics_have_a_port_of_their_own_when_told(place: Path) -> None:
    with running_broker(place, "--metrics-listen", "127.0.0.1:0") as broker:
        assert http_status(f"{broker.ready['metrics']}/metrics") == 200
        assert http_status(f"{broker.url}/metrics") == 404
        assert http_status(f"{broker.ready['metrics']}/evidence/checkpoint") == 404


# --- admit ----------------------------------------------------------------------------------------


def test_admit_enters_an_agency_once(place: Path) -> None:
    agency = Agency("la.ospp", NOW)
    with running_broker(place) as broker:
        assert "la.ospp" in enrol(place, agency)
        assert "already" in enrol(place, agency)
        status = saphan_broker("status", "--data", place / "data", "--json").json
        assert status["agencies"] == ["la.ospp"]
        assert status["logs"]["directory"]["signed"] == 2
        assert broker.stop() == 0
    admitted = [row for row in broker_log(place) if "admitted" in row["message"]]
    assert len(admitted) == 2


def test_admit_refuses_words_of_another_root(place: Path) -> None:
    agency = Agency("la.ospp", NOW)
    other = fingerprint_words(Agency("la.other", NOW).root.key_id)
    with running_broker(place):
        assert enrol(place, agency, status=3, words=other) == "fingerprint_differs"
        assert enrol(place, agency, status=2, words="acid acid") == "words_malformed"
        assert enrol(place, agency, status=5, words="") == "not_confirmed"
        status = saphan_broker("status", "--data", place / "data", "--json").json
        assert status["agencies"] == []


def test_admit_refuses_what_is_no_operation(place: Path, tmp_path: Path) -> None:
    cases = {
        "empty": (b"", "enrolment_malformed", 2),
        "text": (b"not an operation", "enrolment_malformed", 2),
        "cut": (Agency("la.ospp", NOW).enrolment()[:-1], "enrolment_malformed", 2),
        "long": (bytes(70_000), "too_large", 2),
    }
    for name, (data, code, status) in cases.items():
        (tmp_path / name).write_bytes(data)
        words = ("admit", tmp_path / name, "--data", place / "data", "--fingerprint", "x")
        assert saphan_broker(*words, status=status).code == code
    words = ("admit", tmp_path / "none", "--data", place / "data", "--fingerprint", "x")
    assert saphan_broker(*words, status=5).code == "file_missing"


def test_admit_needs_a_running_broker(place: Path) -> None:
    assert enrol(place, Agency("la.ospp", NOW), status=5) == "broker_not_running"


def test_nothing_is_signed_after_a_restart_until_a_node_or_the_operator_is_heard(
    place: Path,
) -> None:
    data = place / "data"
    with running_broker(place) as broker:
        enrol(place, Agency("la.ospp", NOW))
        assert broker.stop() == 0
    with running_broker(place) as broker:
        status = saphan_broker("status", "--data", data, "--json").json
        assert [reason["code"] for reason in status["reasons"]] == ["node_not_heard"]
        assert http_status(f"{broker.url}/readyz") == 503
        assert enrol(place, Agency("kh.gpo", NOW), status=4) in ("node_not_heard", "signer_unheard")
        words = ("allow-unheard", "--data", data, "--json", "--reason")
        assert saphan_broker(*words, "  ", status=2).err.count("reason_malformed") == 1
        answer = saphan_broker(*words, "both nodes are being moved").json
        assert answer == {"heard_before": False, "reason": "both nodes are being moved"}
        enrol(place, Agency("kh.gpo", NOW))
        assert http_status(f"{broker.url}/readyz") == 200
        assert saphan_broker(*words, "again").json["heard_before"] is True
        assert broker.stop() == 0
    assert [row for row in broker_log(place) if "both nodes are being moved" in row["message"]]


def test_no_secret_stands_in_the_log(place: Path) -> None:
    with running_broker(place) as broker:
        enrol(place, Agency("la.ospp", NOW))
        assert broker.stop() == 0
    text = (place / "broker.log").read_text()
    for name in ("directory.key", "evidence.key", "days.seed"):
        for value in json.loads((place / "keys" / name).read_text()).values():
            if isinstance(value, str) and len(value) >= 64:
                assert value not in text


def test_help_names_every_command() -> None:
    shown = saphan_broker("--help").out
    for name in ("init", "run", "admit", "allow-unheard", "status", "records", "log"):
        assert name in shown
        assert saphan_broker(name, "--help").out.startswith("usage: saphan-broker")


def test_a_data_path_too_long_for_a_socket_is_named(place: Path) -> None:
    deep = place / ("d" * 110)
    os.rename(place / "data", deep)
    words = ("run", "--data", deep, "--keys", place / "keys", "--listen", "127.0.0.1:0")
    assert saphan_broker(*words, status=5).code == "socket_path_long"


def at_a_terminal(typed: str, *words: str | Path) -> tuple[int, str]:
    """Run a command at a terminal of its own, type when it asks; gives status and screen."""
    master, slave = os.openpty()
    process = subprocess.Popen(
        broker_line(*words),
        stdin=slave,
        stdout=slave,
        stderr=slave,
        env=environment(),
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
    )
    os.close(slave)
    shown = b""
    answered = False
    while True:
        try:
            shown += os.read(master, 4096)
        except OSError:  # the other end of the terminal was closed: the command is done
            break
        if not answered and b"go on: " in shown:
            os.write(master, typed.encode() + b"\n")
            answered = True
    os.close(master)
    return process.wait(60), shown.decode()


def test_at_a_terminal_the_words_are_shown_and_asked_about(place: Path) -> None:
    agency = Agency("la.ospp", NOW)
    file = place / "enrol.saphan"
    file.write_bytes(agency.enrolment())
    words = ("admit", file, "--data", place / "data")
    with running_broker(place):
        status, shown = at_a_terminal("no", *words)
        assert (status, "not_confirmed" in shown) == (5, True)
        for line in word_lines(agency.root.key_id):
            assert line in shown
        status, shown = at_a_terminal("yes", *words)
        assert status == 0, shown
        assert "Operation 1 of la.ospp is in the directory." in shown


async def test_a_session_hands_out_the_token_for_the_logs_and_takes_it_back(place: Path) -> None:
    agency = Agency("la.ospp", Clock()())
    pins = parse_pins((place / "data/pins.json").read_bytes())
    with running_broker(place) as broker:
        await asyncio.to_thread(enrol, place, agency)
        line = Line(agency, pins, Clock(), True)
        await line.connect(broker.url)
        headers = {"Authorization": f"Bearer {line.token}"}
        url = f"{broker.url}/directory/checkpoint"
        async with aiohttp.ClientSession() as session:
            async with session.get(url, headers=headers) as answer:
                assert answer.status == 200
                first, second = (parse_vkey(vkey) for vkey in pins.directory.vkeys)
                assert verify_head(await answer.read(), (first, second)).size == 2
            async with session.get(url, headers={"Authorization": "Bearer x"}) as answer:
                assert answer.status == 401
            await line.close()
            while True:  # the broker notices that the line is gone
                async with session.get(url, headers=headers) as answer:
                    if answer.status == 401:
                        break
                await asyncio.sleep(0.01)
