"""A bundle of a log that was lost, and of the one that follows it: what it shows of that (V18)."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from msgspec.structs import replace
from saphan.evidence.page import evidence_page
from saphan.evidence.sentences import proven_sentences, verdict_sentences
from saphan.pages.html import write_html
from saphan_protocol.bundle.facts import SuccessionSeen
from saphan_protocol.bundle.report import Outcome, Verdict
from saphan_protocol.bundle.verify import verify_bundle
from saphan_schemas.bundles import BundleItem, BundleSuccession
from saphan_schemas.messages import LANGUAGES, text
from saphan_schemas.records import Event
from saphan_schemas.succession_frames import Step
from support.audits import LA
from support.bundled import Maker, begun, recounted, said
from support.logbook import PINS, TYPES
from support.successors import step_after

FIRST, SECOND, THIRD = (f"bridge.test/evidence/{number}" for number in (1, 2, 3))
Bundle = tuple[list[BundleItem], int, bytes]


@pytest.fixture(scope="module")
def bundle() -> Bundle:
    """A bundle of the first log, and that log's size and root."""
    book, made = begun()
    said(book, made, Event.HANDOVER, Event.ACCEPTED)
    maker = Maker(book, made, LA)
    maker.sign()
    return maker.items(), len(book.evidence.kept), book.evidence.root()


def judged(bundle: Bundle, *steps: Step) -> Verdict:
    items = bundle[0]
    shown = (BundleSuccession(step) for step in steps)
    return verify_bundle(recounted([*items[:-1], *shown, items[-1]]), TYPES, PINS)


def after(bundle: Bundle, size: int | None = None, root: bytes | None = None) -> Step:
    _, here, own = bundle
    return step_after(FIRST, here if size is None else size, own if root is None else root, 2**40)


def test_a_bundle_of_a_lost_log_is_valid_and_says_that_another_followed(bundle: Bundle) -> None:
    whole = judged(bundle)
    verdict = judged(bundle, after(bundle))
    assert (verdict.outcome, verdict.gaps) == (whole.outcome, whole.gaps)
    assert verdict.successions == (SuccessionSeen(FIRST, SECOND, bundle[1], bundle[2]),)
    assert [step.state for step in verdict.steps if step.step == "V18"] == ["passed"]
    assert [step.state for step in whole.steps if step.step == "V18"] == ["not_needed"]


def test_a_successor_that_names_more_denies_nothing(bundle: Bundle) -> None:
    assert judged(bundle, after(bundle, bundle[1] + 9, bytes(32))).gaps == judged(bundle).gaps


@pytest.mark.parametrize(("less", "root"), ((1, bytes(32)), (0, bytes(32))))
def test_a_successor_that_denies_what_is_shown_undoes_nothing(
    bundle: Bundle, less: int, root: bytes
) -> None:
    verdict = judged(bundle, after(bundle, bundle[1] - less, root))
    assert verdict.outcome is Outcome.GAPS
    assert "successor_denies" in {gap.code for gap in verdict.gaps}
    assert verdict.deliveries == judged(bundle).deliveries


def refused(bundle: Bundle, *steps: Step) -> tuple[str, str]:
    finding = judged(bundle, *steps).finding
    assert finding is not None
    return finding.step.value, finding.code


def test_what_is_no_succession_of_this_log_is_refused(bundle: Bundle) -> None:
    good = after(bundle)
    third = step_after(SECOND, 5, bytes(32), 2**40)
    assert refused(bundle, third) == ("V1", "evidence_order")
    assert refused(bundle, good, good) == ("V1", "evidence_order")
    assert refused(bundle, replace(good, evidence=FIRST)) == ("V1", "evidence_order")
    other = replace(good, evidence="other.test/evidence/2")
    assert refused(bundle, other) == ("V18", "successor_malformed")
    assert refused(bundle, replace(good, path=good.path[:-1])) == ("V18", "proof_inclusion")
    named = step_after("bridge.test/other/1", 5, bytes(32), 2**40)
    assert refused(bundle, replace(named, evidence=SECOND))[0] == "V18"
    assert refused(bundle, good, good, good) == ("V1", "evidence_order")


def test_a_succession_stands_before_the_end_and_is_counted(bundle: Bundle) -> None:
    items, shown = bundle[0], BundleSuccession(after(bundle))
    check = partial(verify_bundle, known_types=TYPES, pins=PINS)
    found: list[Any] = [
        check([*items[:-1], shown, items[-1]]).finding,
        check(recounted([items[0], shown, *items[1:]])).finding,
    ]
    assert [(one.step, one.code) for one in found] == [
        ("V1", "evidence_counts"),
        ("V1", "evidence_order"),
    ]


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_judges_page_says_which_log_and_that_it_was_followed(bundle: Bundle, lang: str) -> None:
    verdict = judged(bundle, after(bundle))
    named = {"lost": FIRST, "follows": SECOND}
    followed = text("verdict.log_followed", lang, **named)
    assert followed in verdict_sentences(verdict, lang)
    proven = text("proven.succession", lang, **named, size=str(bundle[1]))
    assert proven in list(proven_sentences(verdict, lang))
    html = write_html(evidence_page(verdict, lang, bytes(32))).decode()
    assert followed in html
    plain = verdict_sentences(judged(bundle), lang)
    assert not [line for line in plain if FIRST in line or SECOND in line]
