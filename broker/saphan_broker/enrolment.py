"""What an operator is shown of a directory operation before it is admitted: whose roots it brings.

`admit` is where trust in an agency begins at this broker: the words of each new root key are
compared with the agency over another path, not with the file.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from saphan_protocol.operation import check_operation
from saphan_protocol.words import FINGERPRINT_WORDS, fingerprint_words, parse_words
from saphan_schemas.errors import Refused
from saphan_schemas.records import Role


@dataclass(frozen=True, slots=True, kw_only=True)
class Enrolment:
    """An operation that is whole in itself; the directory has not judged it yet.

    Args:
        version: 1 begins an agency.
        threshold: how many of the roots sign from then on.
        roots: key ids of the root keys that it adds, sorted.
    """

    agency: str
    version: int
    threshold: int
    roots: tuple[bytes, ...]

    @property
    def words(self) -> tuple[str, ...]:
        """The fingerprint of each root as 20 words."""
        return tuple(fingerprint_words(root) for root in self.roots)


def read_enrolment(signed: bytes) -> Enrolment:
    """What a SignedOperation says about roots, its own proofs of possession checked.

    Raises:
        InvalidInput: what `operation.check_operation` raises.
    """
    checked = check_operation(signed)
    record = checked.record
    roots = sorted(key_id for key_id, change in checked.added if change.role is Role.ROOT)
    return Enrolment(
        agency=record.agency,
        version=record.version,
        threshold=record.threshold,
        roots=tuple(roots),
    )


def check_fingerprints(enrolment: Enrolment, given: Iterable[str]) -> None:
    """Every root the operation adds was compared, and nothing else was.

    Args:
        given: 20 words for each root, as the agency read them, in any order.

    Raises:
        InvalidInput: `words_malformed`. Refused: `fingerprint_differs`.
    """
    compared = sorted(parse_words(words) for words in given)
    roots = [root[:FINGERPRINT_WORDS] for root in enrolment.roots]
    if compared != roots and set(compared) < set(roots):
        raise Refused(
            "fingerprint_differs",
            f"words of {len(set(compared))} of {enrolment.agency}'s {len(roots)} root keys "
            "were given",
            field="fingerprint",
            hint="compare each root with its holder; give --fingerprint once for each",
        )
    if compared != roots:
        raise Refused(
            "fingerprint_differs",
            f"the words that were given are not those of {enrolment.agency}'s "
            f"{len(enrolment.roots)} root keys in this file",
            field="fingerprint",
            hint="do not admit it: the file is not the agency's, or the words were misheard; "
            "call the agency back on a number that you knew before",
        )
