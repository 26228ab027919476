"""`saphan schema`: types, codes and examples as people see them, and the form at a terminal."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from saphan.form.filling import Filling
from saphan_schemas.bodies import NAMES, digest
from saphan_schemas.body_types import BUILT_IN
from saphan_schemas.labels import title
from saphan_schemas.messages import LANGUAGES, text
from saphan_schemas.samples import SAMPLES, files, wish
from support.command import Ran, saphan, saphan_here, typed
from support.forms import filled
from support.terminals import Terminal

STEMS = tuple(name.split("/")[1] for name in NAMES)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def written(path: Path, value: Any) -> Path:
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    return path


def changed(name: str, pointer: str, value: Any) -> dict[str, Any]:
    """A sample's wish with one value put elsewhere; None takes it away."""
    whole = wish(name)
    at: Any = whole
    *way, last = [int(step) if step.isdigit() else step for step in pointer.split("/")[1:]]
    for step in way:
        at = at[step]
    if value is None:
        del at[last]
    else:
        at[last] = value
    return whole


# --- list, show, example --------------------------------------------------------------------------


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_types_are_listed_with_their_names(lang: str) -> None:
    ran = saphan_here("schema", "list", "--lang", lang)
    assert [line.split()[0] for line in ran.out.splitlines()] == list(NAMES)
    found = saphan_here("schema", "list", "--json").json["types"]
    assert [(row["name"], row["digest"]) for row in found] == [
        (name, digest(name).hex()) for name in NAMES
    ]


@pytest.mark.parametrize("stem", STEMS)
def test_a_type_is_shown_with_every_field_of_its_body(stem: str) -> None:
    ran = saphan_here("schema", "show", stem)
    body = saphan_here("schema", "show", stem, "--json").json["schema"]["properties"]["body"]
    shown = {line.split()[0] for line in ran.out.splitlines() if re.match(r"[a-z]", line)}
    assert set(body["properties"]) <= shown


def test_a_part_of_a_type_is_shown_alone_and_all_its_codes() -> None:
    ran = saphan_here("schema", "show", "drug_seizure", "body/substances/0/unit", "--codes")
    assert "KGM" in ran.out
    assert "H87" in ran.out
    assert "seized_at" not in ran.out
    lao = saphan_here("schema", "show", "drug_seizure", "about", "--lang", "lo").out
    assert "message_kind" in lao
    assert re.search("[\u0e80-\u0eff]", lao)


def test_what_is_not_there_is_said_with_the_next_step() -> None:
    assert saphan_here("schema", "show", "parking_ticket", status=2).code == "schema_unknown"
    ran = saphan_here("schema", "show", "drug_seizure", "body/nothing", status=2)
    assert ran.code == "field_unknown"
    assert "saphan schema show drug_seizure" in ran.err
    assert saphan_here("schema", "example", "nothing", status=2).code == "schema_unknown"


@pytest.mark.parametrize("name", SAMPLES)
def test_every_example_is_right(place: Path, name: str) -> None:
    path = place / "bulletin.json"
    said = saphan_here("schema", "example", name, "--out", path).out
    assert path.stat().st_mode & 0o777 == 0o600
    value = json.loads(path.read_text())
    shown = saphan_here("schema", "example", name, "--json").json
    assert shown == value | {key: shown[key] for key in shown.keys() & {"attachments"}}
    told = said.partition("saphan schema check")[2].split()
    assert told.count("--attach") == len(files(name))
    assert saphan_here("schema", "check", *told, "--json").json["valid"] is True
    assert saphan_here("schema", "example", name, "--out", path, status=5).code == "file_exists"


# --- check ----------------------------------------------------------------------------------------

FAULTS = (
    ("drug_seizure", "/body/substances/0/unit", "XYZ", "schema_invalid", "KGM"),
    ("drug_seizure", "/body/substances/0/amount", "-1", "schema_invalid", "3240.5"),
    ("drug_seizure", "/body/place/kind", None, "schema_invalid", "checkpoint"),
    ("drug_seizure", "/about/review_at", "2025-02-30", "schema_invalid", "2025-10-14"),
    ("case_statistics", "/body/totals_check/0/value", "1", "rule_broken", "6434"),
    ("drug_seizure", "/about/title/en", "a\u202eb", "text_forbidden", None),
)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize(("name", "pointer", "value", "code", "right"), FAULTS)
def test_a_fault_is_said_in_the_officers_language(
    place: Path, name: str, pointer: str, value: Any, code: str, right: str | None, lang: str
) -> None:
    path = written(place / "bulletin.json", changed(name, pointer, value))
    ran = saphan_here("schema", "check", path, "--lang", lang, status=2)
    assert ran.code == code
    (line,) = [line for line in ran.err.splitlines() if line.startswith("saphan: ")]
    assert f"[{pointer}]" in line
    assert right is None or right in line
    if lang != "en":
        low = {"lo": "\u0e80", "km": "\u1780"}[lang]
        assert any(low <= char <= chr(ord(low) + 0x7F) for char in line)
    if value in ("XYZ", "-1", "2025-02-30"):
        assert value not in line  # it may be a name


def test_programs_get_the_sentence_too(place: Path) -> None:
    path = written(place / "b.json", changed("drug_seizure", "/body/substances/0/unit", "XYZ"))
    ran = saphan_here("schema", "check", path, "--json", "--lang", "lo", status=2)
    error = json.loads(ran.err)["error"]
    assert error["field"] == "/body/substances/0/unit"
    assert "GRM" in error["explained"]
    assert "ກຣາມ" in error["explained"]


def test_everything_that_is_wrong_is_listed_at_once(place: Path) -> None:
    whole = changed("drug_seizure", "/body/substances/0/unit", "XYZ")
    whole["body"]["arrests"][0]["count"] = 0.5
    del whole["about"]["contact"]
    path = written(place / "b.json", whole)
    ran = saphan_here("schema", "check", path, status=2)
    assert len([line for line in ran.err.splitlines() if line.startswith("- ")]) >= 2


@pytest.mark.parametrize(
    ("data", "code"),
    (
        (b"", "malformed"),
        (b"{}", "malformed"),
        (b"\xff\xfe", "malformed"),
        (b'{"schema": "saphan/none/1", "about": {}, "body": {}}', "schema_unknown"),
        (b'{"schema": "saphan/drug_seizure/1", "about": {}, "body": {}}', "schema_invalid"),
        (b"[" * 100_000, "malformed"),
        (b" " * 300_000, "too_large"),
    ),
)
def test_a_file_that_is_no_bulletin_is_refused(place: Path, data: bytes, code: str) -> None:
    path = place / "b.json"
    path.write_bytes(data)
    assert saphan_here("schema", "check", path, status=2).code == code


# --- the form -------------------------------------------------------------------------------------


def answers_of(name: str) -> list[str]:
    """What is typed for a sample, question by question."""
    whole = wish(name) | {"to": ["kh.gpo"]}
    return filled(Filling(BUILT_IN.get(whole["schema"]), "en", {}), whole)


def fill_in(*words: str | Path, lines: list[str], status: int = 0) -> Ran:
    return saphan(
        "schema", "new", *words, stdin="".join(f"{line}\n" for line in lines), status=status
    )


def test_a_form_makes_a_bulletin_that_is_right(place: Path) -> None:
    out = place / "notice.json"
    ran = fill_in(
        "training_notice", "--out", out, "--json", lines=[*answers_of("training_notice"), ""]
    )
    assert ran.json == {"file": str(out), "schema": "saphan/training_notice/1"}
    assert out.stat().st_mode & 0o777 == 0o600
    assert not out.with_name("notice.json.draft").exists()
    assert json.loads(out.read_text())["body"]["notice_kind"]
    assert saphan_here("schema", "check", out, "--json").json["valid"] is True
    assert fill_in("training_notice", "--out", out, lines=[], status=5).code == "file_exists"


def test_a_form_that_was_stopped_goes_on(place: Path) -> None:
    out, lines = place / "notice.json", answers_of("training_notice")
    half = len(lines) // 2
    assert fill_in("training_notice", "--out", out, lines=lines[:half], status=4).code == (
        "form_stopped"
    )
    draft = out.with_name("notice.json.draft")
    assert draft.stat().st_mode & 0o777 == 0o600
    assert not out.exists()
    ran = fill_in("drug_seizure", "--out", out, lines=[], status=2)
    assert ran.code == "form_draft"
    ran = fill_in("training_notice", "--out", out, lines=[*lines[half:], ""])
    assert text("form.goes_on", path=draft, count=half) in ran.err
    assert out.exists()
    draft.write_text("{}")
    out.unlink()
    assert fill_in("training_notice", "--out", out, lines=[], status=2).code == "form_draft"


def test_help_going_back_and_a_wrong_answer_at_a_terminal(place: Path) -> None:
    ran = fill_in(
        "drug_seizure",
        "--lang",
        "lo",
        lines=["KH", "kh.gpo", "", "?", "x" * 5000, "<", "."],
        status=4,
    )
    assert "Traceback" not in ran.err
    assert text("form.line_too_long", "lo") in ran.err
    assert text("wish.urgency.help", "lo") in ran.err
    assert text("right.agency", "lo") in ran.err


def test_what_is_no_text_is_refused_with_a_sentence(place: Path) -> None:
    import subprocess

    from support.command import environment, saphan_command

    ran = subprocess.run(
        saphan_command("schema", "new", "drug_seizure"),
        input=b"\xff\xfe\n.\n",
        capture_output=True,
        env=environment(),
        check=False,
        timeout=60,
    )
    assert ran.returncode == 4
    assert b"Traceback" not in ran.stderr


def test_an_earlier_bulletin_proposes_what_stays_the_same(place: Path) -> None:
    saphan_here("schema", "example", "drug_seizure", "--out", place / "old.json")
    ran = fill_in(
        "training_notice", "--like", "old.json", lines=["kh.gpo", "", "", "", "."], status=4
    )
    assert "amber" in ran.err
    written(place / "old.json", [1])
    assert fill_in("training_notice", "--like", "old.json", lines=[], status=2).code == "malformed"


@pytest.mark.parametrize("lang", ("km",))
def test_the_form_at_a_real_terminal(place: Path, lang: str) -> None:
    """A shell in a terminal, a person who types when a question stands there, and Ctrl-D."""
    bulletin = place / "b.json"
    questions = {
        re.escape(text("wish.to", lang)) + r" 1 \*\r\n> ": "kh.gpo",
        re.escape(text("wish.to", lang)) + r" 2\r\n> ": "",
        r"immediate[^\r]*\r\n> ": ".",
    }
    terminal = Terminal(place, typed(place / "bin"), questions)
    try:
        shown = terminal.type(
            f"saphan schema new drug_seizure --lang {lang} --out {bulletin} </dev/tty || true"
        )
    finally:
        terminal.close()
    assert text("wish.urgency", lang) in shown
    assert "(form_stopped)" in shown
    kept = json.loads((place / "b.json.draft").read_text())
    assert kept["answers"] == {"/to/0": "kh.gpo", "/to/1": None}


def test_a_paste_that_the_terminal_cuts_is_not_taken(place: Path) -> None:
    """A terminal drops what is beyond 4,095 bytes of a line: signed text would end there."""
    bulletin, asked = place / "b.json", re.escape(text("wish.to", "km")) + r" 1 \*\r\n> "
    questions = {
        re.escape(text("form.how", "km")) + r"[^>]*" + asked: "ក" * 1_400,
        re.escape(text("form.line_too_long", "km")) + r"[^>]*> ": ".",
    }
    terminal = Terminal(place, typed(place / "bin"), questions)
    try:
        shown = terminal.type(
            f"saphan schema new info_request --lang km --out {bulletin} </dev/tty || true"
        )
    finally:
        terminal.close()
    assert text("form.line_too_long", "km") in shown


def test_who_interrupts_the_form_is_told_where_the_answers_are(place: Path) -> None:
    questions = {
        re.escape(text("wish.to", "lo")) + r" 1 \*\r\n> ": "kh.gpo",
        re.escape(text("wish.to", "lo")) + r" 2\r\n> ": "\x03",
    }
    terminal = Terminal(place, typed(place / "bin"), questions)
    try:
        shown = terminal.type(
            "trap : INT; saphan schema new drug_seizure --lang lo --out b.json </dev/tty || true"
        )
    finally:
        terminal.close()
    assert text("form.stopped", "lo", path="b.json.draft") in shown
    assert "Traceback" not in shown
    assert json.loads((place / "b.json.draft").read_text())["answers"] == {"/to/0": "kh.gpo"}


def test_a_paste_of_many_lines_is_one_answer(place: Path) -> None:
    """Else its second line would be the text in another language, and its third one in a third."""
    bulletin = place / "b.json"
    answers: dict[str, Any] = {"/to/0": "kh.gpo", "/to/1": None, "/urgency": "routine"}
    answers |= {"/exercise": True, "/marking/tlp": "red", "/marking/codes/0": "H1"}
    answers |= {"/marking/codes/1": None, "/body/questions/0/no": 1}
    kept = {"form": 1, "schema": "saphan/info_request/1"}
    written(place / "b.json.draft", kept | {"answers": answers})
    asked = [
        f"{title('info_request.questions', 'km')} 1 › {title('info_request.questions.text', 'km')}"
        f" › {text(f'language.{lang}', 'km')}"
        for lang in ("km", "lo")
    ]
    questions = {
        re.escape(asked[0]) + r" \*\r\n> ": "\x1b[200~ក\n\nខ\n\x1b[201~",
        re.escape(asked[1]) + r"\r\n> ": ".",
    }
    terminal = Terminal(place, typed(place / "bin"), questions)
    try:
        shown = terminal.type(
            f"saphan schema new info_request --lang km --out {bulletin} </dev/tty || true"
        )
    finally:
        terminal.close()
    given = json.loads((place / "b.json.draft").read_text())["answers"]
    assert given["/body/questions/0/text/km"] == "ក\n\nខ"
    assert "/body/questions/0/text/lo" not in given
    assert shown.index("\x1b[?2004h") < shown.rindex("\x1b[?2004l")
