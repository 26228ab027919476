"""Destruction, from retention.md and log.md: what leaves open to, what they show with heads."""

from __future__ import annotations

import hmac
from typing import Any

from mp import number, octets, or_nil, read_record, record, refuse, words
from suite import pae, sha256

AGENCY = words(r"[a-z]{2}\.[a-z][a-z0-9-]{0,30}")
ISSUER = words(r"[a-z]{2}\.[a-z][a-z0-9-]{0,30}|broker")
CODE = words(r"[a-z][a-z0-9_]{0,40}")
SEALED = record(octets(32), octets(2160))
ENTRY = (AGENCY, AGENCY, number(1), or_nil(number()), number(), words(r"saphan/[a-z_]{1,32}/1"))
TARGETED = {11: "destroyed", 12: "held", 13: "released"}
NAMES = TARGETED | {
    3: "handover", 4: "unopened", 5: "accepted", 6: "rejected", 7: "read", 8: "recalled",
    9: "expired", 10: "refused", 14: "exported", 17: "unanswered", 18: "erased", 19: "obeyed",
    20: "declined", 21: "hold_asked", 22: "hold_answered",
}  # fmt: skip
SUBMITTED, CONSIGNED, ANCHOR = 1, 2, 15
DAY_S, SKEW_S, GRACE_S = 86_400, 60, 72 * 3600


def parse(leaf: bytes) -> tuple[int, int | None, bytes]:
    """Type, the number in clear, commitment; log.md section 3."""
    kind, rest = leaf[:1], leaf[1:]
    if not kind or kind[0] not in {SUBMITTED, CONSIGNED, ANCHOR, *NAMES}:
        refuse("leaf_malformed")
    wide = 4 if kind[0] == SUBMITTED else 8 if kind[0] in (*TARGETED, ANCHOR) else 0
    if len(rest) != wide + 32:
        refuse("leaf_malformed")
    return kind[0], int.from_bytes(rest[:wide], "big") if wide else None, rest[wide:]


def detail(value: Any) -> bool:
    return value is None or octets(32)(value) or SEALED(value)


def read_leaf(case: dict[str, Any]) -> None:
    """The leaf commits to the entry, the entry to the statement, which has the leaf's target."""
    leaf, entry, salt, said = (
        bytes.fromhex(case[name]) for name in ("leaf", "entry", "salt", "statement")
    )
    kind, clear, bound = parse(leaf)
    if hmac.digest(salt, pae("saphan/entry/1", entry), "sha256") != bound:
        refuse("commitment_differs")
    *_, typed, name = read_record(entry, *ENTRY, octets(32))
    if typed != f"saphan/{NAMES.get(kind)}/1":
        refuse("entry_type")
    if sha256(pae(typed, said)) != name:
        refuse("statement_differs")
    fields = [octets(32), octets(32), ISSUER, number(), or_nil(CODE), detail]
    more = [number()] if kind in TARGETED else []
    read = read_record(said, *fields, *more)
    if kind in TARGETED and read[6] != clear:
        refuse("target_differs")


class Found(Exception):
    """Code and leaf."""


def read_log(case: dict[str, Any]) -> tuple[str, int | None]:
    """Step E6 of audit.md: ("valid", None), or the first thing wrong."""
    try:
        _destruction([bytes.fromhex(leaf) for leaf in case["leaves"]], case["heads"])
    except Found as found:
        code, index = found.args
        return str(code), int(index)
    return "valid", None


def _destruction(leaves: list[bytes], heads: list[list[int]]) -> None:
    due: dict[int, int] = {}
    gone: dict[int, int] = {}
    holds: dict[int, int] = {}
    freed: dict[int, int] = {}
    for index, leaf in enumerate(leaves):
        kind, clear, _ = parse(leaf)
        if kind == SUBMITTED and clear is not None:
            due[index] = clear * DAY_S
        elif kind in TARGETED and clear is not None:
            if clear >= index or clear not in due:
                raise Found("target_malformed", index)
            _step(TARGETED[kind], clear, index, gone, holds)
            if kind == 13 and not holds[clear]:
                freed[clear] = index
        for size, time in heads:
            early = [(due[one], gone[one]) for one in gone if time + 1 + SKEW_S < due[one]]
            if size == index + 1 and early:
                raise Found("destroyed_early", max(early)[1])
    last = heads[-1][1]
    for one, day in due.items():
        if one in gone or holds.get(one):
            continue
        since = day
        if one in freed:
            by = [time + 1 for size, time in heads if size > freed[one]]
            since = max(day, by[0])
        if since + GRACE_S < last:
            raise Found("destruction_missing", one)


def _step(event: str, target: int, index: int, gone: dict[int, int], holds: dict[int, int]) -> None:
    """A5 to A7 of retention.md."""
    if event == "released":
        if not holds.get(target):
            raise Found("released_unheld", index)
        holds[target] -= 1
    elif target in gone:
        raise Found("destroyed_before" if event == "destroyed" else "after_destruction", index)
    elif event == "held":
        holds[target] = holds.get(target, 0) + 1
    elif holds.get(target):
        raise Found("destroyed_held", index)
    else:
        gone[target] = index
