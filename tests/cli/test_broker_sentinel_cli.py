"""A broker that finds its server by sentinels, as its operator meets it: TLS, two passwords, and
what is refused."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from saphan_broker.cli.whole_status import whole_status
from saphan_protocol.tls import key_pem
from support import certificates
from support.broker_command import running_broker, saphan_broker_here
from support.drill_pages import until
from support.sentinels import NAME, Sentinel
from support.served import Served, short_place
from support.servers import Server

SECRET, OTHER = "ferry-lantern-rice-seven", "monsoon-bridge-kapok-nine"


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Debian's server speaks TLS, the one of the Python package does not."""
    place, ca = tmp_path_factory.mktemp("tls"), certificates.authority()
    chain, key = place / "ours.crt", place / "ours.key"
    chain.write_bytes(ca.chain("127.0.0.1", certificates.KEY))
    key.touch(0o600)
    key.write_bytes(key_pem(certificates.KEY))
    return {"cert": chain, "key": key, "ca-cert": ca.write(place / "ca.pem")}


@pytest.fixture(scope="module")
def sentinel(
    tmp_path_factory: pytest.TempPathFactory, tls: Mapping[str, Path]
) -> Iterator[Sentinel]:
    """One that watches a primary with a replica, all under TLS; its password is another one."""
    place, replicating = tmp_path_factory.mktemp("guarded"), {"tls-replication": "yes"}
    servers = [
        Server(place / str(at), "redis", replicating, password=SECRET, tls=tls) for at in range(2)
    ]
    made = Sentinel(place / "sentinel", "redis", servers[0], password=OTHER, tls=tls)
    try:
        for server in servers:
            server.start()
        servers[1].follow(servers[0])
        yield made.start()
    finally:
        made.kill()
        for server in servers:
            server.free()


@pytest.fixture
def served(sentinel: Sentinel, tls: Mapping[str, Path]) -> Iterator[Served]:
    with short_place() as place:
        for name, secret in (("secret", SECRET), ("other", OTHER)):
            (place / name).touch(0o600)
            (place / name).write_text(f"{secret}\n")
        words: tuple[str | Path, ...] = ("--redis", url(sentinel), "--replicas", "1")
        words += ("--redis-password-file", place / "secret")
        words += ("--redis-sentinel-password-file", place / "other")
        words += ("--redis-ca", tls["ca-cert"], "--redis-cert", tls["cert"])
        words += ("--redis-key", tls["key"])
        yield Served(place, sentinel.primary, words)


def url(sentinel: Sentinel, name: str = NAME) -> str:
    """With a sentinel that is not there: the other one is enough."""
    return f"rediss+sentinel://127.0.0.1:1,127.0.0.1:{sentinel.port}/{name}"


def test_a_broker_finds_its_server_under_tls_with_two_passwords(served: Served) -> None:
    served.init("first.example")
    with running_broker(served.place, *served.options, "--processes", "2") as broker:
        # A machine so slow that a lease runs out puts other processes in their places.
        said = (served.place / "broker.log").read_text
        until(lambda: roles(served) == ["follower", "holder"], said)
        told = saphan_broker_here("doctor", *served.where, *served.options, status=5).out
        assert "1 of 2 sentinels answer" in told
        assert "1 replicas follow it" in told
        assert broker.stop() == 0
    log = (served.place / "broker.log").read_text()
    assert SECRET not in log
    assert OTHER not in log


def roles(served: Served) -> list[str]:
    return sorted(one["role"] for one in whole_status(served.data)["processes"])


@pytest.mark.parametrize(
    ("changed", "code", "status"),
    [
        ({"redis": "redis+sentinel://127.0.0.1:1"}, "redis_url", 5),
        ({"redis": "redis+sentinel://127.0.0.1:1/"}, "redis_url", 5),
        ({"redis": "redis+sentinel:///bridge"}, "redis_url", 5),
        ({"redis": "redis+sentinel://127.0.0.1:port/bridge"}, "redis_url", 5),
        ({"redis": "redis+sentinel://127.0.0.1:1,,127.0.0.1:2/bridge"}, "redis_url", 5),
        ({"redis": "redis+sentinel://127.0.0.1:1,127.0.0.1:1/bridge"}, "redis_url", 5),
        ({"redis": "redis+sentinel://127.0.0.1:1/bridge/mine"}, "redis_url", 5),
        ({"redis": "redis+sentinel://u:hush-hush@127.0.0.1/bridge"}, "redis_password_in_url", 5),
        ({"redis": "redis+sentinel://127.0.0.1:1/bridge"}, "option_alone", 2),
        ({"redis": "rediss+sentinel://127.0.0.1:1/bridge"}, "sentinels_unreachable", 4),
        ({"redis": "another"}, "sentinel_primary_unknown", 5),
        ({"redis": "rediss://127.0.0.1:1"}, "option_alone", 2),
        ({"redis_sentinel_password_file": None}, "redis_refused", 5),
        ({"redis_sentinel_password_file": "secret"}, "redis_refused", 5),
        ({"redis_sentinel_password_file": "/no/such/file"}, "key_file_missing", 5),
        ({"redis_sentinel_user": "nobody"}, "redis_refused", 5),
        (
            {"redis_sentinel_user": "nobody", "redis_sentinel_password_file": None},
            "option_alone",
            2,
        ),
        ({"redis_password_file": "other"}, "redis_refused", 5),
        ({"replicas": None}, "store_lossy", 5),
    ],
)
def test_init_says_what_is_wrong_and_leaves_nothing(
    served: Served,
    sentinel: Sentinel,
    changed: dict[str, str | None],
    code: str,
    status: int,
) -> None:
    given = dict(zip(served.options[::2], served.options[1::2], strict=True))
    for name, value in changed.items():
        option = "--" + name.replace("_", "-")
        given.pop(option, None)
        if value in ("secret", "other"):
            given[option] = served.place / value
        elif value is not None:
            given[option] = url(sentinel, value) if value == "another" else value
    words = tuple(word for pair in given.items() for word in pair)
    ran = saphan_broker_here("init", *served.where, "--name", "x.example", *words, status=status)
    assert (ran.code, bool(ran.hint)) == (code, True)
    for secret in ("hush-hush", SECRET, OTHER):
        assert secret not in ran.err + ran.out
    assert not served.keys.exists()
    assert not served.data.exists()
