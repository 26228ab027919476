"""Saphan's own vectors of the suite: each is accepted, or refused by the layer it names."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from saphan_protocol.attachment import AttachmentOpener
from saphan_protocol.batch import signed_bytes, verify_item
from saphan_protocol.content import ciphertext_length_valid, open_content
from saphan_protocol.custody import Split, custodian_id, join_shares, open_shares
from saphan_protocol.detail import open_detail
from saphan_protocol.identity import pae, record_identity
from saphan_protocol.keys import SigningKey
from saphan_protocol.mailbox import MailboxKey
from saphan_protocol.stanza import STANZA_BYTES, open_stanza
from saphan_schemas.codec import decode
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.records import (
    BatchSignature,
    Blob,
    Bulletin,
    Header,
    Role,
    SealedDetail,
    SignatureItem,
)
from support.rooms import ROOT

FOLDER = ROOT / "schemas/vectors"
GENERATOR = FOLDER / "generate.py"
FAMILIES = ("attachment", "batch", "bulletin_id", "content", "custody", "detail", "dsse", "stanza")
FILES = tuple(
    sorted(str(path.relative_to(FOLDER)) for f in FAMILIES for path in (FOLDER / f).glob("*.json"))
)

Vector = dict[str, Any]


class Differs(Exception):
    """What a reader computes is not what the vector claims."""

    code = "differs"


def _expect_equal(layer: str, computed: bytes, claimed: str) -> None:
    if computed.hex() != claimed:
        raise Differs(layer)


def _bytes(vector: Vector, name: str) -> bytes:
    return bytes.fromhex(vector[name])


def read_dsse(vector: Vector) -> None:
    encoded = pae(vector["type"], _bytes(vector, "body"))
    _expect_equal("pae", encoded, vector["pae"])
    _expect_equal("pae", hashlib.sha256(encoded).digest(), vector["identity"])


def read_batch(vector: Vector) -> None:
    key = SigningKey(Role(vector["role"]), _bytes(vector, "seed")).verifying()
    item = decode(SignatureItem, _bytes(vector, "item"), 4096, "item")
    batch = None
    if vector["batch"] is not None:
        batch = decode(BatchSignature, _bytes(vector, "batch"), 4096, "batch")
    verify_item(item, batch, key, vector["type"], _bytes(vector, "body"))


def read_stanza(vector: Vector) -> None:
    key = MailboxKey(_bytes(vector, "seed"))
    content_key = open_stanza(
        _bytes(vector, "stanza"), key, _bytes(vector, "bulletin"), vector["agency"]
    )
    _expect_equal("hpke", content_key, vector["content_key"])


def read_detail(vector: Vector) -> None:
    detail = decode(SealedDetail, _bytes(vector, "detail"), 4096, "detail")
    key = MailboxKey(_bytes(vector, "seed"))
    text = open_detail(detail, key, _bytes(vector, "bulletin"), vector["agency"])
    _expect_equal("text", text.encode(), vector["text"].encode().hex())


def read_content(vector: Vector) -> None:
    sealed = open_content(
        _bytes(vector, "content_key"), _bytes(vector, "header"), _bytes(vector, "ciphertext")
    )
    _expect_equal("cipher", sealed, vector["sealed"])


def read_custody(vector: Vector) -> None:
    keys = [MailboxKey(bytes.fromhex(seed)) for seed in vector["seeds"]]
    split = Split(
        custodians=tuple(custodian_id(key.public) for key in keys),
        quorum=vector["quorum"],
        context=_bytes(vector, "context"),
    )
    sealed = [bytes.fromhex(share) for share in vector["shares"]]
    opened = {place: open_shares(split, sealed, keys[place]) for place in vector["openers"]}
    _expect_equal("join", join_shares(split, opened), vector["secret"])


def read_attachment(vector: Vector) -> None:
    signed = Blob(vector["length"], _bytes(vector, "sha256"))
    for step in (1_000, 16_384):
        opener = AttachmentOpener(
            _bytes(vector, "content_key"), _bytes(vector, "header"), vector["place"], signed
        )
        sealed = _bytes(vector, "ciphertext")
        parts = [opener.update(sealed[at : at + step]) for at in range(0, len(sealed), step)]
        _expect_equal("cipher", b"".join(parts) + opener.finish(), vector["plain"])


def read_bulletin_id(vector: Vector) -> None:
    header, bulletin = _bytes(vector, "header"), _bytes(vector, "bulletin")
    decode(Header, header, 4096, "header")
    record = decode(Bulletin, bulletin, 4096, "bulletin")
    _expect_equal("identity", record_identity(Header, header), vector["header_identity"])
    _expect_equal("identity", record.header, vector["header_identity"])
    _expect_equal("identity", record_identity(Bulletin, bulletin), vector["bulletin_id"])


READERS: dict[str, Callable[[Vector], None]] = {
    "attachment": read_attachment,
    "batch": read_batch,
    "bulletin_id": read_bulletin_id,
    "content": read_content,
    "custody": read_custody,
    "detail": read_detail,
    "dsse": read_dsse,
    "stanza": read_stanza,
}

LAYER_CODES = {
    "encoding": {"malformed", "not_canonical"},
    "key": {"key_mismatch"},
    "path": {"batch_path"},
    "signature": {"signature_invalid", "signature_missing"},
    "length": {"stanza_unopenable", "ciphertext_invalid", "attachment_invalid"},
    "hpke": {"stanza_unopenable"},
    "share": {"custody_malformed"},
    "join": {"custodians_too_few"},
    "cipher": {"ciphertext_invalid", "attachment_invalid"},
    "signed": {"attachment_mismatch"},
    "padding": {"padding_invalid"},
    "text": {"malformed"},
    "pae": {"differs"},
    "identity": {"differs"},
}


def _load(file: str) -> Vector:
    vector: Vector = json.loads((FOLDER / file).read_text(encoding="utf-8"))
    return vector


@pytest.mark.parametrize("file", FILES)
def test_vector(file: str) -> None:
    vector = _load(file)
    read = READERS[file.split("/")[0]]
    if vector["expect"] == "valid":
        read(vector)
        return
    code = None
    try:
        read(vector)
    except (InvalidInput, Refused, Differs) as refused:
        code = refused.code
    assert code == vector["code"], vector["why"]
    assert vector["code"] in LAYER_CODES[vector["expect"]]


@pytest.mark.parametrize("file", FILES)
def test_length_is_the_layer_exactly_where_the_vector_says_so(file: str) -> None:
    # Both layers have one code, so that a peer learns nothing; the vector still tells them apart.
    vector = _load(file)
    if "ciphertext" in vector:
        wrong = not ciphertext_length_valid(len(_bytes(vector, "ciphertext")))
        assert wrong == (vector["expect"] == "length")
    if "stanza" in vector:
        wrong = len(_bytes(vector, "stanza")) != STANZA_BYTES
        assert wrong == (vector["expect"] == "length")


def test_every_family_has_both_kinds() -> None:
    for family in FAMILIES:
        kinds = {_load(f)["expect"] == "valid" for f in FILES if f.startswith(family + "/")}
        assert kinds == {True, False}, family


def test_each_file_has_one_name_a_reason_and_a_section() -> None:
    spec = (ROOT / "schemas/spec/suite.md").read_text(encoding="utf-8")
    for file in FILES:
        vector = _load(file)
        assert file.split("/")[1] == vector["name"] + ".json"
        assert vector["why"]
        assert f"\n### {vector['spec'].rsplit(' ', 1)[1]} " in spec, vector["spec"]


def test_the_samples_in_the_spec_are_the_vectors() -> None:
    spec = (ROOT / "schemas/spec/suite.md").read_text(encoding="utf-8")
    blocks = ["".join(block.split()) for block in spec.split("```")[1::2]]
    vector = _load("batch/valid_one.json")
    batch = decode(BatchSignature, _bytes(vector, "batch"), 4096, "batch")
    signed = signed_bytes(Role.NODE, batch.size, batch.root).hex()
    assert blocks == [batch.key.hex(), signed, vector["item"]]


def test_the_generator_writes_these_files_byte_for_byte(tmp_path: Path) -> None:
    frozen = (FOLDER / "frozen.json").read_bytes()
    subprocess.run([sys.executable, str(GENERATOR), str(tmp_path)], check=True, timeout=60)
    written = {
        str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.glob("*/*.json")
    }
    assert written == {file: (FOLDER / file).read_bytes() for file in FILES}
    assert (FOLDER / "frozen.json").read_bytes() == frozen
