"""Bearer tokens of open sessions: what admits an enrolled agency to the HTTP log paths."""

from __future__ import annotations

import secrets
from hashlib import sha256


class Tokens:
    """Kept as digests: a look-up tells nothing by its timing, a memory dump opens nothing."""

    def __init__(self) -> None:
        self._agencies: dict[bytes, str] = {}

    def issue(self, agency: str) -> str:
        """A fresh token of 43 characters, good until it is revoked."""
        token = secrets.token_urlsafe(32)
        self._agencies[sha256(token.encode()).digest()] = agency
        return token

    def revoke(self, token: str) -> None:
        """The session has ended."""
        self._agencies.pop(sha256(token.encode()).digest(), None)

    def agency(self, token: str) -> str | None:
        """Whose open session got this token."""
        return self._agencies.get(sha256(token.encode()).digest())
