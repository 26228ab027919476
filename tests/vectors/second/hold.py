"""Hold orders, from directory.md, Hold orders, and suite.md."""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PublicKey
from mp import Refuse, array, number, octets, one_of, or_nil, read_record, record, refuse, words
from suite import ITEM, LABEL, climb, pae, pae_of, sha256

KIND = "saphan/hold_order/1"
TERMS = "saphan/hold_terms/1"
AGENCY = words(r"[a-z]{2}\.[a-z][a-z0-9-]{0,30}")
SCHEMA = words(r"[a-z][a-z0-9.-]{0,33}/[a-z][a-z0-9_]{0,40}/[0-9]{1,3}")
MILLIS = number(0, 253_402_300_799_999)
ACTION = one_of("hold", "release")
ORDER = (AGENCY, number(1, 2**31), ACTION, or_nil(octets(32)), octets(32), number(0, 2_932_896))
IDS = array(octets(32), 0, 4096)
SCOPE = record(
    IDS, array(SCHEMA), or_nil(MILLIS), or_nil(MILLIS), array(octets(32)), array(words(r".{1,200}"))
)

Keys = dict[bytes, tuple[bytes, str]]
"""By key id: public key, role."""


def blob(value: Any) -> bool:
    return isinstance(value, bytes)


def keys_of(facts: dict[str, Any]) -> Keys:
    found: Keys = {}
    for role, publics in (("root", facts["roots"]), ("order", facts["order_keys"])):
        for text in publics:
            public = bytes.fromhex(text)
            found[sha256(role.encode() + b"\x00", public)] = (public, role)
    return found


def read(package: bytes) -> tuple[list[Any], bytes, list[Any], bytes]:
    """Step 1: (order, its bytes, signatures, commitment in the leaf)."""
    body, signatures, salt = read_record(
        package, blob, array(record(record(*ITEM), octets(3373)), 1, 16), octets(32)
    )
    order = read_record(body, *ORDER, MILLIS)
    named = [item[0] for item, _ in signatures]
    if len(set(named)) != len(named) or (order[2] == "release" and order[3] is None):
        refuse("hold_malformed")
    return order, body, signatures, hmac.digest(salt, pae(KIND, body), "sha256")


def check(package: bytes, facts: dict[str, Any], before: list[bytes]) -> bytes:
    """Steps 1 to 4, as the next order after those."""
    order, body, signatures, name = read(package)
    check_signers(order[0], body, signatures, facts)
    count, standing = 0, set()
    for one in before:
        earlier, _, _, commitment = read(one)
        if earlier[0] != order[0]:
            continue
        count += 1
        if earlier[3] is None:
            standing.add(commitment)
        elif earlier[2] == "release":
            standing.discard(earlier[3])
    if order[1] != count + 1:
        refuse("hold_number")
    if order[3] is not None and order[3] not in standing:
        refuse("hold_over")
    return name


def check_signers(agency: str, body: bytes, signatures: list[Any], facts: dict[str, Any]) -> None:
    """Step 2: one order key, or nobody but enough roots."""
    keys = keys_of(facts) if agency == facts["agency"] else {}
    roles = [keys.get(item[0], (b"", ""))[1] for item, _ in signatures]
    wanted = "order" if roles == ["order"] else "root"
    for (item, made), role in zip(signatures, roles, strict=True):
        if role == wanted:
            check_signature(keys[item[0]][0], role, item, made, body)
    if wanted == "root" and (roles.count("root") < max(facts["threshold"], len(roles))):
        refuse("hold_signer")


def check_signature(key: bytes, role: str, item: list[Any], made: bytes, body: bytes) -> None:
    """A batch of one."""
    _key, size, index, path, salt = item
    root = climb(index, size, sha256(b"\x00", salt, pae(KIND, body)), path)
    if root is None or size != 1:
        refuse("batch_path")
    context = f"saphan/{role}/1".encode()
    whole = b"CompositeAlgorithmSignatures2025" + LABEL + bytes([len(context)]) + context
    whole += hashlib.sha512(pae_of("saphan/batch/1", role, size, root)).digest()
    try:
        Ed25519PublicKey.from_public_bytes(key[1952:]).verify(made[3309:], whole)
        MLDSA65PublicKey.from_public_bytes(key[:1952]).verify(made[:3309], whole, LABEL)
    except InvalidSignature:
        refuse("signature_invalid")


def check_terms(terms: bytes) -> None:
    """Something is named, sorted and once; a period does not end before it begins."""
    _, scope, _ = read_record(terms, words(r".{1,400}"), SCOPE, one_of(True, False))
    ids, schemas, since, until, threads, cases = scope
    lists = (ids, schemas, threads, cases)
    named = any(lists) or since is not None or until is not None
    ordered = all(list(part) == sorted(set(part)) for part in lists)
    backwards = since is not None and until is not None and until < since
    if not named or not ordered or backwards:
        refuse("hold_scope")


def judged(folder: Path) -> dict[str, list[str | None]]:
    """Each package and each terms: valid or the code, and the commitment."""
    facts = json.loads((folder / "hold/cases.json").read_text(encoding="utf-8"))
    before = [bytes.fromhex(package) for package in facts["before"]]
    salt = bytes.fromhex(facts["salt"])
    found: dict[str, list[str | None]] = {}
    for case in facts["cases"]:
        try:
            name = check(bytes.fromhex(case["package"]), facts, before)
            found[case["name"]] = ["valid", name.hex()]
        except Refuse as refused:
            found[case["name"]] = [refused.code, None]
    for case in facts["terms"]:
        terms = bytes.fromhex(case["terms"])
        committed = hmac.digest(salt, pae(TERMS, terms), "sha256").hex()
        try:
            check_terms(terms)
            found[f"terms {case['name']}"] = ["valid", committed]
        except Refuse as refused:
            found[f"terms {case['name']}"] = [refused.code, committed]
    return found


if __name__ == "__main__":
    print(json.dumps(judged(Path(sys.argv[1]))))
