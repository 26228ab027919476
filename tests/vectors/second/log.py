"""Heads and paths, from log.md: signed notes, cosignatures, RFC 9162."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey
from mp import refuse
from suite import climb, sha256

Key = tuple[str, int, bytes]
"""Name, type, public key."""
LENGTHS = {1: (32, 64), 4: (32, 72), 6: (1312, 2428)}


def root_of(leaves: list[bytes]) -> bytes:
    """1, over leaf hashes."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256()
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01", root_of(leaves[:k]), root_of(leaves[k:]))


def consistent(old: int, new: int, roots: tuple[bytes, bytes], path: list[bytes]) -> bool:
    """RFC 9162 section 2.1.4.2."""
    if old == new or old == 0:
        return not path and (old == 0 or roots[0] == roots[1])
    if old & (old - 1) == 0:
        path = [roots[0], *path]
    if not path:
        return False
    fn, sn = old - 1, new - 1
    while fn & 1:
        fn, sn = fn >> 1, sn >> 1
    left = right = path[0]
    for step in path[1:]:
        if sn == 0:
            return False
        if fn & 1 or fn == sn:
            left, right = sha256(b"\x01", step, left), sha256(b"\x01", step, right)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            right = sha256(b"\x01", right, step)
        fn, sn = fn >> 1, sn >> 1
    return sn == 0 and (left, right) == roots


def unbase64(text: str, code: str) -> bytes:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        refuse(code)
    return data if base64.b64encode(data).decode() == text else refuse(code)


def read_vkey(text: str) -> Key:
    """4"""
    found = re.fullmatch(r"([^\s+\x00-\x1f\x7f]{1,255})\+([0-9a-f]{8})\+(.+)", text)
    if found is None:
        refuse("vkey_malformed")
    data = unbase64(found[3], "vkey_malformed")
    if not data or data[0] not in LENGTHS:
        refuse("vkey_type")
    if len(data) - 1 != LENGTHS[data[0]][0]:
        refuse("vkey_key")
    if key_id(found[1], data[0], data[1:]).hex() != found[2]:
        refuse("vkey_id")
    return found[1], data[0], data[1:]


def key_id(name: str, kind: int, public: bytes) -> bytes:
    return sha256(name.encode(), b"\n", bytes([kind]), public)[:4]


def read_note(note: bytes) -> tuple[str, list[tuple[str, bytes, bytes]]]:
    """5, N1 to N5: the text; name, id and signature of each line."""
    if len(note) > 262_144:
        refuse("too_large")
    try:
        whole = note.decode()
    except UnicodeDecodeError:
        refuse("note_encoding")
    if re.search(r"[\x00-\x09\x0b-\x1f]", whole):
        refuse("note_encoding")
    text, gap, tail = whole.rpartition("\n\n")
    if not gap or not whole.endswith("\n"):
        refuse("note_malformed")
    rows = tail.split("\n")[:-1]
    if not 1 <= len(rows) <= 128:
        refuse("note_lines")
    found = []
    for row in rows:
        parts = re.fullmatch("\u2014 ([^\\s+]+) (\\S+)", row)
        if parts is None:
            refuse("note_line")
        made = unbase64(parts[2], "note_line")
        if len(made) < 5:
            refuse("note_line")
        found.append((parts[1], made[:4], made[4:]))
    return text + "\n", found


def holds(key: Key, text: str, made: bytes, head: tuple[str, int, bytes]) -> int:
    """N8: the line's time in seconds, 0 for a line of type 01."""
    name, kind, public = key
    if len(made) != LENGTHS[kind][1]:
        refuse("note_signature")
    time = 0 if kind == 1 else int.from_bytes(made[:8], "big")
    if time > 2**63 - 1:
        refuse("note_signature")
    try:
        if kind == 1:
            Ed25519PublicKey.from_public_bytes(public).verify(made, text.encode())
        elif kind == 4:
            message = f"cosignature/v1\ntime {time}\n{text}".encode()
            Ed25519PublicKey.from_public_bytes(public).verify(made[8:], message)
        else:
            origin, size, root = head
            message = b"subtree/v1\n\x00" + bytes([len(name.encode())]) + name.encode() + made[:8]
            message += bytes([len(origin)]) + origin.encode() + bytes(8)
            message += size.to_bytes(8, "big") + root
            MLDSA44PublicKey.from_public_bytes(public).verify(made[8:], message)
    except InvalidSignature:
        refuse("note_signature")
    return time


def read_text(text: str) -> tuple[str, int, bytes]:
    """6, H2."""
    lines = text.split("\n")
    if len(lines) != 4:
        refuse("head_malformed")
    origin, size, root = lines[:3]
    if not re.fullmatch(r"[a-z0-9][a-z0-9./-]{0,120}", origin):
        refuse("head_origin")
    if not re.fullmatch(r"0|[1-9][0-9]{0,15}", size) or int(size) > 2**53:
        refuse("head_size")
    found = unbase64(root, "head_root")
    if len(found) != 32 or (size == "0" and found != sha256()):
        refuse("head_root")
    return origin, int(size), found


def read_head(note: bytes, log: list[Key], witnesses: list[list[Key]]) -> dict[str, Any]:
    """6, H1 to H7, and 7."""
    text, rows = read_note(note)
    origin, size, root = head = read_text(text)
    if origin != log[0][0]:
        refuse("head_origin")
    known = {(key[0], key_id(*key)): key for key in [*log, *(k for w in witnesses for k in w)]}
    times: dict[tuple[str, int], int] = {}
    for name, number, made in rows:
        key = known.get((name, number))
        if key is None:
            continue
        if (name, key[1]) in times:
            refuse("note_duplicate")
        times[name, key[1]] = holds(key, text, made, head)
    if not times:
        refuse("note_unsigned")
    if not {(origin, 1), (origin, 6)} <= set(times):
        refuse("head_signature")
    if times[origin, 6] == 0:
        refuse("head_time")
    signed = [w[0][0] for w in witnesses if {(key[0], key[1]) for key in w} <= set(times)]
    if any(times[name, 4] != times[name, 6] or times[name, 4] == 0 for name in signed):
        refuse("cosignature_time")
    return {"size": size, "root": root.hex(), "time": times[origin, 6], "witnesses": signed}


def read_proofs(proofs: dict[str, Any]) -> int:
    """1: how many paths were checked; every one of the file, and each with its last hash cut."""
    leaves = [bytes.fromhex(leaf) for leaf in proofs["leaf_hashes"]]
    roots = [bytes.fromhex(root) for root in proofs["roots"]]
    if [root_of(leaves[:size]) for size in range(len(roots))] != roots:
        refuse("proof_inclusion")
    for index, size, path in proofs["inclusion"]:
        if climb(index, size, leaves[index], [bytes.fromhex(p) for p in path]) != roots[size]:
            refuse("proof_inclusion")
    for old, new, path in proofs["consistency"]:
        steps = [bytes.fromhex(p) for p in path]
        if not consistent(old, new, (roots[old], roots[new]), steps):
            refuse("proof_consistency")
        if steps and consistent(old, new, (roots[old], roots[new]), steps[:-1]):
            refuse("proof_consistency")
    return len(proofs["inclusion"]) + len(proofs["consistency"])
