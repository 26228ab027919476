"""A bundle checked by its page alone: MessagePack, SHA-256 and signatures, and nothing of Saphan.

Not a whole verifier: the way from the directory's keys to one proven receipt, and to the text.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path
from typing import Any

import msgpack
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PublicKey, MLDSA65PublicKey

FILE = Path(__file__).resolve().parents[2] / "schemas/vectors/bundle/good.bundle"
TYPES = {
    "saphan/handover/1": 3,
    "saphan/accepted/1": 5,
    "saphan/read/1": 7,
    "saphan/exported/1": 14,
}
LABEL = b"COMPSIG-MLDSA65-Ed25519-SHA512"

Items = list[list[Any]]


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def pae(kind: str, body: bytes) -> bytes:
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode(), len(body), body)


def tree(leaves: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.1, over leaf hashes."""
    if len(leaves) == 1:
        return leaves[0]
    k = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\x01", tree(leaves[:k]), tree(leaves[k:]))


def climb(index: int, size: int, leaf: bytes, path: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.3.2."""
    fn, sn = index, size - 1
    for step in path:
        assert sn > 0
        if fn & 1 or fn == sn:
            leaf = sha256(b"\x01", step, leaf)
            while fn and not fn & 1:
                fn, sn = fn >> 1, sn >> 1
        else:
            leaf = sha256(b"\x01", leaf, step)
        fn, sn = fn >> 1, sn >> 1
    assert sn == 0
    return leaf


@pytest.fixture(scope="module")
def items() -> Items:
    unpacker = msgpack.Unpacker()
    unpacker.feed(FILE.read_bytes())
    return list(unpacker)


def of(items: Items, tag: int) -> Items:
    return [item[1:] for item in items if item[0] == tag]


def heads(items: Items) -> dict[str, tuple[int, bytes]]:
    """Size and root of each log, as the notes say."""
    found = {}
    for log, note, _ in of(items, 2):
        _, size, root = note.split(b"\n\n")[0].split(b"\n")[:3]
        found[log] = int(size), base64.b64decode(root)
    return found


def keys(items: Items) -> dict[bytes, tuple[str, str, bytes]]:
    """Key id to (agency, role, public key): every key that an operation adds."""
    found = {}
    for _, leaves in of(items, 3):
        for leaf in leaves:
            if leaf[0] == 0x21:
                agency, *_, changes = msgpack.unpackb(msgpack.unpackb(leaf[1:])[0])
                for action, role, key, *_ in changes:
                    assert action == "add"
                    found[sha256(role.encode(), b"\x00", key)] = agency, role, key
    return found


def test_tags_rise_and_the_end_counts_them(items: Items) -> None:
    tags = [item[0] for item in items]
    assert tags == sorted(tags)
    assert items[-1][1] == [tags.count(tag) for tag in range(2, 10)]
    assert items[0][1] == "saphan/bundle/1"


def test_the_directory_is_whole(items: Items) -> None:
    leaves = [sha256(b"\x00", leaf) for _, part in of(items, 3) for leaf in part]
    assert (len(leaves), tree(leaves)) == heads(items)["directory"]


def lines(note: bytes) -> tuple[bytes, dict[tuple[str, bytes], bytes]]:
    """log.md 5: the text, and what each key made, by name and key id."""
    text, rows = note.rsplit(b"\n\n", 1)
    found = {}
    for row in rows.decode().splitlines():
        dash, name, tail = row.split(" ")
        data = base64.b64decode(tail, validate=True)
        assert dash == "\u2014"
        found[name, data[:4]] = data[4:]
    return text + b"\n", found


def key_id(name: str, kind: int, public: bytes) -> bytes:
    return sha256(name.encode(), b"\n", bytes([kind]), public)[:4]


def signed_06(name: str, public: bytes, text: bytes, made: bytes) -> int:
    """A line of type 06 holds; its time in seconds."""
    origin, size, root, _ = text.split(b"\n")
    message = b"subtree/v1\n\x00" + bytes([len(name)]) + name.encode() + made[:8]
    message += bytes([len(origin)]) + origin + bytes(8) + int(size).to_bytes(8, "big")
    MLDSA44PublicKey.from_public_bytes(public).verify(made[8:], message + base64.b64decode(root))
    return int.from_bytes(made[:8], "big")


def test_both_heads_are_signed_by_their_logs_and_cosigned_by_the_other_agency(items: Items) -> None:
    head, entries = items[0], of(items, 7)
    pins = {"directory": head[6], "evidence": head[7]}
    known = {agency: public for agency, role, public in keys(items).values() if role == "witness"}
    last = max(msgpack.unpackb(shown[2])[4] for shown, *_ in entries)
    for log, note, consistency in of(items, 2):
        origin, vkeys = pins[log]
        text, made = lines(note)
        assert text.startswith(f"{origin}\n".encode())
        assert consistency == []
        publics = [base64.b64decode(vkey.split("+", 2)[2]) for vkey in vkeys]
        assert [public[0] for public in publics] == [1, 6]
        for public, vkey in zip(publics, vkeys, strict=True):
            assert vkey.split("+")[1] == key_id(origin, public[0], public[1:]).hex()
        plain, timed = (made[origin, key_id(origin, p[0], p[1:])] for p in publics)
        Ed25519PublicKey.from_public_bytes(publics[0][1:]).verify(plain, text)
        time = signed_06(origin, publics[1][1:], text, timed)
        assert (time + 60) * 1000 >= last
        public = known["kh.gpo"]
        first = made["kh.gpo", key_id("kh.gpo", 4, public[:32])]
        second = made["kh.gpo", key_id("kh.gpo", 6, public[32:])]
        seen = signed_06("kh.gpo", public[32:], text, second)
        message = b"cosignature/v1\ntime %d\n" % seen + text
        Ed25519PublicKey.from_public_bytes(public[:32]).verify(first[8:], message)
        assert first[:8] == second[:8]
        assert seen >= (last - 60_000) // 1000


def test_anchors_name_the_directory_and_one_lies_before_each_entry(items: Items) -> None:
    leaves = [sha256(b"\x00", leaf) for _, part in of(items, 3) for leaf in part]
    anchors = of(items, 5)
    for _, size, root, _, _ in anchors:
        assert tree(leaves[:size]) == root
    assert all(anchors[0][0] < shown[1] for shown, *_ in of(items, 7))


def test_the_corridor_has_no_hole(items: Items) -> None:
    last: dict[tuple[str, str], tuple[int, int | None]] = {}
    for shown, *_ in of(items, 7):
        sender, recipient, number, previous, *_ = msgpack.unpackb(shown[2])
        assert (number - 1, previous) == last.get((sender, recipient), (0, None))
        last[sender, recipient] = number, shown[1]


def test_anchors_and_entries_are_in_the_log(items: Items) -> None:
    size, root = heads(items)["evidence"]
    for index, of_size, of_root, head, path in of(items, 5):
        leaf = b"\x0f" + of_size.to_bytes(8, "big") + of_root
        assert head == size
        assert climb(index, size, sha256(b"\x00", leaf), path) == root
    for shown, head, path in of(items, 7):
        _, index, entry, salt, statement, _, header, *_ = shown
        kind, identity = msgpack.unpackb(entry)[5:]
        assert identity == sha256(pae(kind, statement))
        assert head == size
        leaf = clear(kind, header) + hmac.digest(salt, pae("saphan/entry/1", entry), "sha256")
        assert climb(index, size, sha256(b"\x00", leaf), path) == root


def clear(kind: str, header: bytes | None) -> bytes:
    """Type and clear fields of a leaf: a first admission shows its due-day."""
    if header is None:
        return bytes([TYPES[kind]])
    expires, _, retain_until = msgpack.unpackb(header)[10:]
    due = min(retain_until, expires // 86_400_000 + 30)
    return b"\x01" + int(due).to_bytes(4, "big")


def test_every_receipt_is_signed_by_a_key_of_its_agency(items: Items) -> None:
    known = keys(items)
    signatures = {(key, size, root): made for ((key, size, root, made),) in of(items, 6)}
    issuers = []
    for shown, *_ in of(items, 7):
        _, _, entry, _, statement, item, *_ = shown
        sender, _, _, _, _, kind, _ = msgpack.unpackb(entry)
        key, size, index, path, salt = item
        root = climb(index, size, sha256(b"\x00", salt, pae(kind, statement)), path)
        agency, role, public = known[key]
        check(public, role, size, root, signatures[key, size, root])
        said = msgpack.unpackb(statement)
        assert agency == (sender if kind == "saphan/consignment/1" else said[2])
        issuers.append((kind.split("/")[1], agency, role))
    assert issuers == [
        ("consignment", "la.ospp", "node"),
        ("handover", "kh.gpo", "node"),
        ("accepted", "kh.gpo", "node"),
        ("read", "kh.gpo", "node"),
        ("exported", "la.ospp", "node"),
    ]


def check(public: bytes, role: str, size: int, root: bytes, signature: bytes) -> None:
    """Both halves of a composite signature over a batch; raises if one does not hold."""
    context = f"saphan/{role}/1".encode()
    signed = pae("saphan/batch/1", msgpack.packb([role, size, root]))
    made = b"CompositeAlgorithmSignatures2025" + LABEL + bytes([len(context)]) + context
    made += hashlib.sha512(signed).digest()
    MLDSA65PublicKey.from_public_bytes(public[:1952]).verify(signature[:3309], made, LABEL)
    Ed25519PublicKey.from_public_bytes(public[1952:]).verify(signature[3309:], made)


def test_the_sealed_bytes_are_those_that_the_id_covers(items: Items) -> None:
    _, _, _, _, _, _, header, ciphertext, attachments = of(items, 7)[0][0]
    for place, blob in enumerate([ciphertext, *attachments]):
        body = b"".join(data for at, data in of(items, 9) if at == place)
        assert [len(body), sha256(body)] == blob
    made = msgpack.packb([sha256(pae("saphan/header/1", header)), ciphertext, attachments])
    assert sha256(pae("saphan/bulletin/1", made)) == items[0][5]


def test_the_log_commits_to_the_disclosure(items: Items) -> None:
    ((key, disclosure, _, salt),) = of(items, 8)
    assert msgpack.unpackb(disclosure)[3] == sha256(key)
    exported = msgpack.unpackb(of(items, 7)[-1][0][4])
    assert exported[5] == hmac.digest(salt, pae("saphan/disclosure/1", disclosure), "sha256")
