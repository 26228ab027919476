"""The judge's page: the verdict first, what is proven and what is not, in three languages."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from html import escape
from typing import Any

import pytest
from saphan.audit.page import AREAS as AUDIT_AREAS
from saphan.cli.evidence_pages import content_page, verdict_json, verdict_page
from saphan.evidence.page import AREAS, evidence_page
from saphan.evidence.picture import event_pictures
from saphan.evidence.sentences import (
    OBVIOUS,
    event_label,
    event_sentence,
    proven_sentences,
    remark_sentence,
)
from saphan.pages.blocks import Banner, Facts, Heading, Page, Picture, Table, Words
from saphan.pages.html import write_html
from saphan.pages.pdf import write_pdf
from saphan_protocol.bundle.facts import Proof
from saphan_protocol.bundle.report import GAPS, UNPROVEN, BundleStep, Outcome, Remark, Verdict
from saphan_protocol.bundle.verify import verify_bundle
from saphan_protocol.delivery import CODES
from saphan_protocol.words import word_lines
from saphan_schemas.bundles import BundleNote
from saphan_schemas.messages import LANGUAGES, has_text, known_keys, text
from saphan_schemas.records import Event
from support.agency import Agency
from support.audits import KH, LA
from support.bundled import Maker, recounted
from support.ceremony import NOW
from support.logbook import PINS, TYPES, Logbook
from support.story import TO, told

DIGEST = b"\x17" * 32


@cache
def verdict_of(kind: str) -> Verdict:
    maker = told(disclosed=kind == "disclosed")
    if kind == "gaps":
        handover = maker.entries()[1][0].index
        maker = told(hidden=frozenset((handover,)))
    if kind == "invalid":
        maker.sign()
        heads = {item.log for item in maker.items() if isinstance(item, BundleNote)}
        assert heads == {"directory", "evidence"}
        kept = [item for item in maker.items() if not _is_evidence_head(item)]
        return verify_bundle(recounted(kept), TYPES, PINS)
    return maker.verify(PINS if kind == "pinned" else None)


def _is_evidence_head(item: object) -> bool:
    return isinstance(item, BundleNote) and item.log == "evidence"


def shown(kind: str, lang: str = "en") -> tuple[Page, str]:
    page = evidence_page(verdict_of(kind), lang, DIGEST)
    return page, write_html(page).decode()


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("kind", ("valid", "pinned", "gaps", "invalid", "disclosed"))
def test_the_verdict_comes_first_and_in_the_readers_language(kind: str, lang: str) -> None:
    page, html = shown(kind, lang)
    outcome = {"gaps": Outcome.GAPS, "invalid": Outcome.INVALID}.get(kind, Outcome.VALID)
    assert verdict_of(kind).outcome is outcome
    first = page.blocks[0]
    assert isinstance(first, Banner)
    assert first.title == text(f"verdict.{outcome.value}", lang)
    assert first.tone == {"gaps": "warn", "invalid": "bad"}.get(kind, "good")
    assert html.startswith(f'<!doctype html>\n<html lang="{lang}">')
    assert html.index(escape(first.title)) < html.index("<table")
    assert DIGEST.hex() in html


@pytest.mark.parametrize("lang", LANGUAGES[1:])
def test_a_translation_says_that_nobody_has_reviewed_it(lang: str) -> None:
    page, _ = shown("valid", lang)
    assert page.notice is not None
    assert text("sheet.unreviewed", lang) in page.notice
    assert text("sheet.unreviewed") in page.notice, "also for who cannot read the translation"


def test_english_needs_no_such_warning() -> None:
    assert shown("valid")[0].notice is None


def test_each_event_its_proof_and_its_signer_are_shown() -> None:
    _, html = shown("valid")
    verdict = verdict_of("valid")
    assert [event.proof for event in verdict.events] == [Proof.SIGNED] * 4
    for event in verdict.events:
        assert escape(text(f"event.{event.event}")) in html
        assert text("sheet.logged", index=event.index) in html
        assert event.key is not None
        assert all(line in html for line in word_lines(event.key.key_id))
    assert "+ 01:00:00" in html
    assert verdict.bulletin_id.hex() in html


def test_the_time_line_has_a_lane_for_each_who_spoke() -> None:
    page, _ = shown("valid")
    (picture,) = (block for block in page.blocks if isinstance(block, Picture))
    said = [mark.said for mark in picture.drawing.marks if mark.name == "text"]
    assert said[:3] == ["la.ospp", "broker", "kh.gpo"]
    assert [text(f"event.{name}") in said for name in ("submitted", "handover", "read")] == [
        True
    ] * 3
    arrows = [mark for mark in picture.drawing.marks if mark.name == "polygon"]
    assert len(arrows) == 4


@pytest.mark.parametrize("lang", LANGUAGES)
def test_what_is_not_proven_is_always_said(lang: str) -> None:
    for kind in ("valid", "gaps", "disclosed"):
        _, html = shown(kind, lang)
        verdict = verdict_of(kind)
        assert {"maker", "nothing_else", "second_history", "times", "pins"} <= {
            remark.code for remark in verdict.unproven
        }
        for remark in verdict.unproven:
            assert escape(remark_sentence(remark, "unproven", lang)) in html
        for remark in verdict.gaps:
            assert escape(remark_sentence(remark, "gap", lang)) in html


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("kind", ("valid", "pinned", "gaps"))
def test_a_good_verdict_says_first_that_its_keys_are_its_own(kind: str, lang: str) -> None:
    """Who makes up a bridge gets the same verdict: only the agreement on paper tells them apart."""
    page, _ = shown(kind, lang)
    (banner,) = (block for block in page.blocks if isinstance(block, Banner))
    rests = "verdict.rests_on_pinned" if kind == "pinned" else "verdict.rests_on"
    assert text(rests, lang) in banner.sentences
    assert text("verdict.meaning", lang) in banner.sentences
    (agreement,) = verdict_of(kind).agreements
    lines = [
        line for block in page.blocks if isinstance(block, Words) for line in block.fingerprints
    ]
    assert word_lines(agreement.name) in [words for _, words in lines]
    told = list(verdict_page(verdict_of(kind)))
    assert [line.strip() for line in told if line.strip() in word_lines(agreement.name)]
    assert verdict_json(verdict_of(kind))["agreements"][0]["words"] == agreement.words


def test_a_claim_of_the_file_names_no_rules() -> None:
    verdict = replace(verdict_of("valid"), specification="rules of our own")
    assert "rules of our own" not in write_html(evidence_page(verdict, "en", DIGEST)).decode()


@pytest.mark.parametrize(
    "content",
    [
        {"about": 5, "more": {"k\x1b[31m\u202e": "x"}},
        {"about": [1, 2], "body": "text"},
        {"about": {"title": 5}, "body": None},
    ],
)
def test_content_of_an_unknown_type_has_any_form(content: dict[str, Any]) -> None:
    book = Logbook([Agency(LA, NOW), Agency(KH, NOW)])
    made = book.agencies[LA].bulletin([KH], book.time, content=content)
    book.submit(LA, KH, made)
    maker = Maker(book, made, LA)
    maker.disclose(book.agencies[LA])
    maker.sign()
    known = {name: digest for name, digest in TYPES.items() if name != made.header.schema}
    verdict = verify_bundle(maker.items(), known)
    assert {gap.code for gap in verdict.gaps} == {"schema_unknown"}
    html = write_html(evidence_page(verdict, "en", DIGEST)).decode()
    assert not {"\x1b", "\u202e"} & set(html)
    told = "\n".join(content_page(verdict, []))
    assert ("[31m" in html) == ("[31m" in told) == ("more" in content)


def test_a_gap_is_seen_in_the_picture_and_named() -> None:
    verdict = verdict_of("gaps")
    assert {gap.code for gap in verdict.gaps} == {"steps_missing"}
    _, html = shown("gaps")
    assert text("sheet.gaps") in html
    assert escape(text("gap.steps_missing", agency="kh.gpo", code="Accepted")) in html
    page, _ = shown("gaps")
    (picture,) = (block for block in page.blocks if isinstance(block, Picture))
    rings = [mark for mark in picture.drawing.marks if mark.look.get("fill") == "#ffffff"]
    assert len(rings) == 1


def test_of_an_invalid_bundle_only_the_failure_is_shown() -> None:
    page, html = shown("invalid")
    finding = verdict_of("invalid").finding
    assert finding is not None
    assert escape(finding.message) in html
    assert f"({finding.code})" in html
    for absent in ("sheet.proven", "sheet.what_happened", "sheet.fingerprints", "sheet.bulletin"):
        assert f"<h2>{text(absent)}</h2>" not in html
    assert not [block for block in page.blocks if isinstance(block, Picture)]
    assert text("step_state.failed") in html
    assert text("step_state.not_reached") in html


def test_disclosed_content_is_shown_as_text_and_never_as_markup() -> None:
    _, html = shown("disclosed")
    assert escape(TO) in html
    assert "<Vientiane>" not in html
    assert text("sheet.content") in html
    verdict = verdict_of("disclosed")
    assert verdict.content is not None
    assert escape(str(verdict.content.content["about"]["title"]["en"])) in html


def test_content_that_was_not_disclosed_is_not_there() -> None:
    _, html = shown("valid")
    assert f"<h2>{text('sheet.content')}</h2>" not in html
    assert escape(text("unproven.content")) in html


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_code_of_a_verdict_has_its_sentence(lang: str) -> None:
    keys = [f"gap.{code}" for code in GAPS] + [f"unproven.{code}" for code in UNPROVEN]
    keys += [f"evidence_step.{step.value}" for step in BundleStep]
    keys += [f"verdict.{outcome.value}" for outcome in Outcome]
    keys += [f"verdict.{outcome.value}_says" for outcome in Outcome]
    assert [key for key in keys if not has_text(key, lang)] == []


def test_a_remark_names_what_its_sentence_does_not() -> None:
    said = remark_sentence(Remark("revoked_between", {"index": 17, "key": "ab" * 32}), "gap", "en")
    assert said.endswith("(log position 17; key abababababababab)")
    assert (
        remark_sentence(Remark("code_of_a_newer_program"), "gap", "en") == "code_of_a_newer_program"
    )


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_page_is_made_for_the_archive_too(lang: str) -> None:
    assert b"pdfaid:part>2<" in write_pdf(shown("valid", lang)[0])


def test_a_long_story_is_drawn_on_several_sheets() -> None:
    verdict = verdict_of("valid")
    longer = replace(verdict, events=verdict.events * 8)
    parts = list(event_pictures(longer, "en"))
    assert [picture.says.split()[3] for picture in parts] == ["8"] * 4
    assert max(picture.drawing.height for picture in parts) * 0.75 < 640, "points of an A4 sheet"


def test_what_a_reader_looks_for_first_comes_first() -> None:
    page, _ = shown("disclosed")
    (facts,) = (
        block
        for block in page.blocks
        if isinstance(block, Facts) and "title en" in dict(block.rows)
    )
    names = [name for name, _ in facts.rows]
    assert names.index("title en") < names.index("summary en") < names.index("contact hours")


@pytest.mark.parametrize("lang", LANGUAGES[1:])
def test_no_page_falls_back_into_english(lang: str) -> None:
    wanted = {key for key in known_keys() if key.partition(".")[0] in AREAS | AUDIT_AREAS}
    assert wanted - known_keys(lang) == set()


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_code_of_a_receipt_has_its_words(lang: str) -> None:
    codes = set().union(*CODES.values()) - {None, *OBVIOUS}
    assert [code for code in codes if not has_text(f"code.{code}", lang)] == []


def test_a_machine_that_took_it_in_is_not_called_an_officer() -> None:
    read = replace(verdict_of("valid").events[-1], code="system")
    assert event_sentence(read, "en").startswith("kh.gpo signed that its case system")
    assert event_label(read, False, "en") == text("sheet.read_system")


@pytest.mark.parametrize("lang", LANGUAGES)
def test_whoever_reads_of_a_reading_learns_who_read(lang: str) -> None:
    verdict = verdict_of("valid")
    machine = replace(verdict.events[-1], code="system")
    unsigned = replace(verdict.events[-1], proof=Proof.UNSIGNED)
    by_officer, by_machine = (
        text(key, lang) for key in ("sheet.accepted_read", "sheet.accepted_system")
    )
    for events, outcome in (
        (verdict.events, by_officer),
        ((*verdict.events[:-1], machine), by_machine),
        ((*verdict.events[:-1], unsigned, machine), by_machine),
    ):
        page = evidence_page(replace(verdict, events=events), lang, DIGEST)
        (row,) = next(block for block in page.blocks if isinstance(block, Table)).rows
        assert row[:2] == ("kh.gpo", outcome)


def test_witnesses_are_named_for_what_they_have_signed_and_no_more() -> None:
    verdict = verdict_of("valid")
    said = text("proven.witnessed", names="kh.gpo, la.ospp", count=4, all=4)
    assert said in proven_sentences(verdict, "en")
    late = replace(verdict.events[-1], bound=None)
    part = replace(verdict, events=(*verdict.events[:-1], late))
    said = text("proven.witnessed", names="kh.gpo, la.ospp", count=3, all=4)
    assert said in proven_sentences(part, "en")
    directory, evidence = verdict.heads
    assert (directory.log, len(directory.witnesses)) == ("directory", 2)
    evidence = replace(evidence, witnesses=evidence.witnesses[:1])
    said = text("proven.witnessed", names="kh.gpo", count=4, all=4)
    one = replace(verdict, heads=(directory, evidence))
    assert said in proven_sentences(one, "en"), "the directory's witnesses saw no event"
    events = tuple(replace(event, bound=None) for event in verdict.events)
    assert "in the log as" not in " ".join(proven_sentences(replace(verdict, events=events), "en"))


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_event_has_its_own_sentence_and_words(lang: str) -> None:
    events = [event.value for event in Event] + ["submitted", "consigned"]
    keys = [f"{area}.{event}" for event in events for area in ("proven", "event")]
    assert [key for key in keys if not has_text(key, lang)] == []


@pytest.mark.parametrize(("allows", "said"), [(True, "kh.gpo"), (False, "-")])
def test_an_agreement_in_the_file_allowed_what_the_check_found(allows: bool, said: str) -> None:
    verdict = verdict_of("valid")
    (delivery,) = verdict.deliveries
    assert delivery.agreement == verdict.agreements[0].name
    if not allows:
        verdict = replace(verdict, deliveries=(replace(delivery, agreement=None),))
    page = evidence_page(verdict, "en", DIGEST)
    rows = [row for block in page.blocks if isinstance(block, Facts) for row in block.rows]
    assert (text("sheet.allowed"), said) in rows


def test_what_is_missing_is_read_before_what_happened() -> None:
    page, _ = shown("gaps")
    titles = [block.text for block in page.blocks if isinstance(block, Heading)]
    assert titles[:2] == [text("sheet.gaps"), text("sheet.outcomes")]


def test_a_code_is_said_in_words_and_exactly() -> None:
    event = replace(verdict_of("valid").events[2], event="rejected", code="rule_broken")
    assert "(the content breaks a rule of its type; rule_broken)" in event_sentence(event, "en")
    assert event_label(event, True, "en") == "Rejected (the content breaks a rule of its type)"
    sent = verdict_of("valid").events[0]
    assert event_label(sent, True, "en") == "Submitted: kh.gpo"
    assert event_label(sent, False, "en") == "Submitted"
