"""The place of an entry in words: its index, and the number of its log after the first one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def place_words(one: Mapping[str, Any]) -> str:
    """`index` of the first log, `log/index` of its successors; an older node names no log."""
    log = one.get("log", 1)
    return f"{log}/{one['index']}" if log > 1 else str(one["index"])
