"""Messages of a session about paths in a log's tree; `frames` has all the others."""

from __future__ import annotations

from typing import Annotated, Final

from msgspec import Meta

from saphan_schemas.codec import Record
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Digest, HeadRef, Index, Millis

RequestId = Annotated[int, Meta(ge=0, le=2**53)]
Note = Annotated[bytes, Meta(max_length=LIMITS.note_bytes)]

PROOF_HASHES: Final = 2 * LIMITS.proof_items * LIMITS.proof_hashes
"""Of one answer: as many leaves as sizes, no hash shared."""
ProofItems = Meta(max_length=LIMITS.proof_items)
Place = Annotated[int, Meta(ge=0, lt=PROOF_HASHES)]
Places = Annotated[tuple[Place, ...], Meta(max_length=LIMITS.proof_hashes)]


class ShownHead(Record, frozen=True):
    """A signed head that a broker has, where a node has verified something else.

    Args:
        size: leaves that the node has verified.
        path: history path (log.md, section 9) from `size`; empty if the head is not larger.
    """

    note: Note
    size: Index
    path: Annotated[tuple[Digest, ...], Meta(max_length=LIMITS.proof_hashes)]


class AskProofs(Record, frozen=True, tag=28):
    """Node: paths that lead to a head it holds, of either log: of these leaves (inclusion), and
    from these earlier sizes (consistency).

    What the feed brought is proven under the head of that frame, and a node lifts it to a witnessed
    head by itself (`extension.Extension`). It asks where it cannot: for what an older release has
    kept, after a gap, and for a head that somebody else names.

    Args:
        fresh: the note that the log has signed last over that head's tree is wanted too, dated
            not before this time (ms; 0: it is not wanted): an evidence bundle shows until when no
            key was revoked.
    """

    request: RequestId
    head: HeadRef
    indices: Annotated[tuple[Index, ...], ProofItems]
    sizes: Annotated[tuple[Index, ...], ProofItems]
    fresh: Millis = 0


class Proofs(Record, frozen=True, tag=29):
    """Broker's answer to `AskProofs`, in its order. Neighbours share most of their hashes, so each
    hash travels once.

    Args:
        code: why there are none: `head_unknown` (this log never had that head),
            `proof_unknown` (a leaf or size beyond the head).
        hashes: all that any of the paths needs.
        inclusion, consistency: each path as places in `hashes`, from below upwards.
        note: with its witnesses' lines, if it was asked for; empty once the log has grown.
    """

    request: RequestId
    code: str | None
    hashes: Annotated[tuple[Digest, ...], Meta(max_length=PROOF_HASHES)]
    inclusion: Annotated[tuple[Places, ...], ProofItems]
    consistency: Annotated[tuple[Places, ...], ProofItems]
    note: Note = b""
