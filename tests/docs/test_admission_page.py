"""The page of admission names every step once, and every step of it has a test of its own."""

from __future__ import annotations

import re

from support.admission_at_broker import BROKER_ROWS
from support.admission_statements import RELEASES, STATEMENTS
from support.admission_submissions import SUBMISSIONS
from support.rooms import ROOT

PAGE = ROOT / "schemas/spec/admission.md"
ROW = re.compile(r"^\| (?P<step>[CSR]?\d+(?:\.\d+)?) \| .+ \| `(?P<code>\w+)` \| (?P<kind>\w+) \|$")


def page() -> dict[str, tuple[str, str]]:
    """(code, kind of refusal) by step, in the order of the page."""
    found = {}
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        matched = ROW.match(line)
        if matched:
            assert matched["step"] not in found, f"{matched['step']} stands twice"
            found[matched["step"]] = (matched["code"], matched["kind"])
    return found


def test_every_row_of_a_table_of_steps_is_read() -> None:
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = [line for line in lines if line.endswith(("| plain |", "| record |"))]
    assert len(rows) == len(page()) > 70


def test_every_step_has_a_defect_of_its_own_and_its_code_is_the_page_s() -> None:
    pure = {row.step: row.code for row in (*SUBMISSIONS, *STATEMENTS, *RELEASES)}
    broker = {row.step: row.code for row in BROKER_ROWS}
    for both in pure.keys() & broker.keys():
        assert pure[both] == broker[both]
    assert pure | broker == {step: code for step, (code, _kind) in page().items()}


def test_plain_answers_and_records_are_as_the_page_says() -> None:
    kinds = {step: kind for step, (_code, kind) in page().items()}
    for row in BROKER_ROWS:
        assert kinds[row.step] == ("record" if row.record else "plain")
    for step in (row.step for row in SUBMISSIONS):
        proven = int(step.partition(".")[0]) >= 8
        assert kinds[step] == ("record" if proven else "plain")


def test_steps_stand_in_their_order() -> None:
    steps = [step for step in page() if step[0].isdigit()]
    numbers = [tuple(map(int, step.split("."))) for step in steps]
    assert numbers == sorted(numbers)
