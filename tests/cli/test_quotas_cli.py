"""`saphan-broker run --quotas`: read at the start, read again on SIGHUP, shown to the operator."""

from __future__ import annotations

import json
import signal
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from support.agency import Agency
from support.broker_command import (
    PATIENCE,
    enrol,
    running_broker,
    saphan_broker,
    saphan_broker_here,
)
from support.brokers import Clock
from support.served import Served, short_place
from support.servers import Server

AGENCY = "la.ospp"


def until(true: Callable[[], bool]) -> None:
    """Wait for what must come; how long it takes decides nothing."""
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


def write(path: Path, **quota: int) -> Path:
    path.touch(0o600)
    path.write_text(json.dumps({"agencies": {AGENCY: quota}}))
    return path


def status(place: Path) -> dict[str, Any]:
    return saphan_broker_here("status", "--data", place / "data", "--json").json


def allowed(place: Path) -> int:
    """Bulletins a minute of the agency, as the running broker says."""
    found: int = status(place)["quotas"][AGENCY]["bulletins_per_minute"]["of"]
    return found


def alarms(place: Path) -> list[str]:
    return [alarm["code"] for alarm in status(place)["alarms"]]


def test_a_file_with_a_slip_starts_no_broker(place: Path) -> None:
    quotas = place / "quotas.json"
    words = ("run", "--data", place / "data", "--keys", place / "keys", "--quotas", quotas)
    assert saphan_broker(*words, status=5).code == "quotas_unreadable"
    quotas.touch(0o600)
    quotas.write_text('{"agency": {}}')
    ran = saphan_broker(*words, status=2)
    assert ran.code == "quotas_malformed"
    assert "bulletins_per_minute" in ran.hint


def test_quotas_are_read_again_on_a_hang_up_and_a_slip_changes_nothing(place: Path) -> None:
    quotas = write(place / "quotas.json", bulletins_per_minute=600)
    with running_broker(place, "--quotas", quotas) as broker:
        enrol(place, Agency(AGENCY, Clock()()))
        found = status(place)["quotas"][AGENCY]
        assert {name: part["of"] for name, part in found.items()} == {
            "bulletins_per_minute": 600,
            "bytes_per_day": 16 * 1024**3,
            "open_deliveries": 100_000,
        }
        assert [part["used"] for part in found.values()] == [0.0, 0.0, 0.0]
        write(quotas, bulletins_per_minute=300)
        broker.process.send_signal(signal.SIGHUP)
        until(lambda: allowed(place) == 300)
        quotas.write_text("{")
        broker.process.send_signal(signal.SIGHUP)
        until(lambda: alarms(place) == ["quotas_not_read"])
        assert allowed(place) == 300
        write(quotas, bulletins_per_minute=200)
        broker.process.send_signal(signal.SIGHUP)
        until(lambda: allowed(place) == 200)
        assert alarms(place) == []
        assert _metric(broker.url) == {"bulletins": 0.0, "bytes": 0.0, "deliveries": 0.0}
        assert broker.stop() == 0


def test_every_process_of_a_broker_reads_them_again(tmp_path: Path) -> None:
    server = Server(tmp_path / "server").start()
    try:
        with short_place() as place:
            served = Served(place, server, ("--redis", f"unix://{server.socket}"))
            served.init()
            options = (*served.options, "--processes", "2", "--quotas", place / "quotas.json")
            write(place / "quotas.json", bulletins_per_minute=600)
            with running_broker(place, *options) as broker:
                (place / "quotas.json").write_text("{")
                broker.process.send_signal(signal.SIGHUP)
                until(lambda: _told(place) == [1, 2])
                assert broker.stop() == 0
    finally:
        server.free()


def _told(place: Path) -> list[int]:
    """Which processes have found the slip."""
    rows = [json.loads(line) for line in (place / "broker.log").read_text().splitlines()]
    return sorted({row["process"] for row in rows if "quotas_not_read" in row["message"]})


def _metric(url: str) -> dict[str, float]:
    with urllib.request.urlopen(f"{url}/metrics", timeout=30) as answer:  # noqa: S310 - our own
        lines = answer.read().decode().splitlines()
    rows = [line for line in lines if line.startswith("saphan_quota_used{")]
    return {row.split('"')[1]: float(row.split()[-1]) for row in rows}
