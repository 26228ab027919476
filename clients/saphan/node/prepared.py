"""A bulletin between its signature and its seal, and what comes of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from saphan_schemas.errors import Refused, SaphanError
from saphan_schemas.records import Blobs, Signature

from saphan.compose import Draft
from saphan.node.files.uploads import KEEPER
from saphan.node.repeats import Repeat

Outcome = bytes | SaphanError
"""A bulletin id, or why there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Presealed:
    """A content key that was drawn before, with the attachments that are sealed under it.

    `folder`: of their files, which stay there. `signed`: who has signed second, sealed; it is
    written with the bulletin.
    """

    content_key: bytes = field(repr=False)
    folder: Path
    blobs: Blobs
    signed: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A composed and signed bulletin, ready to be sealed."""

    draft: Draft
    author: str | None
    inner: bytes
    signatures: tuple[Signature, ...]
    presealed: Presealed | None = None
    owner: str = KEEPER
    """Whose uploads it takes."""
    repeat: Repeat | None = None
    """The request that it answers, if that may come again."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """It is kept, and leaves when a second officer has signed; `draft`: its header's identity.

    `new`: it was put down just now; who asks again is told the same, and nobody else is.
    """

    draft: bytes
    new: bool = field(default=False, compare=False)


def countersign_needed() -> Refused:
    """One pair of eyes is not enough for everything."""
    return Refused(
        "countersign_needed",
        "bulletins of this kind leave with the signatures of two officers only",
        field="signatures",
        hint="an officer writes and signs it, another one signs second: saphan countersign",
    )
