"""Several broker processes on one machine, as their operator and their agencies meet them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.broker_command import (
    PATIENCE,
    running_broker,
    saphan_broker,
    saphan_broker_here,
)
from support.command import saphan_here
from support.joining import Joining, running_node
from support.rooms import ROOT
from support.served import Served, short_place
from support.servers import Server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(tmp_path_factory.mktemp("server")).start()
    yield made
    made.free()


@pytest.fixture
def served(server: Server, request: pytest.FixtureRequest) -> Iterator[Served]:
    """A broker of its own on the server, made and not running."""
    with short_place() as top:
        place = top / "b"
        place.mkdir()
        made = Served(place, server, ("--redis", f"unix://{server.socket}"))
        made.init(f"{request.node.name.replace('_', '-')[:60].strip('-')}.example")
        yield made


def status(served: Served) -> dict[str, Any]:
    return saphan_broker_here("status", "--data", served.data, "--json").json


def until(done: Callable[[], bool]) -> None:
    """Wait for what must come; how long it takes decides nothing."""
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end
        time.sleep(0.05)


def holders(served: Served) -> list[int]:
    """Process ids of those that sequence, as all of them say."""
    return [one["pid"] for one in status(served)["processes"] if one["role"] == "holder"]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def readiness(url: str) -> dict[str, Any]:
    """What /readyz says."""
    try:
        with urllib.request.urlopen(f"{url}/readyz", timeout=30) as answer:  # noqa: S310
            value: dict[str, Any] = json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            value = json.load(error)
    return value


def code_of(url: str) -> str:
    """The first reason for which it is not ready; empty when it is."""
    return next((str(reason["code"]) for reason in readiness(url)["reasons"]), "")


def bulletin_goes(joining: Joining) -> None:
    """Vientiane sends one and sees it accepted; Phnom Penh reads it."""
    la, kh = joining.agency("la.ospp"), joining.agency("kh.gpo")
    officer = ("--passphrase-file", joining.top / "desk.txt")
    figures = ROOT / "demo/figures.json"
    ran = saphan_here("send", figures, "--to", "kh.gpo", "--dir", la, "--wait", *officer)
    assert "kh.gpo: Accepted" in ran.out
    assert "5012" in saphan_here("read", "--wait", "--dir", kh, *officer).out


def test_two_agencies_do_their_work_while_processes_come_and_go(
    served: Served, agencies: Path
) -> None:
    """The main job of docs/getting-started.md; the process that sequences is killed on the way, and
    then one that a node's session is at."""
    top = served.place.parent
    shutil.copytree(agencies, top, dirs_exist_ok=True)
    joining = Joining(top)
    la, kh = joining.agency("la.ospp"), joining.agency("kh.gpo")
    root = ("--passphrase-file", joining.passphrase)
    draft = top / "draft.json"
    with running_broker(served.place, *served.options, "--processes", "2", tls=True) as broker:
        joining.invite(broker.url)
        for name in ("la.ospp", "kh.gpo"):
            joining.admit(name)
        with running_node(la), running_node(kh):
            words = ("--with", "kh.gpo", "--dir", la, "--wait", "--out", draft, "--yes")
            saphan_here("agreement", "propose", *words, *root)
            saphan_here("agreement", "countersign", draft, "--dir", kh, "--yes", *root)
            bulletin_goes(joining)
            (holder,) = holders(served)
            os.kill(holder, signal.SIGKILL)
            bulletin_goes(joining)
            until(lambda: len(status(served)["processes"]) == 2)
            assert holders(served) != [holder]
            talking = max(status(served)["processes"], key=lambda one: int(one["sessions"]))
            assert talking["sessions"] >= 1
            os.kill(talking["pid"], signal.SIGKILL)
            bulletin_goes(joining)
            until(lambda: len(status(served)["processes"]) == 2)
            assert status(served)["sessions"] == 2
        assert broker.stop() == 0
    options = ("--data", served.data, *served.options)
    saphan_broker_here("log", "export", *options, "--out", top / "logs")
    pack = ("--keys", served.keys, "--out", top / "b.pack")
    saphan_broker_here("records", "export", *options, *pack)
    saphan_here(
        *("audit", "verify", top / "logs", "--pins", served.data / "pins.json"),
        *("--pack", top / "b.pack"),
    )
    assert [row for row in log_rows(served.place) if " bug" in row["message"]] == []


def log_rows(place: Path) -> list[dict[str, Any]]:
    """What the parent and its processes have logged."""
    return [json.loads(line) for line in (place / "broker.log").read_text().splitlines()]


def test_a_process_that_dies_is_replaced_and_all_end_together(served: Served) -> None:
    metrics = ("--metrics-listen", "127.0.0.1:0")
    with running_broker(served.place, *served.options, "--processes", "3", *metrics) as broker:
        assert len(set(broker.ready["all_metrics"])) == 3
        until(lambda: all(readiness(url)["ready"] for url in broker.ready["all_metrics"]))
        assert all(readiness(url)["holder"] for url in broker.ready["all_metrics"])
        before = status(served)["processes"]
        assert [(one["number"], one["of"]) for one in before] == [(1, 3), (2, 3), (3, 3)]
        assert sorted(one["role"] for one in before) == ["follower", "follower", "holder"]
        assert "3 of 3 answer" in saphan_broker_here("status", "--data", served.data).out
        victim = next(one["pid"] for one in before if one["role"] == "follower")
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(status(served)["processes"]) == 3)
        after = status(served)["processes"]
        assert len({one["pid"] for one in before + after}) == 4
        assert broker.stop(signal.SIGINT) == 0
        assert not any(alive(one["pid"]) for one in after)
    assert list(served.data.glob("*.sock")) == []
    rows = log_rows(served.place)
    assert any("signal 9" in row["message"] for row in rows)
    ends = [row["process"] for row in rows if "finishing what was begun" in row["message"]]
    holder = next(one["number"] for one in before if one["role"] == "holder")
    assert (len(ends), ends[-1]) == (3, holder)  # who sequences stays to the last


def test_directory_and_port_are_one_runs_alone_and_its_processes_end_with_it(
    served: Served,
) -> None:
    with running_broker(served.place, *served.options, "--processes", "2") as broker:
        pids = [one["pid"] for one in status(served)["processes"]]
        assert len(pids) == 2
        assert served.run_once(status=5).code == "store_locked"
        other = served.beside(served.place.parent / "c")
        other.init("other.example")
        listen = ("--listen", broker.url.partition("://")[2])
        for processes in ("1", "2"):
            ran = other.run_once(*listen, "--processes", processes, status=5)
            assert ran.code == "port_taken"
        broker.stop(signal.SIGKILL)  # the parent alone, which can pass nothing on
        until(lambda: not any(alive(pid) for pid in pids))


def test_what_is_wrong_with_the_first_process_is_said_once(served: Served) -> None:
    (served.place / "wrong").touch(0o600)
    wrong = ("--redis-password-file", served.place / "wrong")
    ran = served.run_once("--processes", "3", *wrong, status=5)
    assert ran.code == "redis_refused"  # one line of error, or this fails
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        metrics = ("--metrics-listen", f"127.0.0.1:{port}")
        assert served.run_once("--processes", "2", *metrics, status=5).code == "port_taken"
    assert list(served.data.glob("*.sock")) == []


def test_shared_keys_serve_beside_the_signer_and_never_sign(served: Served) -> None:
    there = served.beside(served.place.parent / "t")
    saphan_broker("keys", "share", "--keys", served.keys, "--out", there.keys)
    # Without the objects of the others it would lose what it is given: said at once.
    assert there.run_once(status=5).code == "objects_elsewhere"
    shared = ("--blobs", served.data / "objects")
    with running_broker(there.place, *served.options, *shared) as follower:
        assert (code_of(follower.url), holders(there)) == ("no_holder", [])
        with running_broker(served.place, *served.options) as signer:
            assert holders(served)
            until(lambda: status(there)["holder"])
            assert status(there)["role"] == "follower"
            words = ("allow-unheard", "--data", there.data, "--reason", "it must not sign")
            assert saphan_broker_here(*words, status=5).code == "serves_only"
            assert signer.stop() == 0
        until(lambda: code_of(follower.url) == "no_holder")
        assert holders(there) == []
        assert follower.stop() == 0
