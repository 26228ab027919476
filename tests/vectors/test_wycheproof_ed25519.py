"""Wycheproof's Ed25519 cases through the library that checks our signatures."""

from __future__ import annotations

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from support.vectors import official

FILE = "wycheproof-ed25519.json"


def _verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def test_every_case_has_the_published_result() -> None:
    file = official(FILE)
    wrong, count, results = [], 0, set()
    for group in file["testGroups"]:
        public = bytes.fromhex(group["publicKey"]["pk"])
        for case in group["tests"]:
            count += 1
            results.add(case["result"])
            message, signature = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
            if _verifies(public, message, signature) != (case["result"] == "valid"):
                wrong.append((case["tcId"], case["result"], case["comment"], case["flags"]))
    assert wrong == []
    assert count == file["numberOfTests"]
    # "acceptable" would leave the answer open, and an all-valid file would prove nothing.
    assert results == {"valid", "invalid"}
