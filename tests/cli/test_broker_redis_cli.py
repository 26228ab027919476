"""A broker on a Redis or Valkey server as its operator meets it: what works, what is refused."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from saphan_broker.cli.main import main
from saphan_broker.server_look import look_at_server
from saphan_protocol.pins import parse_pins
from saphan_protocol.tls import key_pem
from support import certificates
from support.broker_command import running_broker, saphan_broker_here
from support.command import saphan_here
from support.served import Served, short_place
from support.servers import Server

SECRET = "ferry-lantern-rice-seven"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One with a password, for all tests; their brokers have different names."""
    made = Server(tmp_path_factory.mktemp("server"), password=SECRET).start()
    yield made
    made.free()


@pytest.fixture
def served(server: Server) -> Iterator[Served]:
    with short_place() as place:
        secret = place / "secret"
        secret.touch(0o600)
        secret.write_text(f"{SECRET}\n")
        yield Served(
            place,
            server,
            ("--redis", f"unix://{server.socket}", "--redis-password-file", secret),
        )


def options(served: Served, **changed: str | None) -> tuple[str | Path, ...]:
    """The served options with some changed or, by None, left out."""
    given = dict(zip(served.options[::2], served.options[1::2], strict=True))
    for name, value in changed.items():
        option = "--" + name.replace("_", "-")
        given.pop(option, None)
        if value is not None:
            given[option] = value
    return tuple(word for pair in given.items() for word in pair)


# --- what works -----------------------------------------------------------------------------------


def test_a_broker_begins_runs_and_is_exported(served: Served) -> None:
    heads = served.init("first.example").json["heads"]
    assert [head["size"] for head in heads] == [1, 1]
    assert not (served.data / "broker.db").exists()
    with running_broker(served.place, *served.options) as broker:
        with urllib.request.urlopen(f"{broker.url}/readyz", timeout=30) as answer:  # noqa: S310
            ready = json.load(answer)
        assert (ready["ready"], ready["holder"], ready["accepted_losses"]) == (True, True, [])
        status = saphan_broker_here("status", "--data", served.data, "--json").json
        assert (status["ready"], status["holder"], len(status["processes"])) == (True, True, 1)
        assert broker.stop() == 0
    logs, pack = served.place / "logs", served.place / "broker.pack"
    data = ("--data", served.data, *served.options)
    saphan_broker_here("log", "export", *data, "--out", logs)
    saphan_broker_here("records", "export", *data, "--keys", served.keys, "--out", pack)
    saphan_here("audit", "verify", logs, "--pins", served.data / "pins.json", "--pack", pack)
    found = saphan_broker_here("fsck", *data, "--keys", served.keys, "--json").json
    assert (found["ok"], found["coverage"]["evidence"]["leaves"]) == (True, 1)
    assert SECRET not in (served.place / "broker.log").read_text()


def test_a_line_with_tls_and_a_login_from_files(tmp_path: Path) -> None:
    """Debian's server speaks TLS, the one of the Python package does not."""
    ca = certificates.authority()
    chain, key = tmp_path / "ours.crt", tmp_path / "ours.key"
    chain.write_bytes(ca.chain("127.0.0.1", certificates.KEY))
    key.touch(0o600)
    key.write_bytes(key_pem(certificates.KEY))
    files = {"cert": chain, "key": key, "ca-cert": ca.write(tmp_path / "ca.pem")}
    made = Server(tmp_path / "server", "redis", password=SECRET, tls=files)
    with made.start() as server, short_place() as place:
        (place / "secret").touch(0o600)
        (place / "secret").write_text(SECRET)
        words: tuple[str | Path, ...] = ("--redis", f"rediss://127.0.0.1:{server.port}")
        words += ("--redis-user", "default", "--redis-password-file", place / "secret")
        words += ("--redis-ca", files["ca-cert"], "--redis-cert", chain, "--redis-key", key)
        served = Served(place, server, words)
        served.init("tls.example")
        with running_broker(place, *served.options, "--processes", "2") as broker:
            status = saphan_broker_here("status", "--data", served.data, "--json").json
            assert [one["role"] for one in status["processes"]] == ["holder", "follower"]
            assert "ok    server" in saphan_broker_here("doctor", *served.where, *words).out
            assert broker.stop() == 0
        assert SECRET not in (place / "broker.log").read_text()


def test_another_data_directory_needs_no_init_of_its_own(served: Served) -> None:
    served.init("second.example")
    other = served.place / "other"
    other.mkdir()
    served.keys.rename(other / "keys")
    blobs = ("--blobs", served.data / "objects")
    with running_broker(other, *served.options, *blobs) as broker:
        assert broker.ready["name"] == "second.example"
        assert broker.stop() == 0
    assert parse_pins((other / "data/pins.json").read_bytes()).name == "second.example"


def test_two_brokers_in_one_server_do_not_meet(served: Served) -> None:
    served.init("third.example")
    ran = served.init("third.example", status=5)
    assert ran.json_error["code"] == "broker_exists"
    again = served.beside(served.place / "again")
    ran = again.init("third.example", status=5)
    assert ran.json_error["code"] == "store_exists"
    assert not again.keys.exists()  # nothing that would have to be removed
    again.init("fourth.example")


# --- what is refused ------------------------------------------------------------------------------


def test_an_empty_server_is_no_broker_that_has_signed(served: Served) -> None:
    saphan_broker_here("init", *served.where, "--name", "fifth.example")  # on SQLite
    ran = served.run_once(status=5)
    assert ran.code == "store_behind_signer"
    assert "saphan-broker copy" in ran.hint


def test_init_after_a_run_that_found_nothing(served: Served) -> None:
    other = served.beside(served.place / "other")
    other.init("seventh.example")
    served.place.joinpath("keys").symlink_to(other.keys)
    assert served.run_once("--blobs", served.place / "typo", status=5).code == "objects_elsewhere"
    served.keys.unlink()
    served.init("eighth.example")


@pytest.mark.parametrize(
    ("changed", "code", "status"),
    [
        ({"redis": "redis://user:hush-hush@127.0.0.1:6379"}, "redis_password_in_url", 5),
        ({"redis": "redis://:hush-hush@127.0.0.1:6379"}, "redis_password_in_url", 5),
        ({"redis": "http://127.0.0.1:6379"}, "redis_url", 5),
        ({"redis": "127.0.0.1:6379"}, "redis_url", 5),
        ({"redis": "redis://127.0.0.1:notaport"}, "redis_url", 5),
        ({"redis": "redis://127.0.0.1/mine"}, "redis_url", 5),
        ({"redis": ""}, "redis_url", 5),
        ({"redis": "redis://127.0.0.1:1"}, "redis_unreachable", 4),
        ({"redis": "unix:///nowhere/s"}, "redis_unreachable", 4),
        ({"redis": "redis://no-such-host.invalid"}, "redis_unreachable", 4),
        ({"redis_password_file": None}, "redis_refused", 5),
        ({"redis_password_file": "/no/such/file"}, "key_file_missing", 5),
        ({"redis_password_file": "wrong"}, "redis_refused", 5),
        ({"redis_password_file": "exposed"}, "key_file_exposed", 5),
        ({"redis_user": "nobody"}, "redis_refused", 5),
        ({"redis_user": "nobody", "redis_password_file": None}, "option_alone", 2),
        ({"redis": "redis://127.0.0.1", "redis_ca": "/ca.pem"}, "option_alone", 2),
        ({"redis": "rediss://127.0.0.1", "redis_key": "/key.pem"}, "option_alone", 2),
        ({"redis": "rediss://127.0.0.1", "redis_ca": "/ca.pem"}, "redis_tls", 5),
        ({"redis": None}, "option_alone", 2),
        ({"redis": None, "redis_password_file": None, "accept_loss": ""}, "option_alone", 2),
        ({"blobs_region": "here"}, "option_alone", 2),
        ({"blobs": "s3://bucket", "blobs_credentials": "/no/such/file"}, "s3_credentials", 5),
    ],
)
def test_init_says_what_is_wrong_and_leaves_nothing(
    served: Served, changed: dict[str, str | None], code: str, status: int
) -> None:
    for name, mode, secret in (("wrong", 0o600, "hush-hush"), ("exposed", 0o644, SECRET)):
        (served.place / name).write_text(secret)
        (served.place / name).chmod(mode)
        if changed.get("redis_password_file") == name:
            changed = {"redis_password_file": str(served.place / name)}
    words = tuple(word for word in options(served, **changed) if word != "")
    if changed.get("redis") == "":
        words = (*options(served, redis=None), "--redis", "")
    ran = saphan_broker_here("init", *served.where, "--name", "x.example", *words, status=status)
    assert (ran.code, bool(ran.hint)) == (code, True)
    assert "hush-hush" not in ran.err + ran.out
    assert SECRET not in ran.err + ran.out
    assert not served.keys.exists()
    assert not served.data.exists()


def test_a_server_that_may_lose_data_is_refused_unless_that_is_accepted(
    served: Served, server: Server
) -> None:
    served.init("lossy.example")
    server_settings = {"appendfsync": "everysec", "maxmemory-policy": "allkeys-lru"}
    client = server.client()
    for name, value in server_settings.items():
        client.config_set(name, value)
    try:
        ran = served.run_once(status=5)
        assert ran.code == "store_lossy"
        assert all(name in ran.err for name in server_settings)
        with running_broker(served.place, *served.options, "--accept-loss") as broker:
            with urllib.request.urlopen(f"{broker.url}/readyz", timeout=30) as answer:  # noqa: S310
                losses = json.load(answer)["accepted_losses"]
            assert sorted(losses) == ["appendfsync everysec", "maxmemory-policy allkeys-lru"]
            shown = saphan_broker_here("status", "--data", served.data).out
            assert "appendfsync everysec" in shown
            assert broker.stop() == 0
        doctor = ("doctor", *served.where, *served.options)
        assert "store_lossy" in saphan_broker_here(*doctor, status=5).out
        assert "may lose" in saphan_broker_here(*doctor, "--accept-loss", status=5).out
    finally:
        client.config_set("appendfsync", "always")
        client.config_set("maxmemory-policy", "noeviction")
        client.close()


@pytest.mark.parametrize(
    "words",
    [
        ("--processes", "0"),
        ("--processes", "99"),
        ("--processes", "two"),
        ("--replicas", "-1"),
        ("--replicas", "100"),
    ],
)
def test_a_count_has_its_range_in_the_message(
    words: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["run", "--data", "d", "--keys", "k", *words])
    assert ended.value.code == 2
    assert "from" in capsys.readouterr().err


def test_several_processes_and_serving_only_keys_need_a_server(served: Served) -> None:
    saphan_broker_here("init", *served.where, "--name", "sixth.example")
    alone = Served(served.place, served.server)
    assert alone.run_once("--processes", "2", status=2).code == "processes_need_redis"
    shared = served.place / "shared"
    saphan_broker_here("keys", "share", "--keys", served.keys, "--out", shared)
    served.keys.rename(served.place / "signer")
    shared.rename(served.keys)
    assert alone.run_once(status=5).code == "serves_only"


async def test_the_doctor_sees_server_replicas_and_memory(tmp_path: Path) -> None:
    primary = Server(tmp_path / "1", settings={"maxmemory": "64mb"}).start()
    replica = Server(tmp_path / "2").start()
    try:
        replica.follow(primary)
        seen = await look_at_server(primary.address(replicas=1))
        assert (seen.primary, seen.replicas, seen.wanted) == (True, 1, 1)
        assert (seen.most, seen.writes, seen.losses) == (64 * 1024 * 1024, True, ())
        assert 0 < seen.used < seen.most
        assert seen.name.startswith("Valkey ")
        assert not (await look_at_server(replica.address())).primary
    finally:
        primary.free()
        replica.free()
