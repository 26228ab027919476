"""Who opens a desk session: an officer of this agency, by their own key (desk.md, Opening)."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from saphan_protocol.batch import verify_one
from saphan_schemas.codec import encode
from saphan_schemas.desk_frames import (
    DESK_PROTOCOL,
    DESK_SESSION_TYPE,
    DeskChallenge,
    DeskLogin,
    desk_session_context,
)
from saphan_schemas.errors import Refused
from saphan_schemas.limits import LIMITS

from saphan.desk_errors import clock_differs
from saphan.node.logs import Logs
from saphan.node.officers.active_officer import active_officer


@dataclass(frozen=True, slots=True)
class DeskPeer:
    """The officer at the other end, by the key that they have proven to hold."""

    handle: str
    key: bytes

    @property
    def label(self) -> str:
        """As the node names the officer at every door, this one and the local API."""
        return f"officer:{self.handle}"


def challenge(agency: str, clock: Callable[[], int]) -> DeskChallenge:
    """Step 1: a fresh challenge, good for one login."""
    return DeskChallenge(DESK_PROTOCOL, agency, os.urandom(32), clock())


def check_login(
    asked: DeskChallenge, login: DeskLogin, logs: Logs, tls: bytes, now: int
) -> DeskPeer:
    """Step 3: judge the answer to a challenge.

    Args:
        tls: SHA-256 of the certificate that this listener shows.

    Raises:
        Refused: `tls_differs`, `key_unknown`, `key_role`, `key_revoked`, `key_foreign`.
        InvalidInput: `signature_invalid`, `key_mismatch`, `batch_path`.
        OperatorError: `desk_clock`.
    """
    if login.tls != tls:
        raise Refused(
            "tls_differs",
            "the desk sees another certificate than this node shows: somebody is in between",
            field="login.tls",
            hint="do not go on; ask the node's keeper, and look at the network in between",
        )
    info = active_officer(logs, asked.agency, login.key)
    context = desk_session_context(asked.agency, asked.nonce, login.nonce, tls)
    with logs.lock:
        key = logs.directory.verifying(login.key)
    verify_one(login.signature, key, DESK_SESSION_TYPE, encode(context))
    if abs(login.clock - now) > LIMITS.skew_ms:
        raise clock_differs(login.clock, now)
    assert info.handle is not None
    return DeskPeer(info.handle, login.key)
