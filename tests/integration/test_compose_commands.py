"""The stores of docker/compose.yaml run outside containers: its words, this machine's paths."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import pytest
import redis
from support.composed import ONCE, PATIENCE, STORE_PORT, Outside, store, store_client, until
from support.servers import free_port

FIRST, SECOND = "store-a", "store-b"


@pytest.fixture
def outside(tmp_path: Path) -> Outside:
    made = Outside(tmp_path, {(name, STORE_PORT): free_port() for name in (FIRST, SECOND)})
    made.make_secrets()
    return made


def client(outside: Outside, name: str) -> redis.Redis:
    """The brokers' user, with its password."""
    password = (outside.place / "secrets/broker-password").read_text(encoding="utf-8")
    return store_client(outside, name, "saphan", password)


def said(asking: redis.Redis, *command: str) -> str:
    """How the server refuses a command; "" if it does not."""
    try:
        with asking:
            asking.execute_command(*command)  # type: ignore[no-untyped-call]
    except redis.RedisError as error:
        return str(error)
    return ""


def test_what_the_primary_has_written_the_replica_has_on_its_disk(outside: Outside) -> None:
    with ExitStack() as stack:
        stack.enter_context(store(outside, FIRST))
        replica = stack.enter_context(store(outside, SECOND))
        with client(outside, FIRST) as broker:
            broker.set("saphan:{x/evidence}:head", "1")
            assert broker.execute_command("WAITAOF", 1, 1, int(PATIENCE * 1_000)) == [1, 1]
            replica.terminate()
            replica.wait(PATIENCE)
            # Without a replica nothing is written, so nothing can be lost with this server.
            until(
                lambda: broker.info("replication")["connected_slaves"] == 0,
                outside.place / f"{FIRST}.log",
            )
            assert said(client(outside, FIRST), "SET", "saphan:y", "1").startswith("NOREPLICAS")


def test_the_new_replica_of_a_lost_primary_gets_everything(outside: Outside) -> None:
    with store(outside, FIRST), store(outside, SECOND), client(outside, FIRST) as broker:
        broker.set("saphan:{x/evidence}:head", "1")
        assert broker.execute_command("WAITAOF", 1, 1, int(PATIENCE * 1_000)) == [1, 1]
    (outside.place / FIRST).rename(outside.place / "lost")
    with (
        store(outside, SECOND, swapped=True),
        store(outside, FIRST, swapped=True),
        client(outside, SECOND) as broker,
    ):
        broker.set("saphan:{x/evidence}:head", "2")
        assert broker.execute_command("WAITAOF", 1, 1, int(PATIENCE * 1_000)) == [1, 1]
        with client(outside, FIRST) as new:
            assert new.get("saphan:{x/evidence}:head") == b"2"


def test_each_user_may_do_its_own_work_and_nothing_else(outside: Outside) -> None:
    def broker() -> redis.Redis:
        return client(outside, FIRST)

    def someone(user: str) -> redis.Redis:
        return store_client(outside, FIRST, user, "any")

    with store(outside, FIRST):
        assert said(broker(), "GET", "saphan:x") == ""
        assert said(broker(), "CONFIG", "GET", "append*") == ""
        assert said(broker(), "BGREWRITEAOF") == ""  # what is destroyed leaves the file
        assert said(broker(), "BGSAVE", "SCHEDULE") == ""
        assert said(someone("probe"), "PING") == ""
        for command in (
            ("GET", "another:x"),
            ("PUBLISH", "another:x", "1"),
            ("CONFIG", "SET", "appendfsync", "no"),
            ("FLUSHALL",),
            ("KEYS", "*"),
            ("REPLICAOF", "NO", "ONE"),
            ("ACL", "LIST"),
            ("SHUTDOWN",),
        ):
            assert "ermission" in said(broker(), *command), command
        assert "ermission" in said(someone("probe"), "GET", "saphan:x")
        assert "invalid username-password" in said(someone("saphan"), "PING")
        assert "invalid username-password" in said(someone("default"), "PING")
        nobody = redis.Redis(port=outside.ports[FIRST, STORE_PORT], protocol=2, retry=ONCE)
        assert "Authentication required" in said(nobody, "PING")
