"""The leaf of an agency's own schema, from directory.md, Checking a schema, and suite.md."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey
from mp import Refuse, array, number, octets, read_record, record, refuse, words
from suite import ITEM, LABEL, climb, pae, pae_of, same, sha256

KIND = "saphan/schema_registration/1"
NAME = words(r"[a-z][a-z0-9.-]{0,33}/[a-z][a-z0-9_]{0,40}/[0-9]{1,3}")
AGENCY = words(r"[a-z]{2}\.[a-z][a-z0-9-]{0,30}")
MILLIS = number(0, 253_402_300_799_999)


def blob(value: Any) -> bool:
    return isinstance(value, bytes)


def read_leaf(leaf: bytes, facts: dict[str, Any]) -> list[Any]:
    """Steps 1 to 6."""
    if leaf[:1] != b"\x25" or len(leaf) > 65_535:
        refuse("malformed")
    body, signatures = read_record(leaf[1:], blob, array(record(record(*ITEM), octets(3373)), 1))
    registration = read_record(body, AGENCY, NAME, octets(32), MILLIS)
    agency, name = registration[:2]
    owner, _, version = name.split("/")
    if owner != agency:
        refuse("schema_namespace")
    if version[0] == "0":
        refuse("schema_version")
    named = [item[0] for item, _ in signatures]
    if len(set(named)) != len(named):
        refuse("registration_malformed")
    check_place(name, int(version), facts["registered"])
    roots = {sha256(b"root\x00", bytes.fromhex(key)): bytes.fromhex(key) for key in facts["roots"]}
    if any(key not in roots for key in named):
        refuse("schema_roots")
    if len(named) < facts["threshold"]:
        refuse("schema_threshold")
    for item, made in signatures:
        check_signature(roots[item[0]], item, made, body)
    return registration


def check_place(name: str, version: int, registered: list[str]) -> None:
    """Step 4."""
    if name in registered:
        refuse("schema_registered")
    before = f"{name.rpartition('/')[0]}/{version - 1}"
    if version > 1 and before not in registered:
        refuse("schema_version")


def check_signature(key: bytes, item: list[Any], made: bytes, body: bytes) -> None:
    """Step 6: a batch of one."""
    _key, size, index, path, salt = item
    root = climb(index, size, sha256(b"\x00", salt, pae(KIND, body)), path)
    if root is None or size != 1:
        refuse("batch_path")
    context = b"saphan/root/1"
    whole = b"CompositeAlgorithmSignatures2025" + LABEL + bytes([len(context)]) + context
    whole += hashlib.sha512(pae_of("saphan/batch/1", "root", size, root)).digest()
    try:
        Ed25519PublicKey.from_public_bytes(key[1952:]).verify(made[3309:], whole)
        MLDSA65PublicKey.from_public_bytes(key[:1952]).verify(made[:3309], whole, LABEL)
    except InvalidSignature:
        refuse("signature_invalid")


def judged(folder: Path) -> dict[str, str]:
    """Each case: valid, or the code."""
    facts = json.loads((folder / "registration/cases.json").read_text(encoding="utf-8"))
    found = {}
    for case in facts["cases"]:
        try:
            registration = read_leaf(bytes.fromhex(case["leaf"]), facts)
            bundle = bytes.fromhex(facts["bundle"])
            same(sha256(pae("saphan/schema/1", bundle)), registration[2].hex())
            found[case["name"]] = "valid"
        except Refuse as refused:
            found[case["name"]] = refused.code
    return found


if __name__ == "__main__":
    print(json.dumps(judged(Path(sys.argv[1]))))
