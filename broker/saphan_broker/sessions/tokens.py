"""Bearer tokens of open sessions: what admits an enrolled agency to the HTTP log paths."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from hashlib import sha256


class Tokens:
    """Kept as digests: a look-up tells nothing by its timing, a memory dump opens nothing."""

    def __init__(self) -> None:
        self._agencies: dict[bytes, str] = {}
        self.changed: Callable[[], None] | None = None
        """Is told of every session that opens or ends: other processes admit its token too."""

    def issue(self, agency: str) -> str:
        """A fresh token of 43 characters, good until it is revoked."""
        token = secrets.token_urlsafe(32)
        self._agencies[digest(token)] = agency
        self._tell()
        return token

    def revoke(self, token: str) -> None:
        """The session has ended."""
        self._agencies.pop(digest(token), None)
        self._tell()

    def agency(self, token: str) -> str | None:
        """Whose open session got this token."""
        return self._agencies.get(digest(token))

    def open(self) -> list[tuple[bytes, str]]:
        """Digest and agency of every token that is good."""
        return list(self._agencies.items())

    def _tell(self) -> None:
        if self.changed is not None:
            self.changed()


def digest(token: str) -> bytes:
    """What is kept of a token."""
    return sha256(token.encode()).digest()
