"""docker/README.md's way to two agencies, outside containers: the brokers' words of compose.yaml.

Both brokers and both stores run as the file starts them, the steps are the page's own; paths, hosts
and ports are this machine's.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

import pytest
from support.broker_command import broker_line, saphan_broker_here
from support.command import environment, saphan_here
from support.composed import FOLDER, PATIENCE, STORE_PORT, Outside, read, services, store, until
from support.joining import Joining, line_of, running_node
from support.servers import free_port

BROKERS = {"broker-a": "la.ospp", "broker-b": "kh.gpo"}
"""Each agency's node meets the proxy at another broker."""
SERVED, METRICS = 8470, 9470
OPTIONAL = {"saphan_witness_lag_seconds"}
"""Said once a witness has cosigned."""


@pytest.fixture
def outside(agencies: Path) -> Iterator[Outside]:
    place = Path(tempfile.mkdtemp(prefix="sc", dir="/tmp"))
    ports = {(name, STORE_PORT): free_port() for name in ("store-a", "store-b")}
    ports |= {(name, port): free_port() for name in BROKERS for port in (SERVED, METRICS)}
    made = Outside(place, ports)
    made.make_secrets()
    shutil.copytree(agencies, place, dirs_exist_ok=True)
    try:
        yield made
    finally:
        shutil.rmtree(place)


def steps(outside: Outside, program: str) -> list[list[str]]:
    """What the page says to `docker compose run` or `exec`, as words for this machine."""
    page = (FOLDER / "README.md").read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.findall(
        rf"^ *docker compose (?:run|exec) .*?(broker-[ab]) ({program} .*)$", page, re.MULTILINE
    )
    return [outside.words(name, shlex.split(words)) for name, words in found]


@contextmanager
def broker(outside: Outside, name: str) -> Iterator[subprocess.Popen[bytes]]:
    """One broker, from when its health check is content."""
    command = broker_line(*outside.words(name, services()[name]["command"]))
    log = outside.place / f"{name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment())
    try:
        until(lambda: healthy(outside, name), log)
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE) == 0, log.read_text(errors="replace")
    finally:
        process.kill()
        process.wait()


def healthy(outside: Outside, name: str, page: str = "/healthz") -> bool:
    """What the service's health check says; asked for the other page, whether it is ready."""
    kind, program, *words = services()[name]["healthcheck"]["test"]
    assert (kind, program) == ("CMD", "python")
    check = [sys.executable, *outside.words(name, words)]
    assert check[-1].endswith("/healthz")
    check[-1] = check[-1].replace("/healthz", page)
    return subprocess.run(check, check=False, capture_output=True).returncode == 0


def metrics(outside: Outside, name: str) -> str:
    url = f"http://127.0.0.1:{outside.ports[name, METRICS]}/metrics"
    with urllib.request.urlopen(url, timeout=PATIENCE) as answer:
        text: str = answer.read().decode()
        return text


def invite(outside: Outside, name: str, agency: str) -> None:
    """An agency pins the broker's TLS key at the address where it will meet it."""
    address = f"127.0.0.1:{outside.ports[name, SERVED]}"
    file = outside.place / f"{agency}.json"
    saphan_broker_here(
        "invitation", "--keys", outside.place / "keys", "--address", address, "--out", file
    )
    saphan_here("agency", "pin", file, "--yes", "--dir", outside.place / agency)


def test_two_agencies_connect_to_two_brokers(outside: Outside) -> None:
    joining = Joining(outside.place)
    with ExitStack() as stack:
        for name in ("store-a", "store-b"):
            stack.enter_context(store(outside, name))
        (init,) = steps(outside, "init")
        saphan_broker_here(*init)
        for name, agency in BROKERS.items():
            stack.enter_context(broker(outside, name))
            invite(outside, name, agency)
        for name, agency in BROKERS.items():
            data = outside.place / "data-a"
            file = outside.place / agency / "enrol.saphan"
            saphan_broker_here(
                "admit", file, "--data", data, "--fingerprint", joining.words(agency)
            )
            stack.enter_context(running_node(outside.place / agency))
            assert line_of(outside.place / agency, "open") == "open"
            assert f"{name}:{SERVED}" in (FOLDER / "haproxy.cfg").read_text(encoding="utf-8")
        asked = set(re.findall(r"\bsaphan_[a-z_]+", json.dumps(read("alerts.yml"))))
        for name in BROKERS:
            until(partial(healthy, outside, name, "/readyz"), outside.place / f"{name}.log")
            told = re.findall(r"^# TYPE (saphan_[a-z_]+) ", metrics(outside, name), re.MULTILINE)
            assert asked - OPTIONAL <= set(told)
