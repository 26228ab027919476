"""The suite's own test at start: complete here, refused in plain words elsewhere."""

from __future__ import annotations

import subprocess
import sys

import pytest
from saphan_protocol.suite import require_post_quantum

HIDE_AND_ASK = """
import sys
import cryptography.x509  # of an older library it asks for none of these
for name in {hidden!r}:
    sys.modules[name] = None
import importlib, pkgutil, saphan_protocol
for found in pkgutil.iter_modules(saphan_protocol.__path__):
    importlib.import_module(f"saphan_protocol.{{found.name}}")
from saphan_protocol.suite import require_post_quantum
from saphan_schemas.errors import OperatorError
try:
    require_post_quantum()
except OperatorError as error:
    print(error.code, error.message, error.hint, sep="|")
"""

OLD_OPENSSL = """
from cryptography.exceptions import UnsupportedAlgorithm
from saphan_protocol import suite
from saphan_schemas.errors import OperatorError
class Old:
    @staticmethod
    def from_seed_bytes(seed):
        raise UnsupportedAlgorithm("ML-DSA is not supported by this version of OpenSSL")
suite.MLDSA65PrivateKey = Old
try:
    suite.require_post_quantum()
except OperatorError as error:
    print(error.code, error.message, error.hint, sep="|")
"""


def _output(program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_this_library_has_the_whole_suite() -> None:
    require_post_quantum()


@pytest.mark.parametrize(
    ("hidden", "named"),
    (
        ("cryptography.cobblestone", "Cobblestone256Encryptor"),
        ("cryptography.hazmat.primitives.asymmetric.mldsa", "MLDSA65PrivateKey"),
        ("cryptography.hazmat.primitives.asymmetric.mlkem", "MLKEM768PrivateKey"),
        ("cryptography.hazmat.primitives.hpke", "Suite"),
    ),
)
def test_a_library_without_a_module_imports_and_says_what_it_lacks(hidden: str, named: str) -> None:
    # hpke.py imports its own key types from mlkem.py, so hiding that hides nothing of hpke.
    code, message, hint = _output(HIDE_AND_ASK.format(hidden=[hidden])).strip().split("|")
    assert code == "crypto_unsupported"
    assert named in message or "KEM" in message
    assert "pip install" in hint
    assert "distribution" in hint


def test_an_openssl_too_old_is_named() -> None:
    code, message, hint = _output(OLD_OPENSSL).strip().split("|")
    assert code == "crypto_unsupported"
    assert "OpenSSL" in message
    assert "wheel" in hint
