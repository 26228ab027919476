"""What a running page knows, locked or not, and how a handler reaches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import quote

from aiohttp import web
from saphan_schemas.messages import LANGUAGES, text

from saphan.desk.folder import DeskFolder
from saphan.web.open_desk import OpenDesk
from saphan.web.sessions import Sessions
from saphan.web.topics import Topics


@dataclass(slots=True)
class Workplace:
    """One officer's page.

    Args:
        folder: of the desk; clock: ms UTC.
        lang: one of `LANGUAGES`, in which pages speak now.
        host: name and port at which browsers reach it, such as "kadmvxqe.localhost:50123".
        open: the open desk; None while it is locked.
        topics: what the page tells its open tabs, locked or not.
        lock_after_ms: without a request that a person caused.
        lock: ends this process's memory; None where a test holds the page.
    """

    folder: DeskFolder
    clock: Callable[[], int]
    host: str
    sessions: Sessions
    lang: str = LANGUAGES[0]
    open: OpenDesk | None = None
    topics: Topics = field(default_factory=Topics)
    lock_after_ms: int = 600_000
    lock: Callable[[str], None] | None = None

    def say(self, key: str, /, **values: object) -> str:
        """A text of the catalogue in the officer's language."""
        return text(key, self.lang, **values)


WORKPLACE = web.AppKey("workplace", Workplace)


def workplace(request: web.Request) -> Workplace:
    """The page that this request came to."""
    return request.app[WORKPLACE]


def opened(request: web.Request) -> OpenDesk:
    """The open desk.

    Raises:
        HTTPSeeOther: to /unlock; the officer comes back to where they were.
    """
    found = workplace(request).open
    if found is None:
        raise web.HTTPSeeOther(unlock_path(request))
    return found


def unlock_path(request: web.Request) -> str:
    """Where the passphrase is asked, with the address to come back to."""
    wanted = request.path_qs if request.method == "GET" else "/inbox"
    return f"/unlock?next={quote(wanted, safe='/')}"


def back(request: web.Request, path: str) -> web.HTTPSeeOther:
    """What answers an order: a look at `path`, so that reloading repeats nothing.

    Args:
        path: of this page, such as "/drafts/3"; never what a stranger wrote.
    """
    if not is_inner(path):
        raise RuntimeError(f"not an address of this page: {path!r}")
    return web.HTTPSeeOther(path)


def is_inner(path: str) -> bool:
    """Whether this is an address of this page, and no other's that begins alike."""
    return path.startswith("/") and path[1:2] not in ("/", "\\") and path.isprintable()
