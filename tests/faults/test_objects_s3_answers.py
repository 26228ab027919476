"""What an S3 service may answer that SeaweedFS does not: every request gets one answer here."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from saphan_broker.objects import s3 as s3_module
from saphan_broker.objects.base import Objects
from saphan_broker.objects.s3 import open_s3
from saphan_schemas.errors import SaphanError
from support.s3_server import SECRET_KEY, write_credentials

Answer = Callable[[web.Request], web.Response]
ERROR = "<Error><Code>{}</Code></Error>"


@asynccontextmanager
async def answering(folder: Path, answer: Answer) -> AsyncIterator[Objects]:
    async def handle(request: web.Request) -> web.Response:
        await request.read()
        return answer(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    async with TestServer(app) as server:
        credentials = folder / "credentials"
        write_credentials(credentials, SECRET_KEY)
        yield open_s3("s3://bucket", credentials=credentials, endpoint=str(server.make_url("")))


async def code(call: Awaitable[object]) -> str:
    with pytest.raises(SaphanError) as error:
        await call
    return error.value.code


@pytest.mark.parametrize(
    ("status", "name", "said"),
    [
        (429, "SlowDown", "blobs_unreachable"),
        (409, "OperationAborted", "blobs_unreachable"),
        (503, "SlowDown", "blobs_unreachable"),
        (400, "ExpiredToken", "blobs_unusable"),
        (301, "PermanentRedirect", "blobs_unusable"),  # another region: nobody but a person helps
    ],
)
async def test_what_a_person_must_mend_and_what_is_over_by_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, status: int, name: str, said: str
) -> None:
    monkeypatch.setattr(s3_module, "RETRIES", 0)
    text = ERROR.format(name)
    async with answering(tmp_path, lambda _: web.Response(status=status, text=text)) as objects:
        for call in (objects.put("a", b"x"), objects.get("a"), objects.copy("a", "b")):
            assert await code(call) == said


async def test_a_copy_that_is_confirmed_and_not_made_is_none(tmp_path: Path) -> None:
    """Success in the status, and the error in the body."""

    def answer(request: web.Request) -> web.Response:
        if request.method == "HEAD":
            return web.Response(status=404)
        return web.Response(text=ERROR.format("AccessDenied"))

    async with answering(tmp_path, answer) as objects:
        assert await code(objects.copy("a", "b")) == "blobs_unreachable"
