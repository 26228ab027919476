"""An evidence bundle, step by step: what is wrong is refused at the step that says so."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from saphan_protocol.bundle.report import GAPS, UNPROVEN, BundleStep, Outcome
from saphan_protocol.bundle.verify import verify_bundle
from saphan_protocol.delivery import State
from saphan_schemas import messages
from saphan_schemas.bundles import (
    BundleAnchor,
    BundleBody,
    BundleEntry,
    BundleHead,
    BundleItem,
    BundleLeaves,
    BundleNote,
    BundlePackage,
    BundleSignature,
)
from saphan_schemas.errors import InvalidInput
from saphan_schemas.records import Event
from support.audits import KH, LA
from support.bundled import Maker, begun, recounted, refusal, replaced, said
from support.logbook import PINS, TYPES

Edit = Callable[[list[Any]], None]


@pytest.fixture(scope="module")
def items() -> list[BundleItem]:
    """A bulletin's whole good life, disclosed by its sender."""
    book, made = begun()
    said(book, made, Event.HANDOVER, Event.ACCEPTED, Event.READ)
    maker = Maker(book, made, LA)
    maker.disclose(book.agencies[LA])
    maker.sign()
    return maker.items()


def test_a_whole_life_is_valid_and_every_step_was_taken(items: list[BundleItem]) -> None:
    verdict = verify_bundle(items, TYPES, PINS)
    assert verdict.outcome is Outcome.VALID, (verdict.finding, verdict.gaps)
    *steps, succession = verdict.steps
    assert {step.state for step in steps} == {"passed"}
    assert succession.state == "not_needed"
    (delivery,) = verdict.deliveries
    assert (delivery.recipient, delivery.state) == (KH, State.READ)
    assert delivery.whole
    assert delivery.witnessed
    assert delivery.events == (1, 2, 3, 4)
    assert [event.event for event in verdict.events[-2:]] == ["read", "exported"]
    assert verdict.content is not None
    assert verdict.content.authors[0].handle == "officer"
    assert verdict.content.attachments[0].opened
    assert verdict.content.schema_checked
    assert verdict.disclosure is not None
    assert verdict.disclosure.index == 5
    assert verdict.pinned
    assert "pins" not in {line.code for line in verdict.unproven}


def test_what_no_bundle_proves_is_said_with_every_verdict(items: list[BundleItem]) -> None:
    always = {"pins", "roots", "maker", "nothing_else", "second_history", "times"}
    assert always <= {line.code for line in verify_bundle(items, TYPES).unproven}


def test_attachments_go_to_whoever_asks_for_them(items: list[BundleItem]) -> None:
    kept: list[tuple[int, bytes]] = []
    verify_bundle(items, TYPES, sink=lambda number, data: kept.append((number, data)))
    assert b"".join(data for _, data in kept) == b"%PDF-1.7 report"
    assert {number for number, _ in kept} == {0}


def test_every_gap_line_and_step_has_its_sentence() -> None:
    keys = messages.known_keys()
    assert {f"gap.{code}" for code in GAPS} == {key for key in keys if key.startswith("gap.")}
    assert {f"unproven.{code}" for code in UNPROVEN} <= set(keys)
    assert {f"evidence_step.{step}" for step in BundleStep} <= set(keys)


def test_what_does_not_begin_as_a_bundle_is_none(items: list[BundleItem]) -> None:
    for wrong in ([], items[1:], [replaced(items[0], format="saphan/bundle/2"), *items[1:]]):
        with pytest.raises(InvalidInput) as caught:
            verify_bundle(wrong, TYPES)
        assert caught.value.code == "evidence_foreign"


def place(items: list[Any], kind: type[Any], number: int = 0) -> int:
    return [index for index, item in enumerate(items) if isinstance(item, kind)][number]


def edited(kind: type[Any], number: int = 0, **fields: Any) -> Edit:
    """Replace fields of the item; a function gets the old value."""

    def edit(items: list[Any]) -> None:
        index = place(items, kind, number)
        old = items[index]
        new = {k: v(getattr(old, k)) if callable(v) else v for k, v in fields.items()}
        items[index] = replaced(old, **new)

    return edit


def without(kind: type[Any], number: int = 0) -> Edit:
    def edit(items: list[Any]) -> None:
        del items[place(items, kind, number)]

    return edit


def swapped(kind: type[Any], one: int, other: int) -> Edit:
    def edit(items: list[Any]) -> None:
        a, b = place(items, kind, one), place(items, kind, other)
        items[a], items[b] = items[b], items[a]

    return edit


def shown(**fields: Any) -> Callable[[Any], Any]:
    return lambda entry: replaced(entry, **fields)


def flipped(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


CASES: list[tuple[str, Edit, str, str]] = [
    ("head twice", lambda items: items.insert(1, items[0]), "V1", "evidence_order"),
    ("entries swapped", swapped(BundleEntry, 0, 1), "V1", "evidence_order"),
    ("anchor after entries", lambda items: items.insert(-4, items[8]), "V1", "evidence_order"),
    ("no evidence head", without(BundleNote, 1), "V1", "evidence_order"),
    ("two directory heads", lambda i: i.insert(1, i[1]), "V1", "evidence_order"),
    ("another log's pins", edited(BundleHead, directory=PINS.evidence), "V2", "pins_malformed"),
    (
        "keys exchanged",
        edited(BundleHead, evidence=lambda pin: replaced(pin, vkeys=pin.vkeys[::-1])),
        "V2",
        "pins_malformed",
    ),
    (
        "directory head",
        edited(BundleNote, note=lambda n: n.replace(b"\n4\n", b"\n5\n")),
        "V3",
        "note_signature",
    ),
    (
        "evidence head",
        edited(BundleNote, 1, note=lambda n: n.replace(b"\n6\n", b"\n5\n")),
        "V4",
        "note_signature",
    ),
    (
        "a first head continues",
        edited(BundleNote, 1, consistency=(bytes(32),)),
        "V1",
        "evidence_order",
    ),
    ("directory cut", without(BundleLeaves, 1), "V5", "log_short"),
    ("directory begins later", edited(BundleLeaves, start=1), "V5", "log_short"),
    (
        "a leaf changed",
        edited(BundleLeaves, leaves=lambda leaves: (*leaves[:2], flipped(leaves[2]))),
        "V6",
        "leaf_malformed",
    ),
    ("agreement changed", edited(BundlePackage, package=flipped), "V7", "malformed"),
    ("anchor's path", edited(BundleAnchor, path=lambda p: p[1:]), "V9", "proof_inclusion"),
    ("anchor's size", edited(BundleAnchor, size=3), "V9", "proof_inclusion"),
    ("anchor's head", edited(BundleAnchor, head=5), "V9", "head_unshown"),
    ("entry's head", edited(BundleEntry, head=5), "V10", "head_unshown"),
    (
        "entry's path",
        edited(BundleEntry, path=lambda p: (bytes(32), *p[1:])),
        "V10",
        "proof_inclusion",
    ),
    ("entry's salt", edited(BundleEntry, shown=shown(salt=bytes(32))), "V10", "proof_inclusion"),
    ("entry's place", edited(BundleEntry, 4, shown=shown(index=6)), "V10", "proof_inclusion"),
    (
        "statement",
        edited(BundleEntry, 1, shown=lambda e: replaced(e, statement=flipped(e.statement))),
        "V10",
        "statement_differs",
    ),
    ("no header", edited(BundleEntry, shown=shown(header=None)), "V10", "entry_incomplete"),
    (
        "header beside a statement",
        edited(BundleEntry, 1, shown=shown(header=b"")),
        "V10",
        "entry_excess",
    ),
    ("no anchor", without(BundleAnchor), "V12", "anchor_unshown"),
    ("another bulletin", edited(BundleHead, bulletin=bytes(32)), "V12", "bulletin_differs"),
    ("no consignment", without(BundleEntry), "V12", "consignment_missing"),
    ("a stranger's bundle", edited(BundleHead, maker="vn.vks"), "V12", "maker_foreign"),
    (
        "signature",
        edited(BundleSignature, batch=lambda b: replaced(b, signature=flipped(b.signature))),
        "V12",
        "signature_invalid",
    ),
    (
        "a receipt's signature",
        edited(BundleSignature, 1, batch=lambda b: replaced(b, signature=flipped(b.signature))),
        "V13",
        "signature_invalid",
    ),
    ("content key", lambda items: swap_key(items), "V15", "disclosure_key"),
    ("disclosure", lambda items: tell_otherwise(items), "V15", "signature_invalid"),
    ("sealed bytes", edited(BundleBody, data=flipped), "V16", "body_differs"),
    ("sealed bytes cut", without(BundleBody, 1), "V16", "body_differs"),
    ("attachment's bytes", edited(BundleBody, -1, data=flipped), "V16", "body_differs"),
    (
        "no such place",
        lambda items: items.insert(-1, BundleBody(3, b"more")),
        "V1",
        "evidence_order",
    ),
]


def swap_key(items: list[Any]) -> None:
    index = next(i for i, item in enumerate(items) if hasattr(item, "content_key"))
    items[index] = replaced(items[index], content_key=bytes(32))


def tell_otherwise(items: list[Any]) -> None:
    index = next(i for i, item in enumerate(items) if hasattr(item, "content_key"))
    told = items[index].disclosure.replace(b"Vientiane", b"Vientiann")
    items[index] = replaced(items[index], disclosure=told)


@pytest.mark.parametrize(
    ("edit", "step", "code"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_one_defect_is_refused_at_its_step(
    items: list[BundleItem], edit: Edit, step: str, code: str
) -> None:
    changed: list[Any] = list(items)
    edit(changed)
    verdict = verify_bundle(recounted(changed), TYPES)
    assert refusal(verdict) == (step, code)
    assert verdict.outcome is Outcome.INVALID
    assert not verdict.events
    assert not verdict.deliveries
    (failed,) = [one.step for one in verdict.steps if one.state == "failed"]
    assert failed == step


def test_a_bundle_that_was_cut_or_thinned_is_noticed(items: list[BundleItem]) -> None:
    assert refusal(verify_bundle(items[:-1], TYPES)) == ("V1", "evidence_cut")
    assert refusal(verify_bundle([*items, items[-1]], TYPES)) == ("V1", "evidence_malformed")
    thinned = [item for item in items if not isinstance(item, BundleBody)]
    assert refusal(verify_bundle(thinned, TYPES)) == ("V1", "evidence_counts")


def test_other_pins_than_the_readers_are_refused(items: list[BundleItem]) -> None:
    other = type(PINS)(name=PINS.name, directory=PINS.directory, evidence=PINS.directory)
    assert refusal(verify_bundle(items, TYPES, other)) == ("V2", "pins_foreign")
