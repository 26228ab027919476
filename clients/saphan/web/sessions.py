"""Who may look: a launch link that is good once, and the browser that used it.

Only digests are kept, so that what a locked page remembers opens nothing.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

TOKEN_BYTES: Final = 32
LAUNCH_MS: Final = 600_000


@dataclass(slots=True)
class Sessions:
    """The launch link that waits, and the browsers that are in.

    Args:
        clock: ms UTC. known: digests of cookies, oldest first.
    """

    clock: Callable[[], int]
    known: list[bytes] = field(default_factory=list)
    _launch: bytes | None = None
    _launch_until: int = 0

    def launch(self) -> str:
        """A token for a link, good once and for ten minutes; one given before is void."""
        token = secrets.token_urlsafe(TOKEN_BYTES)
        self._launch = digest(token)
        self._launch_until = self.clock() + LAUNCH_MS
        return token

    def enter(self, token: str) -> str | None:
        """A cookie for the first who brings the launch token; None for anybody else."""
        waiting, self._launch = self._launch, None
        if waiting is None or not hmac.compare_digest(waiting, digest(token)):
            self._launch = waiting  # a wrong guess takes nobody's link away
            return None
        if self.clock() >= self._launch_until:
            return None
        cookie = secrets.token_urlsafe(TOKEN_BYTES)
        self.known = [digest(cookie)]
        return cookie

    def knows(self, cookie: str | None) -> bool:
        """Whether this browser used the link."""
        shown = digest(cookie or "")
        return any(hmac.compare_digest(one, shown) for one in self.known)


def digest(token: str) -> bytes:
    """SHA-256 of a token's text."""
    return hashlib.sha256(token.encode("utf-8", "surrogateescape")).digest()
