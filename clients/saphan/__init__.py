"""Saphan, what agencies use: SDK, node, officer, auditor, and the ceremony that makes keys.

`from saphan import Node` is the SDK; it is loaded when it is first asked for, so that a command
that needs no network does not wait for it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from saphan.received import Bulletin as Bulletin
    from saphan.sdk import Node as Node

__all__ = ["Bulletin", "Node"]


def __getattr__(name: str) -> object:
    if name in __all__:
        from saphan import sdk

        return getattr(sdk, name)
    raise AttributeError(f"module 'saphan' has no attribute {name!r}")
