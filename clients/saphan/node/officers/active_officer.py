"""Whose key it is that opens a session or a token of this agency's officer."""

from __future__ import annotations

from saphan_protocol.directory import KeyInfo
from saphan_schemas.errors import Refused
from saphan_schemas.records import Role

from saphan.node.logs import Logs


def active_officer(logs: Logs, agency: str, key: bytes) -> KeyInfo:
    """The officer's key, if it is this agency's and not revoked.

    Raises:
        Refused: `key_unknown`, `key_role`, `key_revoked`, `key_foreign`.
    """
    with logs.lock:
        info = logs.directory.key(key, Role.OFFICER)
    if info.agency != agency:
        raise Refused("key_foreign", f"this is no officer's key of {agency}", field="login.key")
    return info
