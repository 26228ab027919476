"""What a round looks at finds what is missing, strange or there twice; the oracle has its own tests
(`tests/matrix/test_oracle.py`)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import cast

import pytest
from support.oracle import Ledger
from support.oracle.ledger import read_ledgers

from chaos.judging import promise
from chaos.load import Load, Pushed
from chaos.settling import still_open
from chaos.story import Story
from chaos.world import World

KH, LA, VN = "kh.gpo", "la.ospp", "vn.vks"
LETTER, SENT = "Letter 1", "aa" * 32


class Case:
    """One letter that an officer of kh.gpo has written to vn.vks, and what became of it."""

    def __init__(self, place: Path) -> None:
        self.story = Story(place / "story.jsonl")
        self.load = Load(place, Random(1), self.story, (0.0, 0.0))
        self.listed: set[tuple[str, str]] = set()
        self.ledger = place / "ledger.jsonl"
        plain = SimpleNamespace(
            server=None,
            listed=lambda: self.listed,
            ledger=Ledger(self.ledger),
            clocks_were_wrong=False,
        )
        self.world = cast("World", plain)
        self.load.note_written("desk:kh.gpo", LETTER, [VN])

    @property
    def letter(self) -> Pushed:
        return self.load.pushed[0]

    def arrive(self) -> None:
        """Everywhere, once."""
        self.load.note_sent(LETTER, SENT)
        self.letter.outcomes[VN] = ("accepted", 1.0)
        self.load.note_shown(VN, SENT, LETTER)
        self.open()

    def open(self) -> None:
        """At the desk of vn.vks."""
        self.load.note_opened("desk:vn.vks", SENT, LETTER)
        self.listed.add(("desk:vn.vks", SENT))


@pytest.fixture
def case(tmp_path: Path) -> Iterator[Case]:
    made = Case(tmp_path)
    yield made
    made.story.close()


async def test_a_letter_is_open_until_it_is_sent_decided_shown_and_opened(case: Case) -> None:
    steps: tuple[tuple[str, Callable[[], object]], ...] = (
        ("has no answer", lambda: case.load.note_sent(LETTER, SENT)),
        ("has no outcome", lambda: case.letter.outcomes.update({VN: ("accepted", 1.0)})),
        ("was not shown", lambda: case.load.note_shown(VN, SENT, LETTER)),
        ("was not opened", case.open),
    )
    for said, done in steps:
        assert said in (await still_open(case.world, case.load))[0]
        done()
    assert await still_open(case.world, case.load) == []


def test_what_a_desk_says_again_after_a_kill_is_no_second_letter(case: Case) -> None:
    case.arrive()
    case.load.note_written("desk:kh.gpo", LETTER, [VN])
    case.load.note_sent(LETTER, SENT)
    assert len(case.load.pushed) == 1
    assert case.load.wrong == case.load.strangers() == []


def test_a_letter_sent_under_two_ids_is_wrong(case: Case) -> None:
    case.arrive()
    case.load.note_sent(LETTER, "bb" * 32)
    assert len(case.load.wrong) == 1


@pytest.mark.parametrize(
    ("reader", "bulletin", "title"),
    [
        ("desk:vn.vks", "bb" * 32, LETTER),  # a second one of the same letter
        ("desk:la.ospp", SENT, LETTER),  # nobody has sent it there
        ("desk:vn.vks", SENT, "Letter 2"),  # nobody has written it
    ],
)
def test_what_nobody_has_sent_so_is_a_stranger(
    case: Case, reader: str, bulletin: str, title: str
) -> None:
    case.arrive()
    case.load.note_opened(reader, bulletin, title)
    assert case.load.strangers() == [
        f"{reader.removeprefix('desk:')} was shown {bulletin}, which nobody has sent it so"
    ]


def test_what_is_promised_and_how_often_it_was_shown_is_told_to_the_oracle(case: Case) -> None:
    case.arrive()
    case.load.note_shown(VN, SENT, LETTER)
    assert promise(case.world, case.load) == set()
    told = read_ledgers([case.ledger])
    assert told.bulletins[SENT].recipients == (VN,)
    assert told.shown[VN, "system", SENT] == 2
    assert {(KH, "dao"), (VN, "dao"), (LA, "system")} <= told.watching


def test_a_refusal_counts_as_told_only_for_a_time_where_a_clock_was_wrong(case: Case) -> None:
    case.load.note_sent(LETTER, SENT)
    case.letter.outcomes[VN] = ("refused", 1.0)
    case.letter.refusals[VN] = "created_in_future"
    assert promise(case.world, case.load) == set()
    case.world.clocks_were_wrong = True
    assert promise(case.world, case.load) == {f"{SENT} to {VN}"}
    case.letter.refusals[VN] = "suite_unknown"
    assert promise(case.world, case.load) == set()
