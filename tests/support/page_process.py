"""A page in a process of its own, as `saphan desk open` starts it, and requests to it."""

from __future__ import annotations

import http.client
import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from saphan.web.gate import COOKIE

from support.bridge import SECRET
from support.command import environment, saphan_command

FORM = "application/x-www-form-urlencoded"
PASSPHRASE = SECRET.reveal().decode()


@dataclass
class Answer:
    """What a page answered."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def where(self) -> str:
        """Where it leads."""
        return self.headers["Location"]


@dataclass
class PageProcess:
    """A running page; `link` is the launch link that it printed."""

    process: subprocess.Popen[str]
    link: str
    cookie: str = ""

    @property
    def host(self) -> str:
        return urlsplit(self.link).netloc

    @property
    def address(self) -> tuple[str, int]:
        return "127.0.0.1", int(self.host.rpartition(":")[2])

    def locked(self) -> bool:
        """Whether a page that was told to lock asks for the passphrase, once its successor is
        there; who comes while the open page ends may get no answer."""
        while True:
            with suppress(ConnectionError, http.client.HTTPException):
                answer = self.ask("GET", "/settings")
                if answer.status != 200:
                    return answer.where == "/unlock?next=/settings"

    def enter(self) -> Answer:
        """Use the launch link, as the browser does that was started with it."""
        answer = self.ask("GET", urlsplit(self.link).path)
        if answer.status == 200:
            given = answer.headers["Set-Cookie"]
            self.cookie = given.partition(";")[0].removeprefix(f"{COOKIE}=")
        return answer

    def ask(self, method: str, path: str, form: dict[str, str] | None = None) -> Answer:
        """One request on a connection of its own."""
        line = http.client.HTTPConnection(*self.address, timeout=30)
        sent = {"Host": self.host, "Cookie": f"{COOKIE}={self.cookie}", "Connection": "close"}
        if method == "POST":
            sent |= {"Origin": f"http://{self.host}", "Content-Type": FORM}
        try:
            line.request(method, path, urlencode(form or {}), sent)
            answer = line.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read().decode())
        finally:
            line.close()

    def unlock(self) -> Answer:
        """Type the passphrase."""
        return self.ask("POST", "/unlock", {"passphrase": PASSPHRASE})

    def memory(self) -> bytes:
        """All that the process has in memory, program files left out."""
        found = []
        with open(f"/proc/{self.process.pid}/mem", "rb", 0) as mem:
            for line in Path(f"/proc/{self.process.pid}/maps").read_text().splitlines():
                place, rights, _offset, _device, inode, *_name = line.split(maxsplit=5)
                if not rights.startswith("rw") or (inode != "0" and "db" not in line):
                    continue
                start, end = (int(one, 16) for one in place.split("-"))
                mem.seek(start)
                found.append(mem.read(end - start))
        return b"".join(found)


@contextmanager
def page_process(desk: Path, *options: str) -> Iterator[PageProcess]:
    """The page of a desk's folder, told to end afterwards."""
    words = ("desk", "open", str(desk), "--no-browser", "--json", *options)
    process = subprocess.Popen(
        saphan_command(*words),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(),
        text=True,
    )
    assert process.stdout is not None
    try:
        yield PageProcess(process, json.loads(process.stdout.readline())["link"])
        process.terminate()
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.communicate()
