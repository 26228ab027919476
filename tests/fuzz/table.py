"""Every target there is. A parser that meets the network or a file stands here."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from fuzz.target import Target
from fuzz.targets import content, directory, disk, files, lines, logs, records, stored, succession

SLOW: Final = frozenset({
    "agreement-package", "api-bodies", "directory-leaf", "head-verified", "note-more-lines",
    "operation", "policy-verified", "schema-bundle", "schema-growth", "search-question", "split",
    "split-judged", "tlog-proof-verified",
})  # fmt: skip
"""Besides those that say so: what verifies signatures or compares schemas takes milliseconds."""

_ALL: Final[tuple[Target, ...]] = (
    *records.TARGETS,
    *logs.TARGETS,
    *directory.TARGETS,
    *content.TARGETS,
    *files.TARGETS,
    *disk.TARGETS,
    *stored.TARGETS,
    *succession.TARGETS,
    *lines.TARGETS,
)

TARGETS: Final = tuple(
    replace(one, slow=one.slow or one.name in SLOW or one.name.startswith("content-"))
    for one in _ALL
)
