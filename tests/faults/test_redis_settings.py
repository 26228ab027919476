"""What a server must be before anything is trusted to it, and who it lets in: real servers."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
from saphan_broker.store.base import CommitUnknown
from saphan_broker.store.redis.address import RedisAddress
from saphan_broker.store.redis.creating import FORMAT
from saphan_broker.store.redis.store import RedisStore
from saphan_protocol import tls
from saphan_schemas.errors import OperatorError, SaphanError, Unavailable
from saphan_schemas.limits import LIMITS
from support import certificates
from support.pens import Pen
from support.rooms import ROOT
from support.servers import ENGINES, Engine, Server, free_port
from support.store_commits import Story
from support.whole_store import check_whole

PAGE = ROOT / "docs/operating.md"
PASSWORD = "correct horse battery staple"


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    found: Engine = request.param
    return found


@pytest.fixture
def server(engine: Engine, tmp_path: Path) -> Iterator[Server]:
    started = Server(tmp_path / "server", engine).start()
    yield started
    started.free()


@pytest.fixture
def guarded(engine: Engine, tmp_path: Path) -> Iterator[Server]:
    """A server with a password."""
    started = Server(tmp_path / "server", engine, password=PASSWORD).start()
    yield started
    started.free()


def password_file(folder: Path, password: str = PASSWORD, mode: int = 0o600) -> Path:
    path = folder / "password"
    path.write_text(password + "\n", encoding="utf-8")
    path.chmod(mode)
    return path


async def refusal(address: RedisAddress) -> SaphanError:
    """What opening, and creating, raises."""
    with pytest.raises(SaphanError) as opening:
        await RedisStore.open(address)
    with pytest.raises(SaphanError) as creating:
        await RedisStore.create(address)
    assert opening.value.hint
    assert creating.value.code == opening.value.code
    return opening.value


def keys_of(client: redis.Redis) -> list[bytes]:
    found: list[bytes] = client.keys()  # type: ignore[assignment]
    return found


# --- settings that lose data ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("appendonly", "no"),
        ("appendfsync", "everysec"),
        ("appendfsync", "no"),
        ("maxmemory-policy", "allkeys-lru"),
        ("maxmemory-policy", "volatile-ttl"),
        ("no-appendfsync-on-rewrite", "yes"),
    ],
)
async def test_a_server_that_may_lose_data_is_refused_and_the_setting_named(
    name: str, value: str, server: Server
) -> None:
    await (await RedisStore.create(server.address())).close()
    server.set(name, value)
    with pytest.raises(OperatorError) as refused:
        await RedisStore.open(server.address())
    assert refused.value.code == "store_lossy"
    assert name in refused.value.message
    assert f"`{name} " in (refused.value.hint or "")
    with pytest.raises(OperatorError) as refused:
        await RedisStore.create(server.address(name="other"))
    assert refused.value.code == "store_lossy"

    store = await RedisStore.open(server.address(accept_loss=True))
    assert store.accepted_losses == (f"{name} {value}",)
    await store.commit(Story().bulletins(1), lambda: b"note")
    await store.close()


async def test_every_lossy_setting_is_named_at_once(engine: Engine, tmp_path: Path) -> None:
    settings = {"appendonly": "no", "maxmemory-policy": "allkeys-random"}
    with Server(tmp_path / "server", engine, settings).start() as server:
        error = await refusal(server.address())
    assert all(name in error.message for name in settings)


async def test_settings_that_are_changed_later_are_noticed(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await RedisStore.create(server.address())
    often = dataclasses.replace(LIMITS, store_examine_ms=0)
    monkeypatch.setattr("saphan_broker.store.redis.writer.LIMITS", often)
    commit = Story().bulletins(1)
    assert await store.examine() == ()
    server.set("appendfsync", "everysec")
    for look in (store.commit(commit), store.examine()):
        with pytest.raises(OperatorError) as refused:
            await look
        assert refused.value.code == "store_lossy"
    server.set("appendfsync", "always")
    await store.commit(commit)
    await store.close()


@pytest.mark.parametrize("name", ["appendonly", "appendfsync"])
async def test_what_is_not_synced_is_neither_signed_nor_answered(name: str, server: Server) -> None:
    """The settings were good a moment ago, and the next look at them is a minute away."""
    store = await RedisStore.create(server.address())
    story = Story()
    await store.commit(story.bulletins(1))
    commit, pen = story.bulletins(1), Pen()
    server.set(name, "no")
    with pytest.raises(CommitUnknown):
        await store.commit(commit, pen)
    assert pen.signed == 0
    await store.close()
    with pytest.raises(OperatorError) as refused:
        await RedisStore.open(server.address())
    assert refused.value.code == "store_lossy"


async def test_a_server_that_comes_back_forgetful_is_given_nothing(server: Server) -> None:
    store = await RedisStore.create(server.address())
    story = Story()
    await store.commit(story.bulletins(1))
    commit = story.bulletins(1)
    server.kill()
    server.settings = {"appendfsync": "everysec"}
    server.start()
    async with asyncio.timeout(20):
        while not store._writer._line or not store._writer._line.down:  # noqa: ASYNC110
            await asyncio.sleep(0)
    for _ in range(2):
        with pytest.raises(OperatorError) as refused:
            await store.commit(commit)
        assert refused.value.code == "store_lossy"
    server.set("appendfsync", "always")
    await store.commit(commit)
    assert await check_whole(store, 1) == commit.head
    await store.close()


async def test_a_server_that_does_not_tell_its_settings_is_refused(server: Server) -> None:
    with server.client() as client:
        rights = ["~*", "&*", "+@all", "-config"]
        client.execute_command("ACL", "SETUSER", "default", "reset", "on", "nopass", *rights)
    assert (await refusal(server.address())).code == "store_config_unknown"
    store = await RedisStore.create(server.address(accept_loss=True))
    assert store.accepted_losses == ("settings unknown",)
    await store.close()


# --- who is let in --------------------------------------------------------------------------------


async def test_the_password_comes_from_a_private_file(guarded: Server, tmp_path: Path) -> None:
    path = password_file(tmp_path)
    store = await RedisStore.create(guarded.address(password_file=path))
    await store.commit(Story().bulletins(1))
    assert (await check_whole(store, 1)).size == 1
    assert PASSWORD not in repr(guarded.address(password_file=path))
    await store.close()
    path.chmod(0o640)
    assert (await refusal(guarded.address(password_file=path))).code == "key_file_exposed"


async def test_a_wrong_password_is_refused_and_not_repeated(
    guarded: Server, tmp_path: Path
) -> None:
    path = password_file(tmp_path, "wrong secret")
    error = await refusal(guarded.address(password_file=path))
    assert error.code == "redis_refused"
    assert "secret" not in f"{error} {error.hint}"
    assert (await refusal(guarded.address())).code == "redis_refused"


@pytest.mark.parametrize(
    ("url", "code"),
    [
        ("redis://:secret@localhost/0", "redis_password_in_url"),
        ("redis://user@localhost/0", "redis_password_in_url"),
        ("http://localhost", "redis_url"),
        ("redis:///0", "redis_url"),
        ("redis://localhost:99999", "redis_url"),
        ("redis://localhost/first", "redis_url"),
        ("unix://socket", "redis_url"),
        ("localhost:6379", "redis_url"),
    ],
)
async def test_what_is_no_address_is_refused(url: str, code: str) -> None:
    error = await refusal(RedisAddress(url=url))
    assert error.code == code
    assert "secret" not in f"{error} {error.hint}"


async def test_a_server_that_is_not_there_is_unavailable() -> None:
    error = await refusal(RedisAddress(url=f"redis://127.0.0.1:{free_port()}"))
    assert isinstance(error, Unavailable)
    assert error.code == "redis_unreachable"


# --- TLS ------------------------------------------------------------------------------------------


async def test_tls_with_certificates_from_files(tmp_path: Path) -> None:
    """Debian's server speaks TLS, the one of the Python package does not."""
    authority = certificates.authority()
    ca = authority.write(tmp_path / "ca.pem")
    chain, key = tmp_path / "server.crt", tmp_path / "server.key"
    chain.write_bytes(authority.chain("127.0.0.1", certificates.KEY))
    key.touch(mode=0o600)
    key.write_bytes(tls.key_pem(certificates.KEY))
    files = {"cert": chain, "key": key, "ca-cert": ca}
    with Server(tmp_path / "server", "redis", tls=files).start() as server:
        await check_tls(f"rediss://127.0.0.1:{server.port}", ca, chain, key)


async def check_tls(url: str, ca: Path, chain: Path, key: Path) -> None:
    """A server whose certificate and key we use as our own, too."""
    ours = RedisAddress(url=url, ca_file=ca, cert_file=chain, key_file=key)
    store = await RedisStore.create(ours)
    await store.commit(Story().bulletins(1))
    await store.close()

    stranger = RedisAddress(url=url, cert_file=chain, key_file=key)
    assert (await refusal(stranger)).code == "redis_unreachable"  # nobody vouches for it
    bare = RedisAddress(url=url, ca_file=ca)
    assert (await refusal(bare)).code == "redis_unreachable"  # the server wants ours
    missing = RedisAddress(url=url, ca_file=ca.with_name("none.pem"))
    assert (await refusal(missing)).code == "redis_tls"
    exposed = key.with_name("exposed.key")
    exposed.write_bytes(tls.key_pem(certificates.KEY))
    ours = RedisAddress(url=url, ca_file=ca, cert_file=chain, key_file=exposed)
    assert (await refusal(ours)).code == "key_file_exposed"


# --- other people's keys --------------------------------------------------------------------------


async def test_another_applications_keys_stay_as_they_are(server: Server) -> None:
    with server.client() as client:
        client.set("theirs", "value")
        client.hset("saphan", "field", "value")
        client.xadd("box:kh.gpo", {"field": "value"}, id="1-1")
        client.zadd("saphan:{other/evidence}:due", {"member": 1})
        theirs = {key: client.dump(key) for key in keys_of(client)}
        store = await RedisStore.create(server.address())
        story = Story()
        first = story.bulletins(3)
        await store.commit(first, lambda: b"note")
        await store.commit(story.event(first.deliveries[0], "handover", "handed_over"))
        await store.close()
        assert {key: client.dump(key) for key in theirs} == theirs
        ours = [key for key in keys_of(client) if key not in theirs]
        assert ours
        assert all(key.startswith(b"saphan:{saphan/") for key in ours)


async def test_a_store_is_not_made_among_the_remains_of_another(server: Server) -> None:
    store = await RedisStore.create(server.address())
    await store.commit(Story().bulletins(1))
    await store.close()
    with server.client() as client:
        client.delete("saphan:{saphan/evidence}:head", "saphan:{saphan/directory}:head")
    with pytest.raises(OperatorError) as refused:
        await RedisStore.create(server.address())
    assert refused.value.code == "store_foreign"
    assert refused.value.hint


async def test_two_brokers_share_a_server_by_name(server: Server) -> None:
    one = await RedisStore.create(server.address(name="one"))
    two = await RedisStore.create(server.address(name="two"))
    await one.commit(Story().bulletins(2))
    assert (await two.counts()).bulletins == 0
    assert (await check_whole(one, 1)).size == 2
    for store in (one, two):
        await store.close()
    with pytest.raises(OperatorError) as refused:
        await RedisStore.create(server.address(name="one"))
    assert refused.value.code == "store_exists"
    for name in ("", "a{b", "a:b", "x" * 101):
        assert (await refusal(server.address(name=name))).code == "redis_name"


async def test_what_is_not_ours_or_of_a_newer_format_is_refused_untouched(server: Server) -> None:
    head = "saphan:{saphan/evidence}:head"
    with pytest.raises(OperatorError) as refused:
        await RedisStore.open(server.address())
    assert refused.value.code == "store_missing"
    with server.client() as client:
        client.set(head, "theirs")
        with pytest.raises(OperatorError) as refused:
            await RedisStore.open(server.address())
        assert refused.value.code == "store_foreign"
        client.delete(head)
        client.hset(head, "field", "theirs")
        with pytest.raises(OperatorError) as refused:
            await RedisStore.open(server.address())
        assert refused.value.code == "store_foreign"
        client.delete(head)
        await (await RedisStore.create(server.address())).close()
        client.hset(head, "format", FORMAT + 1)
        before = {key: client.dump(key) for key in keys_of(client)}
        with pytest.raises(OperatorError) as refused:
            await RedisStore.open(server.address())
        assert refused.value.code == "store_format_newer"
        assert {key: client.dump(key) for key in keys_of(client)} == before
