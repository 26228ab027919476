"""The directory: replay of the directory log; there is no other source of keys (design section 5).

Validity goes by log order, not by clocks: a key is active at directory size `n` when it was added
below `n` and not revoked below `n`. Every lookup takes `at`, the size that an anchor names; None
means "now", with everything replayed so far. One object therefore answers for every point of the
past, and broker, node and auditor use the same one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from saphan_schemas.codec import decode, encode
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Change, LeafType, Role, SignedAgreement, Types

from saphan_protocol.agreement import Agreed, RootLookup, agreement_commitment, check_agreement
from saphan_protocol.identity import identity
from saphan_protocol.keys import VerifyingKey
from saphan_protocol.operation import (
    OPERATION_TYPE,
    Checked,
    check_operation,
    count_signers,
    parse_agreement_package,
    require_threshold,
)


@dataclass(frozen=True, slots=True)
class KeyInfo:
    """One enrolled key; `added` and `revoked` are directory leaf indices."""

    agency: str
    role: Role
    key_id: bytes
    public: bytes
    handle: str | None
    seal_until: int | None
    open_until: int | None
    added: int
    revoked: int | None = None

    def active(self, at: int) -> bool:
        """Whether the key counts at directory size `at`."""
        return self.added < at and (self.revoked is None or self.revoked >= at)


@dataclass(slots=True)
class _Agency:
    version: int = 0
    last: bytes | None = None
    threshold: int = 0
    thresholds: list[tuple[int, int]] = field(default_factory=list)
    """(directory leaf, threshold) of each operation, for what is judged by its place in the log."""
    keys: list[bytes] = field(default_factory=list)


def operation_leaf(signed: bytes) -> bytes:
    """Directory leaf that holds a SignedOperation."""
    return bytes((LeafType.OPERATION,)) + signed


def agreement_leaf(salt: bytes, text: bytes) -> bytes:
    """Directory leaf that commits to an agreement, with nothing in clear."""
    return bytes((LeafType.AGREEMENT,)) + agreement_commitment(salt, text)


def types_leaf(types: Types) -> bytes:
    """Directory leaf that registers Saphan's own schemas."""
    return bytes((LeafType.TYPES,)) + encode(types)


class Directory:
    """Everything the directory log says so far. `apply` is atomic: it refuses or takes a leaf."""

    def __init__(self) -> None:
        self.size = 0
        self._agencies: dict[str, _Agency] = {}
        self._keys: dict[bytes, KeyInfo] = {}
        self._halves: set[bytes] = set()
        self._verifying: dict[bytes, VerifyingKey] = {}
        self._types: dict[str, tuple[bytes, int]] = {}
        self._commitments: dict[bytes, int] = {}
        self._agreed: dict[bytes, Agreed] = {}

    # --- replay -----------------------------------------------------------------------------------

    def apply(self, leaf: bytes, known_types: dict[str, bytes] | None = None) -> None:
        """Take the next leaf, at index `size`.

        Args:
            known_types: name to digest of the schemas this program has; another digest refuses.

        Raises:
            InvalidInput: the leaf is malformed; Refused: its signatures or order do not allow it.
        """
        kind, body = leaf[:1], leaf[1:]
        if kind == bytes((LeafType.OPERATION,)):
            self._take(*self._judge(check_operation(body)))
        elif kind == bytes((LeafType.AGREEMENT,)) and len(body) == 32:
            if body in self._commitments:
                raise Refused("agreement_known", "this agreement is in the directory already")
            self._commitments[body] = self.size
        elif kind == bytes((LeafType.TYPES,)):
            self._register(decode(Types, body, LIMITS.leaf_bytes, "types"), known_types or {})
        else:
            raise InvalidInput("leaf_malformed", "a directory leaf does not parse", field="leaf")
        self.size += 1

    def check_operation(self, signed: bytes) -> Checked:
        """Judge an operation as the next one, without taking it (the broker, before it logs)."""
        checked = check_operation(signed)
        self._judge(checked)
        return checked

    def _judge(self, checked: Checked) -> tuple[Checked, _Agency, list[KeyInfo]]:
        """Steps 5 to 8: version, chain, keys known and unknown, thresholds old and new."""
        record = checked.record
        agency = self._agencies.get(record.agency, _Agency())
        self._check_chain(record.agency, agency, checked)
        keys = self._changed_keys(agency, checked)
        old = {k: self.verifying(k) for k in agency.keys if self._is_root(self._keys[k])}
        new = {
            k.key_id: self._verifying.get(k.key_id) or VerifyingKey(Role.ROOT, k.public)
            for k in keys
            if k.role is Role.ROOT and k.revoked is None
        }
        if len(new) < record.threshold or len(new) > LIMITS.roots:
            raise Refused(
                "operation_threshold",
                f"{record.threshold} of {len(new)} roots cannot be a threshold",
                field="operation.threshold",
            )
        signed, body = checked.signed, checked.body
        if agency.version:
            have = count_signers(signed.roots, old, body, OPERATION_TYPE)
            require_threshold(have, agency.threshold, "present")
        if set(new) != set(old) or record.threshold != agency.threshold:
            have = count_signers(signed.roots, new, body, OPERATION_TYPE)
            require_threshold(have, record.threshold, "new")
        return checked, agency, keys

    def _check_chain(self, name: str, agency: _Agency, checked: Checked) -> None:
        record = checked.record
        if record.version == 1 and agency.version:
            raise Refused(
                "agency_exists",
                f"{name} is enrolled already; another root cannot claim its name",
                field="operation.agency",
            )
        if record.version != agency.version + 1 or record.previous != agency.last:
            raise Refused(
                "operation_chain",
                f"{name}: operation {record.version} does not follow operation {agency.version}",
                field="operation.version",
                hint="make the operation again on the newest state of the directory",
            )
        if not agency.version and len(self._agencies) >= LIMITS.agencies:
            raise Refused("agencies_full", f"the directory holds {LIMITS.agencies} agencies")

    def _changed_keys(self, agency: _Agency, checked: Checked) -> list[KeyInfo]:
        """The agency's keys as they stand after the operation; revoked ones carry this index."""
        record = checked.record
        keys = {name: self._keys[name] for name in agency.keys}
        for change in record.changes:
            if change.action != "revoke":
                continue
            held = keys.get(change.key)
            if held is None or held.role is not change.role or held.revoked is not None:
                raise Refused(
                    "key_unknown",
                    f"{record.agency} has no active {change.role} key {change.key.hex()[:16]}",
                    field="operation.changes",
                )
            keys[change.key] = replace(held, revoked=self.size)
        fresh: set[bytes] = set()
        for name, change in checked.added:
            halves = _halves(change)
            known = not halves.isdisjoint(self._halves) or not halves.isdisjoint(fresh)
            fresh |= halves
            if known:
                raise Refused(
                    "key_duplicate",
                    "this key, or a half of it, was enrolled before; keys are made fresh",
                    field="operation.changes",
                )
            keys[name] = KeyInfo(
                record.agency,
                change.role,
                name,
                change.key,
                change.handle,
                change.seal_until,
                change.open_until,
                self.size,
            )
        if sum(key.revoked is None for key in keys.values()) > LIMITS.keys_per_agency:
            raise Refused("keys_full", f"an agency has at most {LIMITS.keys_per_agency} keys")
        return list(keys.values())

    def _take(self, checked: Checked, agency: _Agency, keys: list[KeyInfo]) -> None:
        record = checked.record
        for key in keys:
            self._keys[key.key_id] = key
        for _, change in checked.added:
            self._halves |= _halves(change)
        agency.keys = [key.key_id for key in keys]
        agency.version, agency.threshold = record.version, record.threshold
        agency.thresholds.append((self.size, record.threshold))
        agency.last = identity(OPERATION_TYPE, checked.body)
        self._agencies[record.agency] = agency

    def _register(self, types: Types, known: dict[str, bytes]) -> None:
        if len({entry.name for entry in types.types}) != len(types.types):
            raise InvalidInput("leaf_malformed", "a schema is registered twice", field="types")
        for entry in types.types:
            for digest in (known.get(entry.name), self._types.get(entry.name, (None, 0))[0]):
                if digest is not None and digest != entry.digest:
                    raise Refused(
                        "schema_digest",
                        f"{entry.name} is registered with another digest than this program has",
                        field="types",
                        hint="upgrade Saphan here, or ask the operator which version runs",
                    )
        for entry in types.types:
            self._types.setdefault(entry.name, (entry.digest, self.size))

    # --- agreements -------------------------------------------------------------------------------

    def check_package(self, package: bytes) -> Agreed:
        """Judge a finished agreement against the directory, without taking it.

        Raises:
            InvalidInput, Refused: as `agreement.check_agreement`.
        """
        return self._check_package(parse_agreement_package(package), self.size)

    def add_agreement(self, package: bytes) -> Agreed:
        """Make a logged agreement usable: the text whose commitment stands in the log.

        Raises:
            Refused: `agreement_unlogged` when no leaf commits to it; else as `check_package`.
        """
        signed = parse_agreement_package(package)
        commitment = agreement_commitment(signed.salt, signed.agreement)
        index = self._commitments.get(commitment)
        if index is None:
            raise Refused("agreement_unlogged", "no directory leaf commits to this agreement")
        # Judged by the roots of its own place in the log: a root may have changed since.
        agreed = replace(self._check_package(signed, index), index=index)
        self._agreed[agreed.commitment] = agreed
        return agreed

    def _check_package(self, signed: SignedAgreement, at: int) -> Agreed:
        return check_agreement(signed, self._root_at(at), lambda name: self._threshold_at(name, at))

    def agreements(self, sender: str, recipient: str, at: int | None = None) -> Iterator[Agreed]:
        """Usable agreements with a rule for this corridor, logged below `at`."""
        size = self.size if at is None else at
        for agreed in self._agreed.values():
            if (
                agreed.index is not None
                and agreed.index < size
                and (sender, recipient) in agreed.rules
            ):
                yield agreed

    def agreements_of(self, agency: str) -> Iterator[Agreed]:
        """Every usable agreement to which `agency` is a party."""
        for agreed in self._agreed.values():
            if any(party.agency == agency for party in agreed.text.parties):
                yield agreed

    # --- lookups ----------------------------------------------------------------------------------

    def key(self, key_id: bytes, role: Role, at: int | None = None) -> KeyInfo:
        """The key, if it is enrolled in this role and active at directory size `at`.

        Raises:
            Refused: `key_unknown`, `key_role`, `key_revoked`.
        """
        size = self.size if at is None else at
        info = self._keys.get(key_id)
        if info is None or info.added >= size:
            raise Refused("key_unknown", f"no enrolled key has the id {key_id.hex()[:16]}")
        if info.role is not role:
            raise Refused("key_role", f"key {key_id.hex()[:16]} is a {info.role} key, not {role}")
        if not info.active(size):
            raise Refused(
                "key_revoked", f"key {key_id.hex()[:16]} of {info.agency} was revoked before this"
            )
        return info

    def find(self, key_id: bytes) -> KeyInfo | None:
        """The key whatever its state, for people who read reports."""
        return self._keys.get(key_id)

    def verifying(self, key_id: bytes) -> VerifyingKey:
        """The loaded public key of an enrolled signing key; judge it with `key` first."""
        loaded = self._verifying.get(key_id)
        if loaded is None:
            info = self._keys[key_id]
            loaded = self._verifying[key_id] = VerifyingKey(info.role, info.public)
        return loaded

    def keys(self, agency: str, role: Role, at: int | None = None) -> list[KeyInfo]:
        """Active keys of an agency in one role, oldest first."""
        size = self.size if at is None else at
        known = self._agencies.get(agency)
        infos = (self._keys[name] for name in known.keys) if known else iter(())
        return sorted(
            (k for k in infos if k.role is role and k.active(size)), key=lambda k: k.added
        )

    def all_keys(self, agency: str) -> list[KeyInfo]:
        """Every key the agency ever enrolled, active and revoked, oldest first."""
        known = self._agencies.get(agency)
        return sorted((self._keys[k] for k in known.keys) if known else (), key=lambda k: k.added)

    def mailbox(self, agency: str, now: int, at: int | None = None) -> KeyInfo:
        """The mailbox key to seal to: active, not past `seal_until`, the newest.

        Raises:
            Refused: `mailbox_missing`.
        """
        usable = [
            key
            for key in self.keys(agency, Role.MAILBOX, at)
            if key.seal_until is not None and now <= key.seal_until
        ]
        if not usable:
            raise Refused(
                "mailbox_missing",
                f"{agency} has no mailbox key to seal to",
                hint=f"{agency} must enrol a mailbox key",
            )
        return usable[-1]

    def agencies(self) -> list[str]:
        """Names of all enrolled agencies, sorted."""
        return sorted(self._agencies)

    def version(self, agency: str) -> tuple[int, bytes | None, int]:
        """(version, identity, threshold) of the newest operation; (0, None, 0) before any."""
        known = self._agencies.get(agency)
        return (known.version, known.last, known.threshold) if known else (0, None, 0)

    def schema_digest(self, name: str, at: int | None = None) -> bytes:
        """Digest of a registered schema.

        Raises:
            Refused: `schema_unregistered`.
        """
        size = self.size if at is None else at
        digest, index = self._types.get(name, (b"", size))
        if index >= size:
            raise Refused("schema_unregistered", f"{name} is not registered in the directory")
        return digest

    def has_node(self) -> bool:
        """Whether any node key is active (the signer waits for a node only if there is one)."""
        return any(k.role is Role.NODE and k.revoked is None for k in self._keys.values())

    def _root_at(self, at: int) -> RootLookup:
        def look(key_id: bytes) -> tuple[str, VerifyingKey] | None:
            info = self._keys.get(key_id)
            if info is None or info.role is not Role.ROOT or not info.active(at):
                return None
            return info.agency, self.verifying(key_id)

        return look

    def _threshold_at(self, agency: str, at: int) -> int:
        """How many roots had to sign for an agency at size `at`, at which it was enrolled."""
        return [need for leaf, need in self._agencies[agency].thresholds if leaf < at][-1]

    @staticmethod
    def _is_root(key: KeyInfo) -> bool:
        return key.role is Role.ROOT and key.revoked is None


def _halves(change: Change) -> set[bytes]:
    """A key's two halves, whatever its role: neither may ever be enrolled again (specs.md 1.4)."""
    cut = 32 if change.role is Role.WITNESS else len(change.key) - 32
    return {change.key[:cut], change.key[cut:]}
