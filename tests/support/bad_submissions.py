"""Submissions, statements and operations that a broker must refuse, each with its code.

Every case is made by somebody who holds the keys of its sender: what is wrong is what is said.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from saphan_schemas.frames import StatementItem, Submission
from saphan_schemas.limits import DAY_MS
from saphan_schemas.records import BatchSignature, Event

from support.agency import Agency, Made

Submitted = tuple[tuple[Submission, ...], BatchSignature]
replace = msgspec.structs.replace


@dataclass(frozen=True)
class Bad:
    """One kind of bad submission from la.ospp to kh.gpo.

    Args:
        make: (sender, recipient, now, good bulletin) to what is sent.
        logged: whether the refusal is a record: the sender was proven before it was refused.
    """

    code: str
    make: Callable[[Agency, Agency, int, Made], Submitted]
    logged: bool = False


def _part(**change: Callable[[Any], object]) -> Callable[[Agency, Agency, int, Made], Submitted]:
    """A good submission, parts of which are changed on the way."""

    def make(sender: Agency, to: Agency, now: int, made: Made) -> Submitted:
        (item,), batch = sender.submissions([made], [to])
        changed = {name: work(getattr(item, name)) for name, work in change.items()}
        return (replace(item, **changed),), batch

    return make


def _header(**fields: Any) -> Callable[[Agency, Agency, int, Made], Submitted]:
    """A whole, rightly signed submission of a header that may not be; ms are from now."""

    def make(sender: Agency, to: Agency, now: int, made: Made) -> Submitted:
        given = {
            name: now + value if name in ("created", "expires", "answer_by") else value
            for name, value in fields.items()
        }
        bulletin = sender.bulletin(given.pop("recipients", [to.name]), now, **given)
        return sender.submissions([bulletin], [to])

    return make


def _same_nonce(sender: Agency, to: Agency, now: int, made: Made) -> Submitted:
    return sender.submissions([sender.bulletin([to.name], now, nonce=made.header.nonce)], [to])


def _signed_by_another_key(sender: Agency, to: Agency, now: int, made: Made) -> Submitted:
    """la.ospp's node signs with a key that the directory has never seen."""
    thief = Agency(sender.name, now)
    thief.node = Agency("th.stranger", now).node
    return thief.submissions([sender.bulletin([to.name], now)], [to])


def _signature_of_another(sender: Agency, to: Agency, now: int, made: Made) -> Submitted:
    items, batch = sender.submissions([sender.bulletin([to.name], now)], [to])
    _, other = sender.submissions([made], [to])
    return items, replace(batch, signature=other.signature)


def _to_a_strangers_mailbox(sender: Agency, to: Agency, now: int, made: Made) -> Submitted:
    stranger = Agency("th.stranger", now)
    stranger.name = to.name
    return sender.submissions([sender.bulletin([to.name], now)], [stranger])


def _cut(data: bytes) -> bytes:
    return data[:-1]


def _longer_integer(header: bytes) -> bytes:
    """The suite, 1, as a two-byte integer: the same value in another spelling."""
    assert header[1] == 1
    return header[:1] + b"\xcc\x01" + header[2:]


def _not_text(header: bytes) -> bytes:
    return header.replace(b"la.ospp", b"la.os\xff\xfe", 1)


def _flipped(data: Any) -> Any:
    """The first byte of bytes, or of the first of several."""
    if isinstance(data, tuple):
        return (_flipped(data[0]), *data[1:])
    return bytes([data[0] ^ 1]) + data[1:]


SUBMISSIONS = {
    "header cut off": Bad("malformed", _part(header=_cut)),
    "consignment cut off": Bad("malformed", _part(consignment=_cut)),
    "header in another spelling": Bad("not_canonical", _part(header=_longer_integer)),
    "header that is not UTF-8": Bad("malformed", _part(header=_not_text)),
    "header nested as deep as it may be long": Bad(
        "malformed", _part(header=lambda data: b"\x91" * 8192)
    ),
    "recipient named twice": Bad("recipients_malformed", _header(recipients=["kh.gpo", "kh.gpo"])),
    "suite of another program": Bad("suite_unknown", _header(suite=2)),
    "sender that is not the peer": Bad("sender_not_peer", _header(sender="th.oncb")),
    "node key that nobody enrolled": Bad("key_unknown", _signed_by_another_key),
    "signature of something else": Bad("signature_invalid", _signature_of_another),
    "consignment changed after signing": Bad(
        "signature_missing", _part(item=lambda item: replace(item, salt=bytes(32)))
    ),
    "ciphertext with another digest": Bad("bulletin_id", _part(ciphertext=_flipped), True),
    "ciphertext cut off": Bad("bulletin_id", _part(ciphertext=_cut), True),
    "stanza with another digest": Bad("stanza_digest", _part(stanzas=_flipped), True),
    "stanza too many": Bad("stanza_count", _part(stanzas=lambda given: given * 2), True),
    "schema that no agreement names": Bad(
        "agreement_schema", _header(schema="saphan/subject_notice/1"), True
    ),
    "schema with another digest": Bad("schema_digest", _header(schema_digest=bytes(32)), True),
    "schema that nobody registered": Bad(
        "schema_unregistered", _header(schema="saphan/unheard_of/1"), True
    ),
    "mailbox of an agency not enrolled": Bad("key_unknown", _to_a_strangers_mailbox, True),
    "expired": Bad("expired", _header(created=-2 * DAY_MS, expires=-1000), True),
    "from the future": Bad("created_in_future", _header(created=DAY_MS, expires=2 * DAY_MS), True),
    "replayed with other content": Bad("replay", _same_nonce, True),
}


def statements(by: Agency, made: Made, now: int) -> dict[str, tuple[str, StatementItem, Any]]:
    """Bad handovers of a good bulletin by its recipient: name to (code, item, signature)."""
    there, about = ("la.ospp", "kh.gpo"), (made.bulletin_id, made.ciphertext_digest)

    def say(
        event: Event, pair: tuple[bytes, bytes], time: int = now, code: str | None = None
    ) -> tuple[StatementItem, BatchSignature]:
        (item,), batch = by.statements(event, [pair], there, time, code)
        return item, batch

    good, batch = say(Event.HANDOVER, about)
    _, other = say(Event.HANDOVER, about)
    cases: dict[str, tuple[str, Sequence[Any]]] = {
        "cut off": ("malformed", (replace(good, statement=good.statement[:-1]), batch)),
        "of another event": ("signature_missing", (replace(good, event=Event.ACCEPTED), batch)),
        "with another's signature": (
            "signature_invalid",
            (good, replace(batch, signature=other.signature)),
        ),
        "in a corridor of others": (
            "issuer_wrong",
            (replace(good, sender="kh.gpo", recipient="la.ospp"), batch),
        ),
        "about other bytes": ("statement_subject", say(Event.HANDOVER, (about[0], bytes(32)))),
        "about no bulletin": ("bulletin_unknown", say(Event.HANDOVER, (bytes(32), about[1]))),
        "from the future": ("stated_in_future", say(Event.HANDOVER, about, now + DAY_MS)),
        "with a code of its own": (
            "code_unknown",
            say(Event.REJECTED, about, code="no_such_code"),
        ),
        "before its turn": ("order_illegal", say(Event.ACCEPTED, about)),
    }
    return {name: (code, pair[0], pair[1]) for name, (code, pair) in cases.items()}
