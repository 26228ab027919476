"""Attachments as no program of ours would seal, name or sign them, from a sender with real keys."""

from __future__ import annotations

import functools
import io
import struct
import zipfile
from collections.abc import Iterator
from typing import Any

from saphan_protocol.admission import BULLETIN_TYPE, HEADER_TYPE
from saphan_protocol.batch import sign_one
from saphan_protocol.content import attachment_cipher_key, padded_length, seal_content
from saphan_protocol.identity import CONTENT_TYPE, identity, sha256
from saphan_protocol.opening import INNER_TYPE
from saphan_protocol.suite import Cobblestone256Encryptor
from saphan_schemas.codec import encode, encode_content
from saphan_schemas.records import Blob, Bulletin, Inner, Sealed
from saphan_schemas.samples import sample

from support.agency import Made
from support.attaching import pdf
from support.bridge import OFFICERS
from support.hostile import Hostile

DATA = pdf(5_000)


def blob(data: bytes) -> Blob:
    return Blob(len(data), sha256(data))


def described(name: str = "warrant.pdf", media_type: str = "application/pdf") -> dict[str, str]:
    return {"media_type": media_type, "name": name, "role": "warrant"}


class Attacker:
    """Makes bulletins with one attachment of which one thing is wrong."""

    def __init__(self, hostile: Hostile) -> None:
        self._hostile = hostile

    def bulletin(
        self,
        data: bytes = DATA,
        *,
        content: list[dict[str, Any]] | None = None,
        signed: Blob | None = None,
        place: int = 0,
        padding: bytes = b"",
        flip: int | None = None,
    ) -> Made:
        """One sealed bulletin.

        Args:
            content: what the content says of the attachment; signed: what the officer signs of it.
            place: whose key seals it; padding: in place of the last zeros; flip: a byte of the
                sealed attachment that is changed before it is consigned.
        """
        agency = self._hostile.agency
        header = agency.header([self._hostile.to], agency.now)
        header_bytes = encode(header)
        header_id, key = identity(HEADER_TYPE, header_bytes), agency.random()
        said = [described()] if content is None else content
        body = encode_content(sample("training_notice") | {"attachments": said})
        inner = encode(
            Inner(
                OFFICERS[agency.name],
                agency.officer.key_id,
                header_id,
                identity(CONTENT_TYPE, body),
                (signed or blob(data),),
            )
        )
        signature = sign_one(agency.officer, INNER_TYPE, inner, agency.random())
        ciphertext = seal_content(key, header_id, encode(Sealed(inner, (signature,), body)))
        cipher = Cobblestone256Encryptor(attachment_cipher_key(key, header_id, place), header_id)
        padded = data.ljust(padded_length(len(data)), b"\x00")
        padded = padded[: len(padded) - len(padding)] + padding
        sealed = bytearray(cipher.update(padded) + cipher.finalize())
        if flip is not None:
            sealed[flip] ^= 1
        attachment = bytes(sealed)
        record = Bulletin(header_id, blob(ciphertext), (blob(attachment),))
        bulletin_id = identity(BULLETIN_TYPE, encode(record))
        return Made(header, header_bytes, header_id, ciphertext, key, bulletin_id, (attachment,))

    def cases(self) -> Iterator[tuple[str, str, Made]]:
        """(what is wrong, the code that the recipient states, the bulletin)."""
        right = blob(DATA)
        yield "other bytes", "attachment_mismatch", self.bulletin(signed=Blob(5_000, bytes(32)))
        longer, shorter = Blob(5_050, right.digest), Blob(4_990, sha256(DATA[:4_990]))
        yield "shorter than signed", "attachment_mismatch", self.bulletin(signed=longer)
        yield "longer than signed", "padding_invalid", self.bulletin(signed=shorter)
        much = Blob(9_000, right.digest)
        yield "much shorter than signed", "inner_mismatch", self.bulletin(signed=much)
        yield "sealed for another place", "attachment_invalid", self.bulletin(place=1)
        yield "its salt changed", "attachment_invalid", self.bulletin(flip=0)
        yield "its commitment changed", "attachment_invalid", self.bulletin(flip=30)
        yield "a chunk changed", "attachment_invalid", self.bulletin(flip=60)
        yield "its end changed", "attachment_invalid", self.bulletin(flip=-1)
        yield "padded with something", "padding_invalid", self.bulletin(padding=b"\x01")
        yield "a program", "attachment_type", self.bulletin(b"MZ" + DATA)
        yield "an archive", "attachment_type", self.bulletin(bomb())
        yield "nothing", "attachment_type", self.bulletin(b"")
        page = [described("page.html", "text/html")]
        yield "a page", "schema_invalid", self.bulletin(b"<html>", content=page)
        for name in ("../../etc/x.pdf", "con.pdf", "run.exe", ".pdf", "a/b.pdf"):
            yield name, "attachment_name", self.bulletin(content=[described(name)])
        for name in ("a\x1b[2J.pdf", "a\x00.pdf", "x\u202efdp.exe"):
            yield repr(name), "text_forbidden", self.bulletin(content=[described(name)])
        twice = [described("a.pdf"), described("A.PDF")]
        yield "described twice", "inner_mismatch", self.bulletin(content=twice)
        yield "not described", "inner_mismatch", self.bulletin(content=[])


@functools.cache
def bomb() -> bytes:
    """An archive that says it holds a terabyte: whoever unpacks it, or asks it, is lost."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(16 << 20))
    return out.getvalue().replace(struct.pack("<I", 16 << 20), struct.pack("<I", 0xFFFFFFFE))
