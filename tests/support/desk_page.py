"""A browser's side of the officer's page without a browser: a real desk, a client that is in."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from aiohttp import web
from saphan.desk.folder import DeskFolder, DeskId
from saphan.keys.keyfiles import new_key, write_sealed
from saphan.keys.passphrase import Passphrase
from saphan.web.app import make_app
from saphan.web.gate import COOKIE
from saphan.web.open_desk import OpenDesk, unlock
from saphan.web.sessions import Sessions
from saphan.web.workplace import Workplace
from saphan_schemas.records import Role
from yarl import URL

from support.bridge import KH, SECRET
from support.brokers import Clock
from support.cheap import CHEAP

HOST = "abcdefgh.localhost"


def desk_folder(place: Path) -> DeskFolder:
    """The folder of kh.gpo's dao; its node is nowhere. Blocking."""
    place.mkdir(parents=True, exist_ok=True)
    folder = DeskFolder(place)
    folder.write(DeskId(agency=KH, handle="dao", address="127.0.0.1:1", tls=bytes(32)))
    write_sealed(folder.key_file, new_key(Role.OFFICER, "dao"), SECRET, CHEAP)
    return folder


@dataclass
class DeskPage:
    """A page that is served, and a client that sends what a browser would.

    Args:
        host: as the Host header has it; http: bare, for attackers; port: of 127.0.0.1.
    """

    place: Workplace
    http: aiohttp.ClientSession
    port: int
    cookie: str

    @property
    def host(self) -> str:
        return self.place.host

    @property
    def open(self) -> OpenDesk:
        """The open desk."""
        assert self.place.open is not None
        return self.place.open

    def url(self, path: str) -> URL:
        return URL(f"http://127.0.0.1:{self.port}{path}", encoded=True)

    def headers(self, **more: str) -> dict[str, str]:
        """What the launched browser sends."""
        return {
            "Host": self.host,
            "Cookie": f"{COOKIE}={self.cookie}",
            "Sec-Fetch-Site": "same-origin",
            **more,
        }

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Status and text of a page; a redirect is followed."""
        for _ in range(5):
            async with self.http.get(
                self.url(path), headers=self.headers(**headers), allow_redirects=False
            ) as answer:
                if answer.status != 303:
                    return answer.status, await answer.text()
                path = answer.headers["Location"]
        raise AssertionError(f"redirected in a circle: {path}")

    async def post(
        self, path: str, data: object = None, *, follow: bool = True, **headers: str
    ) -> tuple[int, str]:
        """Status and text of what an order leads to; without `follow`, where it leads to."""
        sent = self.headers(Origin=f"http://{self.host}", **headers)
        async with self.http.post(
            self.url(path), headers=sent, data=data or {}, allow_redirects=False
        ) as answer:
            if answer.status == 303:
                where = answer.headers["Location"]
                return (303, where) if not follow else await self.get(where)
            return answer.status, await answer.text()


@asynccontextmanager
async def desk_page(
    place: Path | None = None,
    *,
    folder: DeskFolder | None = None,
    clock: Clock | None = None,
    lang: str = "en",
    opened: bool = True,
    passphrase: Passphrase = SECRET,
) -> AsyncIterator[DeskPage]:
    """The page of a desk; a fresh one of kh.gpo's dao, whose node is nowhere, unless one is given.

    Args:
        opened: unlocked already.
    """
    clock = clock or Clock()
    with tempfile.TemporaryDirectory(prefix="sp", dir="/tmp") as made:
        if folder is None:
            folder = await asyncio.to_thread(desk_folder, place or Path(made) / "desk")
        page = Workplace(folder, clock, "", Sessions(clock), lang)
        cookie = page.sessions.enter(page.sessions.launch())
        assert cookie is not None
        if opened:
            page.open = await unlock(folder, passphrase, clock, page.topics)
        runner = web.AppRunner(make_app(page), shutdown_timeout=0.5)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            port = int(runner.addresses[0][1])
            page.host = f"{HOST}:{port}"
            async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as http:
                yield DeskPage(page, http, port, cookie)
        finally:
            await runner.cleanup()
            if page.open is not None:
                await page.open.close()
