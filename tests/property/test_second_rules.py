"""Rules of every kind over values of every kind: Saphan and the second reader agree on each.

Samples only show rules where our own types have them; an agency's type may put any rule anywhere.
"""

from __future__ import annotations

import random
import sys
from collections import Counter
from typing import Any

import pytest
from saphan_schemas.rules import KINDS, RuleSet
from saphan_schemas.rules.check_digits import METHODS
from saphan_schemas.rules.checks import (
    COUNT,
    PATH,
    PATHS,
    PLACES,
    TABLE,
    TEXTS,
    TEXTS_BY,
    WORD,
    WORDS,
)
from support.contents import FACTS
from support.rooms import ROOT

sys.path.insert(0, str(ROOT / "tests/vectors/second"))
from mp import Refuse
from rules import check_rules

ROUNDS = 800
"""Rules of each kind; most find something to compare, some hold and some do not."""
KEYS = ("a", "b", "c")
WORDS_MET: tuple[Any, ...] = ("x", "y", "KGM", "*", "", "lo", "1", 1, 0, -1, 2, True, False)
NUMBERS: tuple[Any, ...] = (
    "0", "1", "1.0", "2", "2.5", "0.000001", "000", "1.", ".5", "-1", "1e3", "៣", "NaN",
    "999999999999999999.999999", "9999999999999999999", "0.0000001", 0, 1, 2, 3, -1, -5,
    2**53, 2**64 - 1,
)  # fmt: skip
TIMES = (
    "2025", "2025-10", "2025-10-14", "2025-10-14T06:40:00Z", "2025-10-14T06:40:00.000Z",
    "2025-10-14T06:40:00.001Z", "2025-10-14T06:39:59.999Z", "2025-10-14T06:40:00+07:00",
    "2025-10-14T06:40:00.1239Z", "2025-10-14T06:40:00.1231Z", "2025-10-15",
)  # fmt: skip
CHECKED = (
    "108-88-3", "108-88-4", "108883", "9074729", "9074728", "490154203237518", "49015420323751",
    "CSQU3054383", "CSQU3054384", "csqu3054383", "GB82WEST12345698765432", "gb82west12345698765432",
    "GB82", "០", "1-23-4", "108-88-3\n",
)  # fmt: skip
SCRIPTS = ("ກຂ 0000", "Aбв", "ab\u200bв", "ກa", "a-в", "លេខ 12")
THEMES = (WORDS_MET, WORDS_MET[:3], NUMBERS, NUMBERS[:6], (0, 1, 2), TIMES, CHECKED, SCRIPTS)
VALUES = (*WORDS_MET, *NUMBERS, *TIMES, *CHECKED, *SCRIPTS)
PLACED = ("", "/body", "/body/a", "/body/a/*", "/body/b/*", "/body/a/*/b", "/about/relations/*")
PATHS_MET = (
    "a", "b", "c", "a/b", "", "/body/a", "/body/b/c", "/header/tlp", "/header/codes",
    "/header/exercise", "/header", "header/urgency", "/attachments", "a/", "/about/relations",
)  # fmt: skip
NEAR = KEYS * 8
STARRED = ("a/*", "b/*", "a/*/b", "/body/a/*", "/attachments/*", "/header/codes/*", "*", "a")


def value(chance: random.Random, theme: tuple[Any, ...], depth: int = 3) -> Any:
    kind = chance.randrange(9) if depth else 8
    if kind < 3:
        return {key: value(chance, theme, depth - 1) for key in KEYS if chance.random() < 0.8}
    if kind < 5:
        return [value(chance, theme, depth - 1) for _ in range(chance.randrange(4))]
    return chance.choice(theme if chance.random() < 0.9 else VALUES)


def content(chance: random.Random) -> dict[str, Any]:
    theme = chance.choice(THEMES)
    body = {key: value(chance, theme) for key in KEYS}
    if chance.random() < 0.5:  # lists of maps, as most rules look at
        body["a"] = [
            {key: value(chance, theme, 0) for key in KEYS if chance.random() < 0.9}
            for _ in range(chance.randrange(4))
        ]
    relations = [
        {"bulletin_id": chance.choice(("x", "y", "1")), "kind": chance.choice(("x", "y"))}
        for _ in range(chance.randrange(3))
    ]
    return {
        "about": {"relations": relations},
        "attachments": [{"role": chance.choice(("photo", "form"))} for _ in range(2)],
        "body": body,
    }


def parameter(form: str, name: str, chance: random.Random) -> Any:
    def words(most: int) -> list[Any]:
        return [chance.choice(WORDS_MET) for _ in range(chance.randrange(most))]

    def texts(some: tuple[str, ...]) -> list[str]:
        return [chance.choice(some) for _ in range(chance.randrange(1, 4))]

    made: dict[str, Any] = {
        COUNT: chance.randrange(4),
        PLACES: chance.randrange(7),
        PATH: chance.choice(NEAR + PATHS_MET + (STARRED if name in ("of", "list") else ())),
        PATHS: texts(PATHS_MET[:8]),
        TABLE: {word: chance.choice(({"x": 1, "*": "2.5"}, 2, "1")) for word in ("x", "*", "1")},
        TEXTS: texts(("photo", "form", "x")),
        TEXTS_BY: {word: texts(("x", "y", "KGM", "")) for word in ("x", "y", "1")},
        WORD: chance.choice(sorted(METHODS) if name == "method" else ("x", "-", "")),
        WORDS: words(4),
    }
    return made[form]


def rule(kind: str, chance: random.Random) -> dict[str, Any]:
    needs, takes = KINDS[kind].needs, KINDS[kind].takes
    made: dict[str, Any] = {"rule": kind, "each": chance.choice(PLACED)}
    made |= {name: parameter(form, name, chance) for name, form in needs.items()}
    for name, form in takes.items():
        if chance.random() < 0.5:
            made[name] = parameter(form, name, chance)
    if kind in ("index", "unique"):
        made["each"] = chance.choice(("/body/a/*", "/body/b/*", "/body/a/*/b/*"))
    if chance.random() < 0.3:
        made["when"] = chance.choice(PATHS_MET)
        if chance.random() < 0.7:
            made["is"] = [chance.choice((*WORDS_MET, "red")) for _ in range(3)]
    return made


def second(one: dict[str, Any], met: dict[str, Any]) -> bool:
    try:
        check_rules([one], met, FACTS)
    except Refuse:
        return False
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_both_say_the_same_of_any_rule(kind: str) -> None:
    seen: Counter[bool] = Counter()
    for seed in range(ROUNDS):
        chance = random.Random(f"{kind} {seed}")
        one, met = rule(kind, chance), content(chance)
        rules, root = RuleSet([one]), {**met, "header": FACTS}
        holds = rules.first_broken(root) is None
        assert rules.hold(root) is holds, (one, met)
        assert second(one, met) is holds, (one, met)
        seen[holds] += 1
    assert min(seen[True], seen[False]) >= 1, seen
