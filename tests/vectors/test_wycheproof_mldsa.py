"""Wycheproof's ML-DSA-65 and ML-DSA-44 cases, contexts included."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from saphan_protocol.keys import SigningKey, check_public_key
from saphan_protocol.suite import MLDSA44PublicKey, MLDSA65PublicKey
from saphan_schemas.errors import InvalidInput
from saphan_schemas.records import Role
from support.vectors import official

PublicKey = type[MLDSA44PublicKey] | type[MLDSA65PublicKey]

FILES: tuple[tuple[str, PublicKey], ...] = (
    ("wycheproof-mldsa-65-verify.json", MLDSA65PublicKey),
    ("wycheproof-mldsa-44-verify.json", MLDSA44PublicKey),
)


def _verifies(kind: PublicKey, public: bytes, case: dict[str, Any]) -> bool:
    context = bytes.fromhex(case["ctx"]) if "ctx" in case else None
    try:
        key = kind.from_public_bytes(public)
        key.verify(bytes.fromhex(case["sig"]), bytes.fromhex(case["msg"]), context)
    # ValueError: a key of another length, or a context beyond 255 bytes.
    except (InvalidSignature, ValueError):
        return False
    return True


@pytest.mark.parametrize(("name", "kind"), FILES, ids=("65", "44"))
def test_every_case_has_the_published_result(name: str, kind: PublicKey) -> None:
    file = official(name)
    wrong, count, contexts, results = [], 0, 0, set()
    for group in file["testGroups"]:
        public = bytes.fromhex(group["publicKey"])
        for case in group["tests"]:
            count += 1
            contexts += "ctx" in case
            results.add(case["result"])
            if _verifies(kind, public, case) != (case["result"] == "valid"):
                wrong.append((case["tcId"], case["result"], case["comment"], case["flags"]))
    assert wrong == []
    assert count == file["numberOfTests"]
    assert contexts > 0
    assert results == {"valid", "invalid"}


def test_the_zero_keys_that_verify_are_refused_at_enrolment() -> None:
    ed25519 = SigningKey(Role.NODE, bytes(range(64))).public[1952:]
    seen = 0
    for group in official(FILES[0][0])["testGroups"]:
        if any("ZeroPublicKey" in case["flags"] for case in group["tests"]):
            seen += 1
            with pytest.raises(InvalidInput) as refused:
                check_public_key(Role.NODE, bytes.fromhex(group["publicKey"]) + ed25519)
            assert refused.value.code == "key_weak"
    assert seen
