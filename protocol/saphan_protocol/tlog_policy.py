"""Which logs and which witnesses are believed, as a text: C2SP tlog-policy at commit 5ba5ee8.

    log <vkey> [<url>]
    witness <name> <vkey> [<url>]
    group <name> all|any|<k> <name>...
    quorum <name>|none

A head is believed if any one of the logs signed it and the quorum has cosigned it. Saphan itself
wants more: both of a log's lines (`checkpoint.verify_head`). The text lets anybody else's tool
check a Saphan proof; here it is read as strictly as it is written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS

from saphan_protocol.checkpoint import Checkpoint, cosigned_message, parse_checkpoint
from saphan_protocol.notes import (
    KeyType,
    VerifierKey,
    format_vkey,
    parse_note,
    parse_vkey,
    verify_note,
)

NONE: Final = "none"
_ALLOWED: Final = re.compile(rb"[\t\n\x20-\x7e\x80-\xff]*")
_COUNT: Final = re.compile(r"[1-9][0-9]{0,3}", re.ASCII)
_OF_LOGS: Final = (KeyType.ED25519, KeyType.COSIGNATURE_MLDSA44)
_OF_WITNESSES: Final = (KeyType.COSIGNATURE_ED25519, KeyType.COSIGNATURE_MLDSA44)


@dataclass(frozen=True, slots=True)
class Group:
    """At least `least` of the members, witnesses or other groups, have cosigned."""

    least: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """Logs and witnesses by their keys; names are of this policy only.

    Args:
        quorum: name of a witness or a group; None: no cosignature is needed.
    """

    logs: tuple[VerifierKey, ...] = ()
    witnesses: Mapping[str, VerifierKey] = field(default_factory=dict)
    groups: Mapping[str, Group] = field(default_factory=dict)
    quorum: str | None = None


def agencies_policy(
    logs: tuple[VerifierKey, ...],
    agencies: Mapping[str, tuple[VerifierKey, VerifierKey]],
    quorum: int,
) -> Policy:
    """The policy that `quorum` of these agencies have cosigned, each with both of its keys.

    Args:
        agencies: name to keys of types 04 and 06; 0 <= quorum <= their number.

    Raises:
        InvalidInput: `policy_malformed`.
    """
    witnesses: dict[str, VerifierKey] = {}
    groups: dict[str, Group] = {}
    for name in sorted(agencies):
        halves = dict(zip((f"{name}/ed25519", f"{name}/ml-dsa-44"), agencies[name], strict=True))
        witnesses |= halves
        groups[name] = Group(2, tuple(halves))
    if not quorum:
        return Policy(logs, witnesses, groups)
    if quorum > len(agencies):
        raise _malformed(f"{quorum} witnesses are wanted, and {len(agencies)} are known")
    groups["witnesses"] = Group(quorum, tuple(sorted(agencies)))
    return Policy(logs, witnesses, groups, "witnesses")


def format_policy(policy: Policy) -> bytes:
    """The text of a policy; what comes out is what `parse_policy` takes.

    Raises:
        InvalidInput: what `parse_policy` raises.
    """
    lines = [f"log {format_vkey(key)}" for key in policy.logs]
    lines += [f"witness {name} {format_vkey(key)}" for name, key in policy.witnesses.items()]
    for name, group in policy.groups.items():
        lines.append(f"group {name} {group.least} {' '.join(group.members)}")
    lines.append(f"quorum {NONE if policy.quorum is None else policy.quorum}")
    data = "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape")
    if parse_policy(data) != policy:
        raise _malformed("a name in it cannot be written")
    return data


def parse_policy(data: bytes) -> Policy:
    """A policy from its text.

    Raises:
        InvalidInput: `too_large`, `policy_malformed`, and of keys `vkey_*`.
    """
    if len(data) > LIMITS.policy_bytes:
        raise InvalidInput(
            "too_large",
            f"the policy has {len(data)} bytes, at most {LIMITS.policy_bytes} are taken",
            field="policy",
        )
    if not _ALLOWED.fullmatch(data) or (data and not data.endswith(b"\n")):
        raise _malformed("a control character, or a last line without its line feed")
    reading = _Reading()
    for number, row in enumerate(data.split(b"\n"), 1):
        # Names are octets: what is no UTF-8 stays what it is.
        items = [part.decode("utf-8", "surrogateescape") for part in row.split()]
        if items and not items[0].startswith("#"):
            reading.take(number, items)
    return reading.finish()


def verify_policy(note: bytes, policy: Policy) -> Checkpoint:
    """What a signed head says, if the policy believes it (T2, T3).

    Raises:
        InvalidInput: `note_*`, `head_*`; `head_signature`: no listed log signed it;
            `quorum_missing`: too few witnesses cosigned it.
    """
    parsed = parse_note(note)
    checkpoint = parse_checkpoint(parsed.text)
    logs = [key for key in policy.logs if key.name == checkpoint.origin]
    keys = [*logs, *policy.witnesses.values()]
    message = cosigned_message(parsed.text, checkpoint)
    signed = {line.key for line in verify_note(parsed, keys, message)} if keys else set()
    if not signed.intersection(logs):
        raise InvalidInput(
            "head_signature",
            f"no log of the policy has signed this head of {checkpoint.origin}",
            field="head.lines",
        )
    cosigned = {name for name, key in policy.witnesses.items() if key in signed}
    if not satisfied(policy, cosigned):
        raise InvalidInput(
            "quorum_missing",
            f"the policy's quorum has not cosigned this head of {checkpoint.origin}",
            field="head.lines",
        )
    return checkpoint


def satisfied(policy: Policy, cosigned: set[str]) -> bool:
    """Whether these witnesses, by their names in the policy, make its quorum."""
    stands = set(cosigned)
    for name, group in policy.groups.items():  # members are defined before their group
        if len(stands.intersection(group.members)) >= group.least:
            stands.add(name)
    return policy.quorum is None or policy.quorum in stands


class _Reading:
    """A policy's lines, one after the other."""

    def __init__(self) -> None:
        self._logs: dict[bytes, VerifierKey] = {}
        self._witnesses: dict[str, VerifierKey] = {}
        self._keys: set[bytes] = set()
        self._groups: dict[str, Group] = {}
        self._members: set[str] = set()
        self._quorum: list[str] = []
        self._number = 0

    def take(self, number: int, items: list[str]) -> None:
        """One line's items, the first of which says what it is."""
        self._number = number
        match items:
            case ["log", vkey] | ["log", vkey, _]:
                key = self._key(vkey, _OF_LOGS)
                self._need(key.public not in self._logs, "the same log key twice")
                self._logs[key.public] = key
            case ["witness", name, vkey] | ["witness", name, vkey, _]:
                self._new(name)
                key = self._key(vkey, _OF_WITNESSES)
                self._need(key.public not in self._keys, "the same witness key twice")
                self._keys.add(key.public)
                self._witnesses[name] = key
            case ["group", name, least, *members]:
                self._new(name)
                self._groups[name] = self._group(least, tuple(members))
            case ["quorum", name]:
                self._need(not self._quorum, "a second quorum")
                self._need(name == NONE or self._known(name), f"{name} is not defined before it")
                self._quorum.append(name)
            case _:
                self._need(False, "it is none of log, witness, group and quorum")
        count = max(len(self._logs), len(self._witnesses), len(self._groups))
        self._need(count <= LIMITS.policy_items, f"more than {LIMITS.policy_items} of a kind")

    def finish(self) -> Policy:
        """The policy, once there are no more lines."""
        if not self._quorum:
            raise _malformed("it has no quorum line")
        quorum = None if self._quorum == [NONE] else self._quorum[0]
        return Policy(tuple(self._logs.values()), self._witnesses, self._groups, quorum)

    def _group(self, least: str, members: tuple[str, ...]) -> Group:
        for name in members:
            self._need(self._known(name), f"{name} is not defined before it")
            self._need(name not in self._members, f"{name} is a member twice")
            self._members.add(name)
        counted = {"all": len(members), "any": 1}.get(least)
        if counted is None:
            self._need(_COUNT.fullmatch(least) is not None, "its count is no plain decimal")
            counted = int(least)
        self._need(1 <= counted <= len(members), f"{least} of {len(members)} members")
        return Group(counted, members)

    def _key(self, vkey: str, kinds: tuple[KeyType, ...]) -> VerifierKey:
        key = parse_vkey(vkey)
        self._need(key.type in kinds, f"a key of type {key.type:02x} does not sign this")
        return key

    def _new(self, name: str) -> None:
        self._need(name != NONE and not self._known(name), f"the name {name} is taken")

    def _known(self, name: str) -> bool:
        return name in self._witnesses or name in self._groups

    def _need(self, holds: bool, why: str) -> None:
        if not holds:
            raise _malformed(f"line {self._number}: {why}")


def _malformed(why: str) -> InvalidInput:
    return InvalidInput("policy_malformed", f"this is no C2SP tlog-policy: {why}", field="policy")
