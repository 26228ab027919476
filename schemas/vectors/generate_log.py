"""Write the log vectors: proofs and signed heads, good ones and such with one defect.

    python schemas/vectors/generate_log.py [folder]

Built from the text of `schemas/spec/log.md` and from RFC 9162's recursive definitions, not with the
code under test. ML-DSA signing is randomised, so heads come out anew with every run; keys do not.
"""

from __future__ import annotations

import base64
import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA44PrivateKey

HERE = Path(__file__).resolve().parent / "log"

ORIGIN = "bridge.example/evidence/1"
TIME = 1_795_000_000
WITNESSES = ("la.ospp", "kh.gpo")
LEAVES = tuple(hashlib.sha256(b"\x00leaf %d" % i).digest() for i in range(13))
Hashes = tuple[bytes, ...]


def sha256(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


def split(count: int) -> int:
    return 1 << (count - 1).bit_length() - 1


def tree(leaves: Hashes) -> bytes:
    """MTH of RFC 9162 section 2.1.1 over leaf hashes."""
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256(b"")
    k = split(len(leaves))
    return sha256(b"\x01" + tree(leaves[:k]) + tree(leaves[k:]))


def path(index: int, leaves: Hashes) -> Hashes:
    """PATH of RFC 9162 section 2.1.3.1."""
    if len(leaves) == 1:
        return ()
    k = split(len(leaves))
    if index < k:
        return (*path(index, leaves[:k]), tree(leaves[k:]))
    return (*path(index - k, leaves[k:]), tree(leaves[:k]))


def subproof(old: int, leaves: Hashes, whole: bool) -> Hashes:
    """SUBPROOF of RFC 9162 section 2.1.4.1."""
    if old == len(leaves):
        return () if whole else (tree(leaves),)
    k = split(len(leaves))
    if old <= k:
        return (*subproof(old, leaves[:k], whole), tree(leaves[k:]))
    return (*subproof(old - k, leaves[k:], False), tree(leaves[:k]))


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Signer:
    """A log or a witness: one name, Ed25519 of type 01 or 04, ML-DSA-44 of type 06."""

    def __init__(self, name: str, first: int) -> None:
        self.name, self.first = name, first
        self.ed25519 = Ed25519PrivateKey.from_private_bytes(sha256(f"{name}/ed".encode()))
        self.mldsa44 = MLDSA44PrivateKey.from_seed_bytes(sha256(f"{name}/mldsa".encode()))
        self.publics = {
            first: self.ed25519.public_key().public_bytes_raw(),
            6: self.mldsa44.public_key().public_bytes_raw(),
        }

    def key_id(self, kind: int) -> bytes:
        return sha256(f"{self.name}\n".encode() + bytes([kind]) + self.publics[kind])[:4]

    def vkey(self, kind: int) -> str:
        return f"{self.name}+{self.key_id(kind).hex()}+{b64(bytes([kind]) + self.publics[kind])}"

    def vkeys(self) -> list[str]:
        return [self.vkey(self.first), self.vkey(6)]

    def line(self, kind: int, text: str, time: int = TIME) -> str:
        stamp = time.to_bytes(8, "big")
        if kind == 1:
            blob = self.ed25519.sign(text.encode())
        elif kind == 4:
            blob = stamp + self.ed25519.sign(f"cosignature/v1\ntime {time}\n{text}".encode())
        else:
            blob = stamp + self.mldsa44.sign(self.subtree(text, stamp))
        return f"\u2014 {self.name} {b64(self.key_id(kind) + blob)}\n"

    def subtree(self, text: str, stamp: bytes) -> bytes:
        origin, size, root = text.split("\n")[:3]
        return (
            b"subtree/v1\n\x00"
            + bytes([len(self.name)])
            + self.name.encode()
            + stamp
            + bytes([len(origin)])
            + origin.encode()
            + bytes(8)
            + int(size).to_bytes(8, "big")
            + base64.b64decode(root)
        )


def proofs() -> dict[str, object]:
    sizes = range(1, len(LEAVES) + 1)
    return {
        "leaf_hashes": [leaf.hex() for leaf in LEAVES],
        "roots": [tree(LEAVES[:size]).hex() for size in range(len(LEAVES) + 1)],
        "inclusion": [
            [index, size, [h.hex() for h in path(index, LEAVES[:size])]]
            for size in sizes
            for index in range(size)
        ],
        "consistency": [
            [old, new, [h.hex() for h in subproof(old, LEAVES[:new], True)]]
            for new in sizes
            for old in range(1, new + 1)
        ],
    }


def heads() -> dict[str, object]:
    log = Signer(ORIGIN, 1)
    witnesses = [Signer(name, 4) for name in WITNESSES]
    text = f"{ORIGIN}\n{len(LEAVES)}\n{b64(tree(LEAVES))}\n"
    other = f"{ORIGIN}\n{len(LEAVES) - 1}\n{b64(tree(LEAVES[:-1]))}\n"
    both = log.line(1, text) + log.line(6, text)
    cosigned = "".join(w.line(4, text) + w.line(6, text) for w in witnesses)
    good = f"{text}\n{both}"
    first = witnesses[0]
    cases = [
        ("head", "valid", [], good),
        ("head_cosigned", "valid", list(WITNESSES), good + cosigned),
        ("head_unknown_lines", "valid", [], good + Signer("somebody.example", 4).line(4, text)),
        ("witness_one_line", "valid", [], good + first.line(6, text)),
        ("log_without_06", "head_signature", [], f"{text}\n{log.line(1, text)}"),
        ("log_without_01", "head_signature", [], f"{text}\n{log.line(6, text)}"),
        ("log_01_of_other_head", "note_signature", [], good.replace(
            log.line(1, text), log.line(1, other))),
        ("log_06_of_other_head", "note_signature", [], f"{text}\n" + log.line(1, text)
            + log.line(6, other)),
        ("log_06_time_zero", "head_time", [], f"{text}\n" + log.line(1, text)
            + log.line(6, text, 0)),
        ("log_twice", "note_duplicate", [], good + log.line(1, text)),
        ("witness_of_other_head", "note_signature", [], good + first.line(4, other)),
        ("witness_two_times", "cosignature_time", [], good + first.line(4, text)
            + first.line(6, text, TIME + 1)),
    ]  # fmt: skip
    return {
        "log_vkeys": log.vkeys(),
        "witness_vkeys": [w.vkeys() for w in witnesses],
        "size": len(LEAVES),
        "root": tree(LEAVES).hex(),
        "time": TIME,
        "cases": [
            {"name": name, "expect": expect, "witnesses": found, "note": note}
            for name, expect, found, note in cases
        ]
        + [
            {"name": name, "expect": expect, "witnesses": [], "note": note}
            for name, expect, note in text_defects(log, text)
        ],
    }


def text_defects(log: Signer, text: str) -> list[tuple[str, str, str]]:
    """Notes refused before any signature is looked at; their type 01 line would hold."""
    size, root = f"\n{len(LEAVES)}\n", text.split("\n")[2]
    changes: tuple[tuple[str, str, Callable[[str], str]], ...] = (
        ("text_extension_line", "head_malformed", lambda t: t + "extension\n"),
        ("text_size_leading_zero", "head_size", lambda t: t.replace(size, f"\n0{size[1:]}")),
        ("text_size_underscore", "head_size", lambda t: t.replace(size, "\n1_3\n")),
        ("text_size_lao_digits", "head_size", lambda t: t.replace(size, "\n\u0ed1\u0ed3\n")),
        ("text_root_stray_character", "head_root", lambda t: t.replace(root, f"*{root}")),
        ("text_root_no_padding", "head_root", lambda t: t.replace(root, root.rstrip("="))),
        ("text_origin_upper_case", "head_origin", lambda t: t.replace("bridge", "Bridge")),
    )
    found = []
    for name, expect, change in changes:
        altered = change(text)
        found.append((name, expect, f"{altered}\n{log.line(1, altered)}"))
    good = f"{text}\n{log.line(1, text)}"
    found += [
        ("note_trailing_text", "note_line", good + "x\n"),
        ("note_no_final_line_feed", "note_malformed", good[:-1]),
        ("note_carriage_return", "note_encoding", good.replace("\n", "\r\n")),
        ("note_hyphen_for_dash", "note_line", good.replace("\u2014", "-")),
        ("note_line_stray_base64", "note_line", good[:-10] + "\u00a0" + good[-10:]),
    ]
    return found


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    folder.mkdir(parents=True, exist_ok=True)
    for name, value in (("proofs", proofs()), ("heads", heads())):
        data = json.dumps(value, indent=1, ensure_ascii=True) + "\n"
        (folder / f"{name}.json").write_text(data, encoding="ascii")


if __name__ == "__main__":
    main()
