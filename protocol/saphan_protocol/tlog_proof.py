"""A proof that one leaf is in a log, as a text of its own: C2SP tlog-proof at commit 5ba5ee8.

    c2sp.org/tlog-proof@v1
    extra <base64>              (may be left out; nobody vouches for it)
    index <decimal>
    <base64 of 32 bytes>        (the path, from the leaf's sibling upwards)

    <the checkpoint, as it was signed>

It proves nothing without a policy: whose heads are believed, and how many witnesses it takes
(`tlog_policy`). Steps T1 to T4 are those of `schemas/spec/log.md`.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Final

from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS

from saphan_protocol.checkpoint import MAX_SIZE, Checkpoint
from saphan_protocol.merkle import HASH_BYTES, leaf_hash, verify_inclusion
from saphan_protocol.notes import parse_note, strict_base64
from saphan_protocol.tlog_policy import Policy, verify_policy

FIRST_LINE: Final = b"c2sp.org/tlog-proof@v1"
MAX_BYTES: Final = LIMITS.note_bytes + 16 * 1024
"""A note, a path and an extra line of a few KiB."""

_INDEX: Final = re.compile(rb"index (0|[1-9][0-9]{0,15})")


@dataclass(frozen=True, slots=True)
class TlogProof:
    """What a proof holds; nothing in it is verified.

    Args:
        path: hashes of 32 bytes, from the leaf's sibling to the root's child.
        note: the checkpoint's exact bytes, signature lines and all.
        extra: what the application put beside it; not authenticated.
    """

    index: int
    path: tuple[bytes, ...]
    note: bytes
    extra: bytes | None = None


def format_proof(proof: TlogProof) -> bytes:
    """The text of a proof; what comes out is what `parse_proof` takes.

    Raises:
        InvalidInput: what `parse_proof` raises.
    """
    lines = [FIRST_LINE]
    if proof.extra is not None:
        lines.append(b"extra " + base64.b64encode(proof.extra))
    lines.append(b"index %d" % proof.index)
    lines += [base64.b64encode(part) for part in proof.path]
    data = b"\n".join(lines) + b"\n\n" + proof.note
    if parse_proof(data) != proof:
        raise _malformed("it does not come out as it went in")
    return data


def parse_proof(data: bytes) -> TlogProof:
    """A proof from its text, in its one spelling (T1).

    Raises:
        InvalidInput: `too_large`, `tlog_proof_malformed`, and of the note `note_*`.
    """
    if len(data) > MAX_BYTES:
        raise InvalidInput(
            "too_large",
            f"the proof has {len(data)} bytes, at most {MAX_BYTES} are taken",
            field="proof",
        )
    head, gap, note = data.partition(b"\n\n")
    lines = head.split(b"\n")
    if not gap or lines.pop(0) != FIRST_LINE:
        raise _malformed(f"it does not begin with {FIRST_LINE.decode()}")
    extra = None
    if lines and lines[0].startswith(b"extra "):
        extra = _base64(lines.pop(0).removeprefix(b"extra "))
    found = _INDEX.fullmatch(lines.pop(0)) if lines else None
    if found is None or int(found[1]) >= MAX_SIZE:
        raise _malformed("a plain decimal index below 2**53 stands before the path")
    if len(lines) > LIMITS.proof_hashes:
        raise _malformed(f"the path has {len(lines)} hashes, at most {LIMITS.proof_hashes}")
    path = tuple(_base64(line) for line in lines)
    if any(len(part) != HASH_BYTES for part in path):
        raise _malformed("a hash of the path does not have 32 bytes")
    parse_note(note)
    return TlogProof(int(found[1]), path, note, extra)


def verify_proof(proof: TlogProof, leaf: bytes, policy: Policy) -> Checkpoint:
    """The head, believed by the policy, under which `leaf` stands at the proof's index (T2 to T4).

    Args:
        leaf: the exact bytes that were logged, not their hash.

    Raises:
        InvalidInput: what `verify_policy` raises; `proof_inclusion`.
    """
    head = verify_policy(proof.note, policy)
    verify_inclusion(proof.index, head.size, leaf_hash(leaf), proof.path, head.root)
    return head


def _base64(text: bytes) -> bytes:
    try:
        plain = text.decode("ascii")
    except UnicodeDecodeError:
        raise _malformed("a line is not in base64") from None
    found = strict_base64(plain, "tlog_proof_malformed", "proof")
    if not found:
        raise _malformed("a line holds nothing")
    return found


def _malformed(why: str) -> InvalidInput:
    return InvalidInput(
        "tlog_proof_malformed",
        f"this is no C2SP tlog-proof: {why}",
        field="proof",
        hint="`saphan evidence proof` writes them",
    )
