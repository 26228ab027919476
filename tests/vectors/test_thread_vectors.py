"""Vectors of threads: this code and a second reader of the page say the same of each."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from saphan.threads.clock import due_at, end_of, table_time
from saphan.threads.holidays import parse_holidays
from saphan.threads.legal import Word, legal
from saphan.threads.owing import Reply, owing
from saphan.threads.rules import Held, check_received, check_sent
from saphan.threads.words import Answered, Asked, Relation, Words
from saphan_schemas.errors import SaphanError
from saphan_schemas.records import SUITE, Header, Marking
from support.rooms import ROOT
from support.second_threads import SECOND

FOLDER = ROOT / "schemas/vectors/threads"
FILES = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))
EACH = pytest.mark.parametrize("name", FILES)

Vector = dict[str, Any]


def load(name: str) -> Vector:
    vector: Vector = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert vector["name"] == name
    return vector


def header(vector: Vector) -> Header:
    return Header(
        suite=SUITE, nonce=bytes(16), sender=vector["sender"],
        recipients=tuple(vector["recipients"]), schema=vector["schema"], schema_digest=bytes(32),
        marking=Marking("amber", ()), urgency="routine", exercise=vector["exercise"],
        created=0, expires=1, answer_by=None, retain_until=1,
    )  # fmt: skip


def holding(left: Vector | None = None, replaced_by: Any = (), **one: Any) -> Held:
    """`left`: by id of an earlier one, who has that and not this."""
    behind = [(bytes.fromhex(name), to) for name, to in (left or {}).items()]
    return Held(**one, left=behind, newer=[bytes.fromhex(name) for name in replaced_by])


def relation(vector: Vector) -> str | None:
    named = tuple(
        Relation(one["kind"], bytes.fromhex(one["bulletin_id"])) for one in vector["relations"]
    )
    words = Words(vector["message"], "LA-OSPP-2026-AL-0001", named)
    held = {bytes.fromhex(name): holding(**one) for name, one in vector["held"].items()}
    try:
        if vector["layer"] == "recipient":
            check_received(header(vector), words, held.get)
        else:
            reached = lambda agency: agency not in vector["unreached"]  # noqa: E731
            check_sent(header(vector), words, held.get, reached)
    except SaphanError as error:
        return error.code
    return None


def clock(vector: Vector) -> tuple[int, bool]:
    within, file = vector["reply_within"], vector["holidays"]
    due = due_at(
        vector["accepted"],
        vector["urgency"],
        vector["availability"],
        None if within is None else (within["count"], within["unit"]),
        ZoneInfo(vector["zone"]),
        None if file is None else parse_holidays(json.dumps(file).encode(), file["country"]),
    )
    return due.moment, due.holiday_file_missing


def answered(one: Vector) -> Answered:
    return Answered(bytes(32), one["outcome"], tuple(map(tuple, one["answers"])), one["expected"])


def standing(vector: Vector) -> tuple[Any, ...]:
    replies = [
        Reply(
            bytes([place]) * 32,
            one["at"],
            answered(one),
            tuple((before["at"], answered(before)) for before in one["earlier"]),
        )
        for place, one in enumerate(vector["replies"])
    ]
    asked = Asked(tuple(vector["questions"]), "direct")
    found = owing(asked, replies, vector["due"], vector["now"])
    return found.state, [one.state for one in found.questions], found.late, found.until


def legally(vector: Vector) -> tuple[Any, ...]:
    zone = ZoneInfo(vector["zone"])
    words = [
        Word(bytes(32), one["at"], one["state"], one["expected"], one["earlier"])
        for one in vector["words"]
    ]
    found = legal(
        words,
        vector["accepted"],
        lambda start, line: end_of(start, table_time(line), zone, None).moment,
        vector["now"],
    )
    return found.what, found.owing.state, found.owing.due, found.owing.late


def claimed(vector: Vector) -> Any:
    if vector["kind"] == "relation":
        return vector["code"]
    names = {
        "clock": ("due", "holiday_file_missing"),
        "legal": ("what", "state", "due", "late"),
    }
    keys = names.get(vector["kind"], ("state", "each", "late", "until"))
    return tuple(vector[key] for key in keys)


@EACH
def test_this_code_says_what_the_vector_claims(name: str) -> None:
    vector = load(name)
    readers = {"relation": relation, "clock": clock, "standing": standing, "legal": legally}
    assert readers[vector["kind"]](vector) == claimed(vector)


@EACH
def test_a_second_reader_says_the_same(name: str) -> None:
    vector = load(name)
    assert getattr(SECOND, vector["kind"])(vector) == claimed(vector)


def test_the_generator_writes_them_again_byte_for_byte(tmp_path: Path) -> None:
    script = str(ROOT / "schemas/vectors/generate_threads.py")
    subprocess.run([sys.executable, script, str(tmp_path)], check=True)
    made = {path.name: path.read_bytes() for path in (tmp_path / "threads").iterdir()}
    kept = {path.name: path.read_bytes() for path in FOLDER.iterdir()}
    assert made == kept
    assert len(made) > 60
