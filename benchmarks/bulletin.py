"""The bulletin of every measurement, and bulletins sealed beforehand."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from saphan.compose import INNER_TYPE, Wish, compose
from saphan.keys.keyfiles import read_node
from saphan.node.sealing import Consigned, SealedBulletin, consign, seal
from saphan.office import Office
from saphan_protocol.batch import sign_batch
from saphan_protocol.directory import KeyInfo
from saphan_protocol.evidence import CONSIGNMENT_TYPE
from saphan_protocol.keys import SigningKey
from saphan_schemas.codec import encode, encode_content
from saphan_schemas.frames import Submission, Submit
from saphan_schemas.records import Role, Signature, SignatureItem
from saphan_schemas.samples import sample

CONTENT_BYTES: Final = 4096
"""Canonical bytes of {about, body, attachments}; the summary is filled up to it."""
SCHEMA: Final = "training_notice"


def wish(to: str) -> Wish:
    """The training notice of the samples with a summary that makes its content 4,096 bytes."""
    content = sample(SCHEMA)
    summary = content["about"]["summary"]
    summary["en"] = "x" * 512  # of a length whose MessagePack head is the final one's
    missing = CONTENT_BYTES - len(encode_content(content))
    words = "Five days of joint training in Pakse, twelve seats for each side. " * 64
    summary["en"] = words[: 511 + missing] + "."
    if len(encode_content(content)) != CONTENT_BYTES:
        raise RuntimeError("the sample is too long to be filled up")
    return Wish(
        to=(to,),
        schema=f"saphan/{SCHEMA}/1",
        about=content["about"],
        body=content["body"],
        exercise=True,
    )


@dataclass(frozen=True, slots=True)
class Sealer:
    """Seals bulletins of one agency outside a node, by the node's own functions."""

    agency: str
    key: SigningKey
    mailbox: KeyInfo
    wish: Wish

    @classmethod
    def of(cls, sender: Office, recipient: Office, now: int) -> Sealer:
        """From the folders of two agencies."""
        to = recipient.read_agency().agency
        return cls(
            agency=sender.read_agency().agency,
            key=read_node(sender.key_file(Role.NODE, b"")),
            mailbox=recipient.replay().mailbox(to, now),
            wish=wish(to),
        )

    def frames(self, count: int, batch: int, now: int) -> Iterator[bytes]:
        """`count` encoded Submit frames of `batch` bulletins each, requests numbered from 1."""
        for request in range(1, count + 1):
            yield self.frame(request, batch, now)

    def frame(self, request: int, batch: int, now: int) -> bytes:
        """One frame: one signature for all inners, one for all consignments."""
        sealed = self._seal(batch, now)
        consigned = [
            consign(one.id, one.content_key, [self.mailbox], self.key.key_id, None)
            for one in sealed
        ]
        signature, items = sign_batch(
            self.key, [(CONSIGNMENT_TYPE, one.body, os.urandom(32)) for one in consigned]
        )
        submissions = tuple(
            _submission(one, carried, item)
            for one, carried, item in zip(sealed, consigned, items, strict=True)
        )
        return encode(Submit(request, submissions, (signature,)))

    def _seal(self, count: int, now: int) -> list[SealedBulletin]:
        drafts = [
            compose(self.wish, sender=self.agency, now=now, nonce=os.urandom(16))
            for _ in range(count)
        ]
        inners = [draft.inner(None, self.key.key_id) for draft in drafts]
        batch, items = sign_batch(
            self.key, [(INNER_TYPE, inner, os.urandom(32)) for inner in inners]
        )
        return [
            seal(draft, inner, (Signature(item, batch.signature),), os.urandom(32))
            for draft, inner, item in zip(drafts, inners, items, strict=True)
        ]


def _submission(one: SealedBulletin, carried: Consigned, item: SignatureItem) -> Submission:
    return Submission(
        one.draft.header_bytes,
        carried.body,
        item,
        (os.urandom(32),),
        carried.stanzas,
        one.ciphertext,
    )
