"""Files of attachments: what is sealed, brought, put in its place, fetched. Their effects as well.

The bytes on the way are not: what is not whole has no meaning, and goes on where it stopped.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from typing import Any

import pytest
from saphan.node.files import blobs
from saphan_broker.blobs.files import BlobFiles as BrokerFiles
from saphan_broker.blobs.staging import Staging

from matrix.effects import Effect, Effects
from matrix.seams import BROKER, agency_of, no_room


def install_attachments(effects: Effects, patch: pytest.MonkeyPatch) -> None:
    """Lead them through `effects`."""

    def at_node(what: str) -> Callable[..., Effect]:
        return lambda files, *_: Effect(agency_of(files.incoming), what)

    def at_broker(what: str) -> Callable[..., Effect]:
        return lambda *_: Effect(BROKER, what)

    def lead(owner: type, name: str, effect: Callable[..., Effect], error: Any) -> None:
        really = getattr(owner, name)

        def through(*given: Any) -> Any:
            lost = effects.enter([effect(*given)], error)
            done = really(*given)
            if lost:
                raise error()
            return done

        patch.setattr(owner, name, through)

    lead(blobs.BlobFiles, "adopt", at_node("places what it has sealed"), no_room)
    lead(blobs.BlobFiles, "destroy", at_node("destroys attachments"), no_room)
    whole = "has a part whole"
    lead(blobs.PartFile, "finish", lambda part: Effect(agency_of(part._path), whole), no_room)
    lead(Staging, "append", at_broker("stages a part"), _disk)
    lead(BrokerFiles, "link", at_broker("places attachments"), _disk)
    lead(BrokerFiles, "destroy", at_broker("destroys attachments"), _disk)


def _disk() -> OSError:
    return OSError(errno.ENOSPC, "injected: there is no room left")
