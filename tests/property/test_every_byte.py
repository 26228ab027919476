"""Change any byte of anything that is signed, sealed or logged: the right layer refuses it.

The tables in `support.guarded_*` say for each object who judges it and with which codes. A judge
that takes changed bytes fails here, and so does any exception that is not one of our errors. What
a later layer alone covers (a leaf's due-day, a salt, an entry committed anew) stands in the tables
with that layer.
"""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from saphan_protocol.checkpoint import verify_head
from saphan_protocol.notes import add_lines
from saphan_schemas.codec import decode, encode
from saphan_schemas.errors import SaphanError
from saphan_schemas.packs import PackHead
from support.ceremony import NOW
from support.guarded_attachments import ATTACHMENTS
from support.guarded_bulletins import AT_THE_BROKER, AT_THE_RECIPIENT
from support.guarded_directory import DIRECTORY
from support.guarded_holds import HOLDS
from support.guarded_logs import ENTRIES, HEAD, LOGS, ORIGIN, SHELF
from support.guarded_packs import BOOK, PACK, PACKS
from support.guarded_receipts import RECEIPTS
from support.log_keys import log_pair, witness_lines, witness_pair
from support.mauling import Guarded, replaced

TABLE = (
    AT_THE_BROKER
    | AT_THE_RECIPIENT
    | ATTACHMENTS
    | RECEIPTS
    | ENTRIES
    | LOGS
    | DIRECTORY
    | HOLDS
    | PACKS
)
OBJECTS = (
    "header",
    "consignment",
    "signature",
    "stanza",
    "ciphertext",
    "attachment",
    "inner",
    "content",
    "receipt",
    "entry",
    "record",
    "leaf",
    "salt",
    "tile",
    "head",
    "enrolment",
    "operation",
    "agreement",
    "own schema",
    "pack",
)
"""What the issue names, and what belongs to it."""

guarded = pytest.mark.parametrize("name", TABLE)


def test_every_kind_of_object_has_a_judge() -> None:
    assert [kind for kind in OBJECTS if not any(kind in name for name in TABLE)] == []


@guarded
def test_unchanged_bytes_are_taken(name: str) -> None:
    TABLE[name].judge(TABLE[name].data)


@guarded
def test_every_byte_counts(name: str) -> None:
    one = TABLE[name]
    seen = Counter(one.refusal(mauled) for mauled in one.maulings())
    seen += Counter(one.refusal(cut) for cut in one.cuts())
    assert one.codes - set(seen) == set(), "a code of the table that no change leads to"


@st.composite
def changed(draw: st.DrawFn, one: Guarded) -> bytes:
    """Another value at any place; or bytes taken out, put in or exchanged."""
    data = one.data
    at = draw(st.integers(0, len(data) - 1))
    how = draw(
        st.sampled_from(("replace", "remove", "insert", "swap") if one.cut else ("replace",))
    )
    if how == "replace":
        return replaced(data, at, draw(st.integers(0, 255).filter(lambda v: v != data[at])))
    if how == "remove":
        return data[:at] + data[at + draw(st.integers(1, 64)) :]
    if how == "insert":
        return data[:at] + draw(st.binary(min_size=1, max_size=64)) + data[at:]
    other = draw(st.integers(0, len(data) - 1))
    return replaced(replaced(data, at, data[other]), other, data[at])


@guarded
@given(data=st.data())
def test_any_change_is_refused(name: str, data: st.DataObject) -> None:
    one = TABLE[name]
    mauled = data.draw(changed(one))
    if mauled != one.data:
        one.refusal(mauled)


# --- what is carried along and believed by nobody -------------------------------------------------

WITNESS = "kh.gpo"
COSIGNED = add_lines(SHELF.head, witness_lines(WITNESS, HEAD.text, NOW // 1000))


def test_a_changed_cosignature_never_counts() -> None:
    """Lines of unknown names are somebody else's: the head stands, without that witness."""
    keys, witness = log_pair(ORIGIN), witness_pair(WITNESS)
    assert len(verify_head(COSIGNED, keys, [witness]).cosignatures) == 1
    found: Counter[str] = Counter()
    for at in range(len(SHELF.head), len(COSIGNED)):
        try:
            head = verify_head(
                replaced(COSIGNED, at, COSIGNED[at] ^ (1 << at % 7)), keys, [witness]
            )
        except SaphanError as error:
            found[error.code] += 1
        else:
            assert (head.ref, head.cosignatures) == (HEAD.ref, ())
            found["taken without the witness"] += 1
    assert set(found) == {
        "taken without the witness", "note_encoding", "note_line", "note_signature",
    }  # fmt: skip


def test_what_a_pack_says_of_itself_changes_no_finding() -> None:
    """A pack's head is signed by nobody: its maker, time and range are a label on the folder."""
    first = PACK[0]
    assert isinstance(first, PackHead)
    honest = BOOK.audit(PACK, sign=False)
    data, found = encode(first), Counter[str]()
    for at in range(len(data)):
        try:
            item = decode(PackHead, replaced(data, at, data[at] ^ (1 << at % 8)), 4096, "pack")
        except SaphanError as error:
            found[error.code] += 1
            continue
        report = BOOK.audit([item, *PACK[1:]], sign=False)
        found[report.finding.code if report.finding else "no finding"] += 1
        if report.finding is None:
            assert report.coverage == honest.coverage
            for name in ("format", "directory", "evidence"):
                assert getattr(item, name) == getattr(first, name)
    assert set(found) == {"malformed", "pack_format", "pack_origin", "pack_order", "no finding"}
