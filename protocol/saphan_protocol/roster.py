"""The roster: every agency's keys by its own operations, in the order of the directory log.

Validity goes by log order, not by clocks: a key is active at directory size `n` when it was added
below `n` and not revoked below `n`. Every lookup takes `at`, the size that an anchor names; None
means "now": everything replayed so far, and what was bound by another way than the log.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from saphan_schemas.directory_records import Change
from saphan_schemas.errors import Refused
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Role

from saphan_protocol.agreement import RootLookup
from saphan_protocol.identity import identity
from saphan_protocol.keys import VerifyingKey
from saphan_protocol.operation import (
    OPERATION_TYPE,
    Checked,
    check_operation,
    count_signers,
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


class Roster:
    """Agencies and their keys, as operations have made them."""

    def __init__(self) -> None:
        self.size = 0
        """Directory leaves replayed."""
        self._agencies: dict[str, _Agency] = {}
        self._keys: dict[bytes, KeyInfo] = {}
        self._halves: set[bytes] = set()
        self._verifying: dict[bytes, VerifyingKey] = {}
        self._bound: set[tuple[str, bytes]] = set()
        """(agency, key id) that an agency has revoked by another way than the log: this counts for
        now. A key may be enrolled later here: the broker may hold both leaves back, then show one.
        """

    # --- operations -------------------------------------------------------------------------------

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
                hint="make the operation again on the newest state of the directory"
                if record.version <= agency.version + 1
                # Made and kept by a command that was cut off, or that could not say so.
                else f"hand in operation {agency.version + 1} first, from the agency's folder: "
                "saphan keys submit FILE",
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

    # --- by another way than the log --------------------------------------------------------------

    def bind(self, signed: bytes, at: int | None = None) -> tuple[bytes, ...]:
        """Heed the revocations of an operation that the log does not show (yet), from now on.

        They bind questions about now (`at=None`), never about the past: evidence goes by the log.

        Args:
            at: directory size when it was brought, if that was before: whose roots must have
                signed it; None: now.

        Returns:
            Ids of the keys that count as revoked from here on.

        Raises:
            InvalidInput: as `operation.check_operation`, `signature_invalid`.
            Refused: `agency_unknown`, `operation_threshold`, `revokes_nothing`.
        """
        checked = check_operation(signed)
        record = checked.record
        known = self._agencies.get(record.agency)
        if known is None:
            raise Refused(
                "agency_unknown",
                f"{record.agency} is not enrolled in the directory",
                field="operation.agency",
            )
        roots = self._root_keys(record.agency, self.size if at is None else at)
        have = count_signers(checked.signed.roots, roots, checked.body, OPERATION_TYPE)
        require_threshold(have, self._threshold_at(record.agency, at), "present")
        news = tuple(
            change.key
            for change in record.changes
            if change.action == "revoke" and not self._is_gone(record.agency, change.key)
        )
        if not news:
            raise Refused(
                "revokes_nothing",
                f"the operation revokes no key of {record.agency} that is active here",
                field="operation.changes",
                hint="it is known here already, or it is no revocation: see saphan words FILE",
            )
        self._bound.update((record.agency, key) for key in news)
        return news

    def _is_gone(self, agency: str, key: bytes) -> bool:
        info = self._keys.get(key)
        foreign = info is not None and info.agency != agency
        logged = info is not None and info.revoked is not None
        return foreign or logged or (agency, key) in self._bound

    def is_bound(self, key_id: bytes) -> bool:
        """Whether the key was revoked by another way, and the log does not show it yet."""
        known = self._keys.get(key_id)
        return known is not None and known.revoked is None and (known.agency, key_id) in self._bound

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
        if not info.active(size) or (at is None and (info.agency, key_id) in self._bound):
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
        infos = [self._keys[name] for name in known.keys] if known else []
        if at is None and self._bound:
            infos = [info for info in infos if (agency, info.key_id) not in self._bound]
        return sorted(
            (k for k in infos if k.role is role and k.active(size)), key=lambda k: k.added
        )

    def all_keys(self, agency: str) -> list[KeyInfo]:
        """Every key the agency ever enrolled, active and revoked, oldest first."""
        known = self._agencies.get(agency)
        return sorted((self._keys[k] for k in known.keys) if known else (), key=lambda k: k.added)

    def mailbox(
        self, agency: str, now: int, expires: int | None = None, at: int | None = None
    ) -> KeyInfo:
        """The mailbox key to seal to: of those that may still be sealed to and open until the
        bulletin expires, the one that is destroyed first. Keys enrolled ahead so follow each other.

        Args:
            expires: delivery deadline, ms; None: what is sealed is opened at once.

        Raises:
            Refused: `mailbox_missing`, `mailbox_ends_first` (none opens long enough).
        """
        usable = [
            (key.seal_until, key.open_until, key.added, key)
            for key in self.keys(agency, Role.MAILBOX, at)
            if key.seal_until is not None and key.open_until is not None and now <= key.seal_until
        ]
        if not usable:
            raise Refused(
                "mailbox_missing",
                f"{agency} has no mailbox key to seal to",
                hint=f"{agency} must enrol mailbox keys: saphan keys rotate mailbox",
            )
        lasting = [one for one in usable if expires is None or one[1] >= expires]
        if not lasting:
            raise Refused(
                "mailbox_ends_first",
                f"every mailbox key of {agency} is destroyed before the bulletin expires",
                field="header.expires",
                hint="choose an earlier deadline, or wait for the agency's next mailbox keys",
            )
        return min(lasting, key=lambda one: one[:3])[3]

    def agencies(self) -> list[str]:
        """Names of all enrolled agencies, sorted."""
        return sorted(self._agencies)

    def version(self, agency: str) -> tuple[int, bytes | None, int]:
        """(version, identity, threshold) of the newest operation; (0, None, 0) before any."""
        known = self._agencies.get(agency)
        return (known.version, known.last, known.threshold) if known else (0, None, 0)

    def has_node(self) -> bool:
        """Whether any node key is active (the signer waits for a node only if there is one)."""
        return any(k.role is Role.NODE and k.revoked is None for k in self._keys.values())

    def _order_key(self, key_id: bytes, agency: str, at: int | None) -> VerifyingKey | None:
        try:
            info = self.key(key_id, Role.ORDER, at)
        except Refused:
            return None
        return self.verifying(key_id) if info.agency == agency else None

    def _root_keys(self, agency: str, at: int | None) -> dict[bytes, VerifyingKey]:
        return {key.key_id: self.verifying(key.key_id) for key in self.keys(agency, Role.ROOT, at)}

    def _root_at(self, at: int) -> RootLookup:
        def look(key_id: bytes) -> tuple[str, VerifyingKey] | None:
            info = self._keys.get(key_id)
            if info is None or info.role is not Role.ROOT or not info.active(at):
                return None
            return info.agency, self.verifying(key_id)

        return look

    def _threshold_at(self, agency: str, at: int | None) -> int:
        """How many roots had to sign for an agency at size `at`, at which it was enrolled."""
        found = self._agencies[agency].thresholds
        return [need for leaf, need in found if at is None or leaf < at][-1]

    @staticmethod
    def _is_root(key: KeyInfo) -> bool:
        return key.role is Role.ROOT and key.revoked is None


def _halves(change: Change) -> set[bytes]:
    """A key's two halves, whatever its role: neither may ever be enrolled again (specs.md 1.4)."""
    cut = 32 if change.role is Role.WITNESS else len(change.key) - 32
    return {change.key[:cut], change.key[cut:]}
