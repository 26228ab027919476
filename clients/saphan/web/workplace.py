"""What a running page knows, locked or not, and how a handler reaches it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from aiohttp import web
from saphan_schemas.limits import LIMITS
from saphan_schemas.messages import LANGUAGES, text

from saphan.desk.folder import DeskFolder
from saphan.keys.passphrase import Passphrase
from saphan.keys.token_place import TokenAccess
from saphan.web.locking.attempts import Attempts
from saphan.web.locking.idle import Presence, up_ms
from saphan.web.open_desk import OpenDesk, unlock
from saphan.web.sessions import Sessions
from saphan.web.settings.choices import Choices, keep_choices, read_choices
from saphan.web.strangers import Strangers
from saphan.web.topics import Topics

LockReason = Literal["asked", "idle"]


@dataclass(slots=True)
class Workplace:
    """One officer's page.

    Args:
        folder: of the desk; clock: ms UTC.
        host: name and port at which browsers reach it, such as "kadmvxqe.localhost:50123".
        lang: one of `LANGUAGES`, in which pages speak now.
        open: the open desk; None while it is locked.
        strangers: connections of whoever has not shown the cookie.
        topics: what the page tells its open tabs, locked or not.
        lock_after_ms: without a request that a person caused; `lock_fixed`: the command said so.
        why_locked: None: it was not open yet.
        library: of PKCS#11, in place of the one that the key file names.
        lock: ends this process's memory soon; None where nothing can (a test's page).
    """

    folder: DeskFolder
    clock: Callable[[], int]
    host: str
    sessions: Sessions
    lang: str = LANGUAGES[0]
    open: OpenDesk | None = None
    topics: Topics = field(default_factory=Topics)
    strangers: Strangers = field(default_factory=Strangers)
    presence: Presence = field(default_factory=Presence)
    attempts: Attempts = field(default_factory=lambda: Attempts(up_ms))
    lock_after_ms: int = LIMITS.page_idle_ms
    lock_fixed: bool = False
    lang_chosen: bool = False
    why_locked: LockReason | None = None
    library: Path | None = None
    lock: Callable[[LockReason], None] | None = None

    def say(self, key: str, /, **values: object) -> str:
        """A text of the catalogue in the officer's language."""
        return text(key, self.lang, **values)

    async def unlock(
        self, passphrase: Passphrase | None, access: TokenAccess | None = None
    ) -> None:
        """Open the desk, and take on what the officer chose.

        Raises:
            OperatorError: what `open_desk` raises, such as `passphrase_wrong`.
        """
        made = await unlock(self.folder, passphrase, self.clock, self.topics, access)
        # From here on it is open, whatever goes wrong: what is open can be locked.
        self.open = made
        choices = await made.work(read_choices)
        if not self.lock_fixed:
            self.lock_after_ms = choices.lock_after_ms
        if not self.lang_chosen:
            self.lang = choices.lang or self.lang
        self.topics.publish("open")
        if self.lang_chosen:
            await made.work(lambda desk: keep_choices(desk, _in(choices, self.lang)))

    def present(self, request: web.Request) -> None:
        """Note that a person is there, if the page was not to lock before they came.

        Raises:
            HTTPSeeOther: it locks, and shows nothing: a laptop woke up, and whoever touched it was
                quicker than the look at the clock.
        """
        if self.lock_if_idle():
            asleep = web.HTTPSeeOther(unlock_path(request))
            asleep.force_close()  # the next request waits at the socket for the successor
            raise asleep
        self.presence.note(request)

    def lock_if_idle(self) -> bool:
        """Lock when nobody was there for too long; whether it locks."""
        late = self.presence.left_ms(self.lock_after_ms) <= 0
        if self.open is None or self.lock is None or not late:
            return False
        self.lock("idle")
        return True

    async def speak(self, lang: str) -> None:
        """From now on in this language; kept at once, or when the desk is unlocked."""
        self.lang = lang
        if self.open is None:
            self.lang_chosen = True
        else:
            await self.open.work(lambda desk: keep_choices(desk, _in(read_choices(desk), lang)))
        self.topics.publish("language")


def _in(choices: Choices, lang: str) -> Choices:
    return Choices(lang=lang, lock_minutes=choices.lock_minutes)  # type: ignore[arg-type]


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
