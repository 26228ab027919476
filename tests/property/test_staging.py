"""Staging against a model: whatever parts come in whatever order, only right bytes become whole."""

from __future__ import annotations

import tempfile
from hashlib import sha256
from pathlib import Path

import hypothesis.strategies as st
from hypothesis import given, settings
from saphan_broker.blobs.staging import Staging
from saphan_schemas.errors import InvalidInput
from saphan_schemas.records import Blob

DATA = bytes(range(40))
BLOB = Blob(len(DATA), sha256(DATA).digest())
Part = tuple[int, int, bool, bool]
"""Offset, length, whether its bytes are right, whether the process starts anew before it."""

PARTS = st.tuples(st.integers(0, 44), st.integers(0, 24), st.booleans(), st.booleans())


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(PARTS, st.just((-1, 20, True, False))), max_size=12))
def test_only_the_declared_bytes_become_whole(parts: list[Part]) -> None:
    """Offset -1: the next bytes, where they belong."""
    with tempfile.TemporaryDirectory() as folder:
        staging = Staging(Path(folder))
        model = b""
        for offset, length, right, anew in parts:
            staging = Staging(Path(folder)) if anew else staging
            at = len(model) if offset < 0 else offset
            piece = DATA[at : at + length] if right or offset < 0 else b"\xff" * length
            code = ""
            try:
                told = staging.append("la.ospp", BLOB, at, piece, 1)
            except InvalidInput as error:
                told, code = -1, error.code
            model, expected, expected_code = _step(model, at, piece)
            assert (told, code) == (expected, expected_code)
            held = staging.held("la.ospp", BLOB, 1)
            assert held == len(model)
            assert (staging.whole("la.ospp", BLOB) is None) == (model != DATA)


def _step(model: bytes, at: int, piece: bytes) -> tuple[bytes, int, str]:
    """The bytes held after a part, what is told, and the code of an error."""
    if model == DATA or at != len(model):
        return model, len(model), ""
    if at + len(piece) > len(DATA):
        return model, -1, "attachment_length"
    model += piece
    if len(model) < len(DATA) or model == DATA:
        return model, len(model), ""
    return b"", -1, "attachment_digest"
