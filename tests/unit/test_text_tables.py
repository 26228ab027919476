"""The script that made the tables of characters, on a small copy of Unicode's files."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType

import pytest
from support.rooms import ROOT

DATA = """\
000A;<control>;Cc;0;B;;;;;N;LINE FEED (LF);;;;
000B;<control>;Cc;0;S;;;;;N;LINE TABULATION;;;;
0041;LATIN CAPITAL LETTER A;Lu;0;L;;;;;N;;;;0061;
0E81;LAO LETTER KO;Lo;0;L;;;;;N;;;;;
0E84;LAO LETTER KHO TAM;Lo;0;L;;;;;N;;;;;
200E;LEFT-TO-RIGHT MARK;Cf;0;L;;;;;N;;;;;
2028;LINE SEPARATOR;Zl;0;WS;;;;;N;;;;;
2029;PARAGRAPH SEPARATOR;Zp;0;B;;;;;N;;;;;
3042;HIRAGANA LETTER A;Lo;0;L;;;;;N;;;;;
3400;<CJK Ideograph Extension A, First>;Lo;0;L;;;;;N;;;;;
3403;<CJK Ideograph Extension A, Last>;Lo;0;L;;;;;N;;;;;
E000;<Private Use, First>;Co;0;L;;;;;N;;;;;
F8FF;<Private Use, Last>;Co;0;L;;;;;N;;;;;
"""
PROPERTIES = """\
# PropList-15.1.0.txt
200E          ; Bidi_Control # Cf       LEFT-TO-RIGHT MARK
0E84          ; Deprecated # made up for this test
"""
SCRIPTS = """\
# Scripts-15.1.0.txt
000A..000B    ; Common # Cc
0041          ; Latin # L&       LATIN CAPITAL LETTER A
0E81..0E84    ; Lao # Lo
3042          ; Hiragana # Lo
3400..3403    ; Han # Lo
"""


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name, text in (("UnicodeData", DATA), ("PropList", PROPERTIES), ("Scripts", SCRIPTS)):
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    return tmp_path


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    path = ROOT / "schemas/spec/generate_text_tables.py"
    spec = importlib.util.spec_from_file_location("generate_text_tables", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "PACKAGE", tmp_path)
    monkeypatch.setattr(sys, "argv", ["generate_text_tables.py", str(tmp_path)])
    return module


def test_it_writes_what_the_files_say(script: ModuleType, source: Path) -> None:
    script.main()
    refused = json.loads((source / "text_forbidden.json").read_text(encoding="utf-8"))
    assert refused["unicode"] == "15.1.0"
    assert refused["ranges"] == [
        [0, 0x9],  # a line feed is taken
        [0xB, 0x40],
        [0x42, 0xE80],
        [0xE82, 0x3041],  # the deprecated letter, the bidirectional mark, both separators
        [0x3043, 0x33FF],
        [0x3404, 0x10FFFF],  # a stretch ends with its last; private use is none of it
    ]
    scripts = json.loads((source / "text_scripts.json").read_text(encoding="utf-8"))
    assert scripts["ranges"] == [
        [0x41, 0x41, "Latin"],
        [0xE81, 0xE81, "Lao"],  # without the letter that is refused
        [0x3042, 0x3403, "Han"],  # Hiragana counts as Han, and nothing allowed stands between
    ]


def test_files_of_another_version_are_not_taken(script: ModuleType, source: Path) -> None:
    (source / "Scripts.txt").write_text("# Scripts-16.0.0.txt\n", encoding="utf-8")
    with pytest.raises(SystemExit) as stopped:
        script.main()
    assert "15.1.0" in str(stopped.value)
    assert not (source / "text_forbidden.json").exists()
