"""A sender that holds its agency's real keys and seals what no program of ours would seal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

from saphan.keys.keyfiles import read_node
from saphan_protocol.admission import BULLETIN_TYPE, HEADER_TYPE
from saphan_protocol.batch import sign_one
from saphan_protocol.content import content_cipher_key, padded_length
from saphan_protocol.identity import CONTENT_TYPE, identity, sha256
from saphan_protocol.keys import SigningKey
from saphan_protocol.opening import INNER_TYPE
from saphan_protocol.suite import Cobblestone256Encryptor
from saphan_schemas.codec import encode, encode_content
from saphan_schemas.frames import Submission
from saphan_schemas.records import BatchSignature, Blob, Bulletin, Inner, Role, Sealed, Signature
from saphan_schemas.samples import sample

from support.agency import Agency, Made
from support.bridge import OFFICERS, Bridge

GOOD = encode_content(sample("training_notice"))
DEEP = b"\x81\xa1a" * 20_000 + b"\x80"


class Hostile:
    """la.ospp of a bridge, whose node is not ours."""

    def __init__(self, bridge: Bridge, name: str, to: str) -> None:
        self.agency, self.to = Agency(name, bridge.clock()), to
        office = bridge.offices[name]
        self.agency.node = read_node(office.key_file(Role.NODE, b""))
        self.agency.officer = bridge.officer(name)
        self._handle = OFFICERS[name]
        self._clock = bridge.clock
        # A recipient as the directory shows it: its name and its mailbox's public half.
        self._recipient = Agency(to, bridge.clock())
        box = bridge.broker.state.directory.mailbox(to, bridge.clock())
        self._recipient.mailbox = cast(Any, box)

    def bulletin(
        self,
        content: bytes = GOOD,
        *,
        inner: Callable[[Inner], bytes] = encode,
        signer: SigningKey | None = None,
        sealed: Callable[[bytes], bytes] = bytes,
        ciphertext: Callable[[bytes], bytes] = bytes,
    ) -> Made:
        """A bulletin in which one part is not what it should be.

        Args:
            inner: makes the bytes that the author signs; signer: signs them in the author's place;
            sealed: changes the sealed bytes before padding; ciphertext: the bytes that travel.
        """
        agency = self.agency
        header = agency.header([self.to], self._clock())
        header_bytes = encode(header)
        header_id = identity(HEADER_TYPE, header_bytes)
        author = Inner(
            self._handle, agency.officer.key_id, header_id, identity(CONTENT_TYPE, content), ()
        )
        body = inner(author)
        signature = sign_one(signer or agency.officer, INNER_TYPE, body, agency.random())
        item = signature.item
        if signer is not None:  # the name of the real author over a stranger's signature
            signature = Signature(
                type(item)(agency.officer.key_id, 1, 0, (), item.salt), signature.signature
            )
        plain = sealed(encode(Sealed(body, (signature,), content)))
        key = agency.random()
        encryptor = Cobblestone256Encryptor(content_cipher_key(key, header_id), header_id)
        padded = plain.ljust(padded_length(len(plain)), b"\x00")
        data = ciphertext(encryptor.update(padded) + encryptor.finalize())
        record = Bulletin(header_id, Blob(len(data), sha256(data)), ())
        bulletin_id = identity(BULLETIN_TYPE, encode(record))
        return Made(header, header_bytes, header_id, data, key, bulletin_id)

    def submissions(self, made: list[Made]) -> tuple[tuple[Submission, ...], BatchSignature]:
        return self.agency.submissions(made, [self._recipient])

    def cases(self) -> Iterator[tuple[str, str, Made]]:
        """(what is wrong, the code that the recipient states, the bulletin)."""

        def other(**fields: Any) -> Callable[[Inner], bytes]:
            return lambda inner: encode(
                Inner(**{f: fields.get(f, getattr(inner, f)) for f in inner.__struct_fields__})
            )

        bad = "content_malformed"
        yield "cut off", bad, self.bulletin(GOOD[:-1])
        yield "longer than it says", bad, self.bulletin(GOOD + b"\x00")
        yield "a key that stands twice", bad, self.bulletin(b"\x82\xa1a\x01\xa1a\x02")
        yield "keys out of order", bad, self.bulletin(b"\x82\xa1b\x01\xa1a\x02")
        yield "a longer integer", bad, self.bulletin(b"\x81\xa1a\xcc\x01")
        yield "a float", bad, self.bulletin(b"\x81\xa1a\xcb?\xf0\x00\x00\x00\x00\x00\x00")
        yield "not UTF-8", bad, self.bulletin(b"\x81\xa1a\xa1\xff")
        yield "nested very deep", bad, self.bulletin(DEEP)
        yield "no map", bad, self.bulletin(b"\x90")
        yield "empty", bad, self.bulletin(b"")
        yield "no body", "schema_invalid", self.bulletin(encode_content({"about": {}}))
        wrong = sample("training_notice")
        wrong["body"]["colour"] = "red"
        yield "a field of its own", "schema_invalid", self.bulletin(encode_content(wrong))
        yield "inner cut off", bad, self.bulletin(inner=lambda inner: encode(inner)[:-1])
        yield (
            "for another header",
            "inner_mismatch",
            self.bulletin(inner=other(header=bytes(32))),
        )
        yield (
            "for another content",
            "inner_mismatch",
            self.bulletin(inner=other(content=bytes(32))),
        )
        yield "by another officer", "author_unknown", self.bulletin(inner=other(author="nobody"))
        stranger = Agency("th.stranger", self._clock()).officer
        yield "signed by a stranger", "signature_invalid", self.bulletin(signer=stranger)
        yield "padded with something", "padding_invalid", self.bulletin(sealed=_not_zeros)
        yield "no record at all", "padding_invalid", self.bulletin(sealed=lambda _: b"\xc1" * 300)
        yield "a changed ciphertext", "ciphertext_invalid", self.bulletin(ciphertext=_flipped)


def _not_zeros(plain: bytes) -> bytes:
    return plain + b"\x01"


def _flipped(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])
