"""What a system may be given to do at its node's local API."""

from __future__ import annotations

from enum import StrEnum


class Right(StrEnum):
    """One right opens the paths that `saphan.node.api.access` lists for it."""

    SEND = "send"
    READ = "read"
    STATUS = "status"
    EVENTS = "events"
    IDENTITY = "identity"
    LOG = "log"
    RECALL = "recall"
