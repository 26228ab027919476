"""An S3 service that is away, refuses, or is another one than was said; keys that leak nowhere."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from saphan_broker.objects import s3 as s3_module
from saphan_broker.objects.place import check_objects, objects_from
from saphan_broker.objects.remote import RemoteObjects
from saphan_broker.objects.s3 import open_s3
from saphan_schemas.errors import OperatorError, SaphanError, Unavailable
from saphan_schemas.limits import MIB
from support.s3_server import BUCKET, SECRET_KEY, S3Server, write_credentials

NAME = "packs/20780/3"
DATA = bytes(range(256)) * 40


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """One more try, not six: what is told is the same."""
    monkeypatch.setattr(s3_module, "RETRIES", 1)


@pytest.fixture
def place(tmp_path: Path) -> str:
    return f"s3://{BUCKET}/faults/{tmp_path.name}"


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "credentials"
    write_credentials(path, SECRET_KEY)
    return path


def code(error: pytest.ExceptionInfo[SaphanError]) -> str:
    return error.value.code


async def parts(count: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield bytes(MIB)


# --- a service that goes away ---------------------------------------------------------------------


@pytest.mark.usefixtures("impatient")
async def test_a_server_killed_within_a_put_has_what_was_put_before_and_no_half(
    s3: S3Server, place: str
) -> None:
    objects = open_s3(place, credentials=s3.credentials, endpoint=s3.endpoint)

    async def cut() -> AsyncIterator[bytes]:
        async for part in parts(7):
            yield part
        await asyncio.to_thread(s3.kill)
        async for part in parts(7):
            yield part

    await objects.put(NAME, DATA)
    try:
        with pytest.raises(Unavailable) as cut_off:
            await objects.put_parts("half", cut())
        assert code(cut_off) == "blobs_unreachable"
        for call in (
            objects.put("other", DATA),
            objects.put_parts("other", parts(7)),
            objects.get(NAME),
            objects.get_range(NAME, 0, 5),
            objects.size(NAME),
            objects.copy(NAME, "other"),
            objects.delete(NAME),
            anext(aiter(objects.list(""))),
        ):
            with pytest.raises(Unavailable) as error:
                await call
            assert code(error) == "blobs_unreachable"
            assert BUCKET in error.value.message
    finally:
        s3.kill()
        await asyncio.to_thread(s3.start)
    assert await objects.get(NAME) == DATA
    assert not await objects.exists("other")
    assert await objects.get("half") is None
    await objects.put("other", DATA)
    assert await objects.get("other") == DATA
    await objects.put_parts("half", parts(7))
    assert await objects.size("half") == 7 * MIB


@pytest.mark.usefixtures("impatient")
async def test_a_service_is_believed_by_its_certificate(s3: S3Server, place: str) -> None:
    objects = open_s3(
        place, credentials=s3.credentials, endpoint=s3.https_endpoint, ca_file=s3.ca_file
    )
    await check_objects(objects)
    stranger = open_s3(place, credentials=s3.credentials, endpoint=s3.https_endpoint)
    with pytest.raises(Unavailable) as error:
        await check_objects(stranger)
    assert code(error) == "blobs_unreachable"


# --- who the broker is ----------------------------------------------------------------------------


async def test_wrong_keys_are_the_operators_to_mend(
    s3: S3Server, place: str, tmp_path: Path
) -> None:
    path = tmp_path / "credentials"
    write_credentials(path, "another-secret-key")
    objects = open_s3(place, credentials=path, endpoint=s3.endpoint)
    with pytest.raises(OperatorError) as error:
        await check_objects(objects)
    assert code(error) == "blobs_unusable"
    assert "SignatureDoesNotMatch" in error.value.message
    with pytest.raises(OperatorError):
        await anext(aiter(objects.list("")))
    assert "another-secret-key" not in f"{error.value!r} {objects!r} {objects._store!r}"


async def test_keys_may_change_while_the_broker_runs(
    s3: S3Server, place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(s3_module, "READ_AGAIN", timedelta(seconds=0))
    path = tmp_path / "credentials"
    write_credentials(path, SECRET_KEY)
    objects = open_s3(place, credentials=path, endpoint=s3.endpoint)
    await objects.put(NAME, DATA)
    write_credentials(path, "another-secret-key")
    with pytest.raises(OperatorError):
        await objects.get(NAME)
    path.unlink()
    with pytest.raises(OperatorError) as error:
        await objects.get(NAME)
    assert "is missing" in error.value.message
    write_credentials(path, SECRET_KEY)
    assert await objects.get(NAME) == DATA


async def test_the_environment_has_no_say(
    s3: S3Server, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, "of somebody else")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_SKIP_SIGNATURE", "true")
    objects = open_s3(place, credentials=s3.credentials, endpoint=s3.endpoint)
    await objects.put(NAME, DATA)
    assert await objects.get(NAME) == DATA


async def test_the_standard_file_is_used_if_none_is_named(s3: S3Server, place: str) -> None:
    home = Path.home()
    with pytest.raises(OperatorError) as error:
        open_s3(place, endpoint=s3.endpoint)
    assert code(error) == "s3_credentials"
    assert ".aws/credentials" in error.value.message
    (home / ".aws").mkdir()
    write_credentials(home / ".aws/credentials", SECRET_KEY)
    await check_objects(open_s3(place, endpoint=s3.endpoint))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[other]\naws_access_key_id = a\naws_secret_access_key = b\n",
        b"[default]\naws_access_key_id = a\n",
        b"[default]\nthis-secret-stands-alone\n",
        b"no section, this-secret\n",
        b"\xff\xfe",
    ],
)
def test_a_file_without_keys_is_not_quoted(tmp_path: Path, text: bytes) -> None:
    path = tmp_path / "credentials"
    path.write_bytes(text)
    path.chmod(0o600)
    with pytest.raises(OperatorError) as error:
        open_s3("s3://bucket", credentials=path)
    assert code(error) == "s3_credentials"
    assert "this-secret" not in f"{error.value} {error.value.hint} {error.value.__context__}"


def test_keys_that_others_can_read_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "credentials"
    write_credentials(path, SECRET_KEY)
    path.chmod(0o640)
    with pytest.raises(OperatorError) as error:
        open_s3("s3://bucket", credentials=path)
    assert code(error) == "key_file_exposed"


async def test_nothing_secret_is_logged(
    s3: S3Server, place: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    objects = open_s3(place, credentials=s3.credentials, endpoint=s3.endpoint)
    await check_objects(objects)
    shown = "".join([caplog.text, *capfd.readouterr()])
    assert SECRET_KEY not in shown


# --- what an operator may write ----------------------------------------------------------------


@pytest.mark.parametrize(
    "place",
    [
        *("s3://", "s3:///x", "s3://UPPER", "s3://a", "s3://bucket//x", "s3://bucket/../x"),
        *("s3://key:secret@bucket/x", "s3://bucket/x?y=1", "s3://bucket/" + "a" * 300),
    ],
)
def test_an_address_that_is_none(keys: Path, place: str) -> None:
    with pytest.raises(OperatorError) as error:
        objects_from(place, credentials=keys)
    assert code(error) == "s3_place"


@pytest.mark.parametrize(
    "endpoint",
    [
        *("", "host", "ftp://host", "https://", "https://host/path", "https://host?x=1"),
        *("https://user:topsecret@host", "https://host#x", "file:///etc"),
    ],
)
def test_an_endpoint_that_is_none(keys: Path, endpoint: str) -> None:
    with pytest.raises(OperatorError) as error:
        objects_from("s3://bucket", credentials=keys, endpoint=endpoint)
    assert code(error) == "s3_place"
    assert "topsecret" not in f"{error.value} {error.value.hint}"


def test_certificates_that_cannot_be_read(keys: Path, tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as error:
        open_s3("s3://bucket", credentials=keys, ca_file=tmp_path / "none.pem")
    assert code(error) == "s3_ca"
    (tmp_path / "bad.pem").write_text("no certificate")
    with pytest.raises(OperatorError) as error:
        open_s3("s3://bucket", credentials=keys, ca_file=tmp_path / "bad.pem")
    assert code(error) == "s3_ca"


@pytest.fixture
def _without_obstore(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in [name for name in sys.modules if name.partition(".")[0] == "obstore"]:
        monkeypatch.setitem(sys.modules, name, None)
    for name in ("saphan_broker.objects.s3", "saphan_broker.objects.remote"):
        monkeypatch.delitem(sys.modules, name)
    yield
    for name in ("saphan_broker.objects.s3", "saphan_broker.objects.remote"):
        sys.modules.pop(name, None)


@pytest.mark.usefixtures("_without_obstore")
def test_without_the_extra_it_says_what_to_install(keys: Path, tmp_path: Path) -> None:
    with pytest.raises(OperatorError) as error:
        objects_from("s3://bucket", credentials=keys)
    assert code(error) == "s3_not_installed"
    assert "saphan[s3]" in (error.value.hint or "")
    objects_from(str(tmp_path))


async def test_a_store_that_does_not_read_what_it_wrote_is_refused(
    s3: S3Server, place: str
) -> None:
    """A cache in front of the service, or a replica behind it."""

    class Behind(RemoteObjects):
        async def get(self, name: str) -> bytes | None:
            return None

    made = open_s3(place, credentials=s3.credentials, endpoint=s3.endpoint)
    with pytest.raises(OperatorError) as error:
        await check_objects(Behind(made._store, "the cache"))
    assert code(error) == "blobs_unusable"
