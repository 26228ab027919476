"""The stores of docker/compose.yaml run outside containers: its words, this machine's paths."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from support.composed import Outside, read, services
from support.servers import free_port, need

FIRST, SECOND = "store-a", "store-b"
PORT = 6379
PATIENCE = 30.0
ONCE = Retry(NoBackoff(), 0)


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    made = Outside(tmp_path, {(name, PORT): free_port() for name in (FIRST, SECOND)})
    made.make_secrets()
    return made


@contextmanager
def store(outside: Outside, name: str, swapped: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """One server as the file starts it; only its address is ours."""
    service = services()[name]
    changed = read("compose.swapped.yaml")["services"][name] if swapped else service
    program, configuration, *words = changed["command"]
    assert program == "valkey-server"
    here = ["--bind", "127.0.0.1", "--port", str(outside.ports[name, PORT])]
    command = [need("valkey"), str(outside.file(service, configuration))]
    log = outside.place / f"{name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            [*command, *outside.words(service, words), *here], stdout=output, stderr=output
        )
    try:
        until(lambda: well(outside, name), log)
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE)


def until(done: Callable[[], bool], log: Path) -> None:
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, log.read_text(errors="replace")
        time.sleep(0.01)


def client(outside: Outside, name: str, user: str, password: str | None = None) -> redis.Redis:
    if password is None:
        password = (outside.place / "secrets/broker-password").read_text(encoding="utf-8")
    return redis.Redis(port=outside.ports[name, PORT], username=user, password=password, retry=ONCE)


def well(outside: Outside, name: str) -> bool:
    """What the service's health check looks for, asked by the user that it asks as."""
    test = services()[name]["healthcheck"]["test"]
    assert "--user probe --pass any " in test[1]
    assert test[1].endswith(" role | grep -qE '^(master|connected)$$'")
    try:
        with client(outside, name, "probe", "any") as probe:
            role = probe.execute_command("ROLE")
    except (redis.ConnectionError, redis.BusyLoadingError):
        return False
    return b"master" in role or b"connected" in role


def said(outside: Outside, user: str, *command: str, password: str | None = None) -> str:
    """How the first server refuses a command; "" if it does not."""
    try:
        with client(outside, FIRST, user, password) as asking:
            asking.execute_command(*command)
    except redis.RedisError as error:
        return str(error)
    return ""


def test_what_the_primary_has_written_the_replica_has_on_its_disk(outside: Outside) -> None:
    with ExitStack() as stack:
        stack.enter_context(store(outside, FIRST))
        replica = stack.enter_context(store(outside, SECOND))
        with client(outside, FIRST, "saphan") as broker:
            broker.set("saphan:{x/evidence}:head", "1")
            assert broker.execute_command("WAITAOF", 1, 1, int(PATIENCE * 1_000)) == [1, 1]
            replica.terminate()
            replica.wait(PATIENCE)
            # Without a replica nothing is written, so nothing can be lost with this server.
            until(
                lambda: broker.info("replication")["connected_slaves"] == 0,
                outside.place / f"{FIRST}.log",
            )
            assert said(outside, "saphan", "SET", "saphan:y", "1").startswith("NOREPLICAS")


def test_the_new_replica_of_a_lost_primary_gets_everything(outside: Outside) -> None:
    with store(outside, FIRST), store(outside, SECOND), client(outside, FIRST, "saphan") as broker:
        broker.set("saphan:{x/evidence}:head", "1")
        assert broker.execute_command("WAITAOF", 1, 1, int(PATIENCE * 1_000)) == [1, 1]
    (outside.place / FIRST).rename(outside.place / "lost")
    with (
        store(outside, SECOND, swapped=True),
        store(outside, FIRST, swapped=True),
        client(outside, SECOND, "saphan") as broker,
    ):
        broker.set("saphan:{x/evidence}:head", "2")
        assert broker.execute_command("WAITAOF", 1, 1, int(PATIENCE * 1_000)) == [1, 1]
        with client(outside, FIRST, "saphan") as new:
            assert new.get("saphan:{x/evidence}:head") == b"2"


def test_each_user_may_do_its_own_work_and_nothing_else(outside: Outside) -> None:
    with store(outside, FIRST):
        assert said(outside, "saphan", "GET", "saphan:x") == ""
        assert said(outside, "saphan", "CONFIG", "GET", "append*") == ""
        assert said(outside, "probe", "PING", password="any") == ""
        for command in (
            ("GET", "another:x"),
            ("CONFIG", "SET", "appendfsync", "no"),
            ("FLUSHALL",),
            ("KEYS", "*"),
            ("REPLICAOF", "NO", "ONE"),
            ("ACL", "LIST"),
            ("SHUTDOWN",),
        ):
            assert "ermission" in said(outside, "saphan", *command), command
        assert "ermission" in said(outside, "probe", "GET", "saphan:x", password="any")
        assert "invalid username-password" in said(outside, "saphan", "PING", password="another")
        assert "invalid username-password" in said(outside, "default", "PING", password="any")
        with (
            redis.Redis(port=outside.ports[FIRST, PORT], protocol=2, retry=ONCE) as nobody,
            pytest.raises(redis.AuthenticationError),
        ):
            nobody.ping()
