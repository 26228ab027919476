"""Items of a record pack, each with what the auditor finds when a byte of it is changed."""

from __future__ import annotations

from saphan_protocol.pack import parse_pack_item
from saphan_schemas.codec import encode
from saphan_schemas.errors import InvalidInput
from saphan_schemas.packs import PackItem
from saphan_schemas.records import Event

from support.agency import Agency
from support.ceremony import NOW
from support.logbook import Logbook
from support.mauling import Guarded, codes, named


def _book() -> Logbook:
    sender = Agency("la.ospp", NOW)
    book = Logbook([sender, Agency("kh.gpo", NOW)])
    attached = sender.bulletin(["kh.gpo"], NOW, attachments=[b"warrant", b"photo"])
    made, _ = book.submit("la.ospp", "kh.gpo", attached)
    book.time += 1000
    book.state(Event.HANDOVER, made, ("la.ospp", "kh.gpo"))
    book.show_head()
    book.sign()
    return book


BOOK = _book()
PACK = BOOK.pack()
NAMES = (
    "head",
    "agreement",
    "head of the log",
    "signature",
    "submission",
    "second signature",
    "handover",
    "end",
)


def audited(place: int, item: PackItem) -> None:
    """The audit with one item of the pack replaced; its finding as an error."""
    report = BOOK.audit([*PACK[:place], item, *PACK[place + 1 :]], sign=False)
    if report.finding is not None:
        raise InvalidInput(report.finding.code, report.finding.message)


def _item(place: int, found: str, rare: str = "", *, stride: int) -> Guarded:
    return Guarded(
        f"pack: {NAMES[place]}",
        encode(PACK[place]),
        lambda data: audited(place, parse_pack_item(data)),
        codes(f"pack_malformed {found}"),
        codes(rare),
        stride=stride,
        values=1,
    )


PACKS = named(
    _item(
        1,
        "agreement_unlogged agreement_roots signature_invalid",
        "batch_path malformed not_canonical",
        stride=47,
    ),
    _item(
        2,
        "note_encoding note_signature",
        "note_line note_malformed note_lines note_unsigned note_duplicate head_malformed"
        " head_origin head_root head_size head_signature",
        stride=31,
    ),
    _item(3, "signature_missing signature_invalid", stride=31),
    _item(
        4,
        "pack_order commitment_differs statement_differs key_foreign batch_path signature_missing"
        " malformed bulletin_id recipients_malformed",
        "suite_unknown times_malformed not_canonical marking_malformed key_unknown",
        stride=2,
    ),
    _item(
        6,
        "pack_order commitment_differs statement_differs key_unknown batch_path signature_missing",
        stride=2,
    ),
    _item(7, "pack_counts", stride=1),
)
