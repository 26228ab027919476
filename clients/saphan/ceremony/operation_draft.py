"""A drafted operation with the signatures that hold so far, and what it still lacks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from saphan_protocol.directory import Directory
from saphan_protocol.identity import identity
from saphan_protocol.keys import key_id
from saphan_protocol.operation import OPERATION_TYPE
from saphan_schemas.directory_records import Operation, WitnessProof
from saphan_schemas.records import Role, Signature


@dataclass(frozen=True, slots=True, kw_only=True)
class OperationDraft:
    """A drafted operation with the signatures that hold so far.

    Args:
        body: exact bytes that are signed; `operation` is what they say.
        history: the agency's earlier SignedOperations, from the first; `before` replays them.
        keys: possession signatures of new signing keys other than roots.
        witnesses: possession proofs of new witness keys.
        signatures: of roots, old and new, at most one each.
        holders: root's key id to the name of who keeps it: a label that proves nothing.
    """

    body: bytes
    operation: Operation
    history: tuple[bytes, ...]
    before: Directory = field(repr=False, compare=False)
    keys: tuple[Signature, ...] = ()
    witnesses: tuple[WitnessProof, ...] = ()
    signatures: tuple[Signature, ...] = ()
    holders: Mapping[bytes, str] = field(default_factory=dict)

    @property
    def identity(self) -> bytes:
        """What the holders compare as words, 32 bytes."""
        return identity(OPERATION_TYPE, self.body)

    @property
    def present(self) -> dict[bytes, bytes]:
        """Key id to public key of the roots as they are before this operation."""
        roots = self.before.keys(self.operation.agency, Role.ROOT)
        return {root.key_id: root.public for root in roots}

    @property
    def added_roots(self) -> dict[bytes, bytes]:
        """Key id to public key of the roots that this operation adds."""
        changes = (c for c in self.operation.changes if (c.action, c.role) == ("add", Role.ROOT))
        return {key_id(Role.ROOT, change.key): change.key for change in changes}

    @property
    def future(self) -> dict[bytes, bytes]:
        """Key id to public key of the roots as they will be."""
        gone = {change.key for change in self.operation.changes if change.action == "revoke"}
        stay = {name: public for name, public in self.present.items() if name not in gone}
        return stay | self.added_roots

    @property
    def present_threshold(self) -> int:
        """How many present roots sign; 0 before the agency's first operation."""
        return self.before.version(self.operation.agency)[2]

    @property
    def changes_roots(self) -> bool:
        """Whether the roots or their threshold change, so that the new ones have to agree too."""
        same = self.operation.threshold == self.present_threshold
        return not same or self.present.keys() != self.future.keys()

    @property
    def signed(self) -> frozenset[bytes]:
        """Key ids of the roots that have signed."""
        return frozenset(signature.item.key for signature in self.signatures)

    @property
    def tallies(self) -> tuple[tuple[str, int, int], ...]:
        """(whose, have, need): "present" roots, "new" ones, and "added" ones, all of whom prove
        that they hold their keys."""
        signed, counts = self.signed, []
        if self.present:
            counts.append(("present", len(signed & self.present.keys()), self.present_threshold))
        if self.changes_roots:
            counts.append(("new", len(signed & self.future.keys()), self.operation.threshold))
        if added := self.added_roots.keys():
            counts.append(("added", len(signed & added), len(added)))
        return tuple(counts)

    @property
    def complete(self) -> bool:
        """Whether `finish` has all it needs."""
        return all(have >= need for _, have, need in self.tallies)
