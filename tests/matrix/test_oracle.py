"""The oracle sees each fault when it is planted, and nothing where nothing is wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace
from saphan.audit.packfile import write_pack
from saphan_protocol.checkpoint import format_checkpoint, log_lines
from saphan_protocol.identity import sha256
from saphan_schemas.packs import PackEntry, PackItem
from saphan_schemas.records import Event, LeafType
from support.agency import Agency, Made
from support.audits import KH, LA, THERE
from support.ceremony import NOW
from support.log_folders import write_log
from support.log_keys import log_note, signer
from support.logbook import ORIGINS, PINS, Log, Logbook
from support.oracle import Exported, Fault, Ledger, judge, judging

OFFICER = "sokha"
NEXT = "bridge.test/evidence/2"


class AllWell:
    """What an audit that sees nothing reports."""

    finding = None


class Second(Log):
    """The evidence log with the next number, under the same keys."""

    def sign(self, time: int) -> None:
        text = format_checkpoint(self.origin, len(self.kept), self.root())
        self.signed = log_lines(*signer(ORIGINS[1]), self.origin, text, time // 1000)
        self._tiles = self.tiles()


class Case:
    """Three bulletins from LA to KH that are accepted, read, and shown to an officer."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.book = Logbook([Agency(LA, NOW), Agency(KH, NOW)])
        self.ledger = Ledger(place / "promised.jsonl")
        self.notes: list[bytes] = []
        self.logs: list[Path] = []
        self.packs: list[Path] = []
        self.answered = False
        self.ledger.watches(KH, OFFICER)
        self.made = [self.delivered() for _ in range(3)]
        for made in self.made:
            self.promise(made)

    def promise(self, made: Made) -> None:
        self.ledger.acknowledged(made.bulletin_id.hex(), LA, [KH])

    def delivered(self) -> Made:
        """One more, which was read, and of whose acknowledgement nobody knows."""
        made = self.book.deliver(LA, KH)
        self.ledger.shown(KH, OFFICER, made.bulletin_id.hex())
        return made

    def submitted(self) -> Made:
        made, _ = self.book.submit(LA, KH)
        self.promise(made)
        return made

    def state(self, event: Event, made: Made, code: str | None = None, by: str = KH) -> None:
        self.book.time += 1000
        self.book.state(event, made, THERE, code, by)

    def note(self, origin: str, size: int, root: bytes) -> bytes:
        """A head that somebody has kept."""
        return log_note(origin, format_checkpoint(origin, size, root), self.book.time // 1000)

    def export(self, *packs: Sequence[PackItem]) -> None:
        """The logs of now, and these packs of them; without packs a whole one."""
        self.book.sign()
        folder = self.place / f"logs-{len(self.logs)}"
        for log in (self.book.directory, self.book.evidence):
            write_log(log, folder / log.origin.split("/")[1])
        self.logs.append(folder)
        origin = self.book.evidence.origin
        for items in packs or (self.book.pack(evidence=origin),):
            self.packs.append(self.place / f"{len(self.packs)}.pack")
            write_pack(self.packs[-1], items)

    def succeed(self, size: int | None = None, root: bytes | None = None) -> None:
        """Export the first log, and begin the next one; `size` and `root` as its leaf 0 names."""
        self.export()
        old, new = self.book.evidence, Second(NEXT)
        named = len(old.kept) if size is None else size
        kind = bytes([LeafType.SUCCESSOR]) + sha256(old.origin.encode())
        new.kept.append(kind + named.to_bytes(8, "big") + (root or old.root(named)))
        self.book.evidence = new
        self.book.shown.clear()
        self.book.corridors.clear()
        self.book.anchor()

    def found(self, *, settled: bool = True) -> set[Fault]:
        if not self.logs or self.book.evidence.origin == NEXT:
            self.export()
        exported = Exported(PINS, self.logs, self.packs, self.notes)
        ledger = self.place / "promised.jsonl"
        found = judge([ledger], exported, settled=settled, answered=self.answered)
        return {finding.fault for finding in found}


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def nothing(case: Case) -> None:
    case.book.show_head()
    case.notes.append(case.note(ORIGINS[1], 1, case.book.evidence.root(1)))


def acknowledged_and_missing(case: Case) -> None:
    case.ledger.acknowledged("ab" * 32, LA, [KH])


def one_of_two_recipients_missing(case: Case) -> None:
    case.ledger.acknowledged(case.delivered().bulletin_id.hex(), LA, [KH, "vn.vks"])


def done_twice(case: Case) -> None:
    """Whoever asked was told an error, asked again, and both requests were done."""
    case.answered = True
    case.delivered()


def not_decided(case: Case) -> None:
    case.state(Event.HANDOVER, case.submitted())


def two_outcomes(case: Case) -> None:
    case.state(Event.REJECTED, case.made[0], "schema_invalid")


def accepted_twice(case: Case) -> None:
    case.state(Event.ACCEPTED, case.made[0])


def two_outcomes_of_what_was_not_promised(case: Case) -> None:
    case.state(Event.REJECTED, case.delivered(), "schema_invalid")


def recalled_twice(case: Case) -> None:
    """A recall is an outcome before the handover only; later it is a question."""
    case.state(Event.RECALLED, case.made[0], "error", by=LA)


def shown_twice(case: Case) -> None:
    case.ledger.shown(KH, OFFICER, case.made[0].bulletin_id.hex())


def never_shown(case: Case) -> None:
    case.ledger.watches(KH, "another")


def shown_without_handover(case: Case) -> None:
    recalled = case.submitted()
    case.state(Event.RECALLED, recalled, "error", by=LA)
    case.ledger.shown(KH, OFFICER, recalled.bulletin_id.hex())


def corridor_gap(case: Case) -> None:
    """A pack that leaves an entry out: its corridor has a hole, which only the oracle minds."""
    entries = [entry.index for entry, _ in case.book.shown]
    case.export(case.book.pack(only=[*entries[:4], *entries[5:]]))


def number_left_out(case: Case) -> None:
    """In the log itself: after twelve entries its corridor goes on with the fourteenth."""
    case.book.submit(LA, KH, entry={"number": 14})


def number_given_twice(case: Case) -> None:
    case.book.submit(LA, KH, entry={"number": 12})


def last_entry_unopened(case: Case) -> None:
    case.export(case.book.pack(only=[entry.index for entry, _ in case.book.shown[:-1]]))


def another_salt(case: Case) -> None:
    items = case.book.pack()
    place = next(i for i, item in enumerate(items) if isinstance(item, PackEntry))
    items[place] = replace(items[place], salt=bytes(32))
    case.export(items)


def another_leaf(case: Case) -> None:
    case.export()
    leaf = case.logs[0] / "evidence" / "tile" / "entries" / "000.p"
    bundle = next(leaf.iterdir())
    bundle.write_bytes(bundle.read_bytes()[:-1] + b"?")


def two_roots(case: Case) -> None:
    case.notes = [case.note(ORIGINS[1], 2, root) for root in (bytes(32), b"\x01" * 32)]


def two_directories(case: Case) -> None:
    case.notes.append(case.note(ORIGINS[0], len(case.book.directory.kept), bytes(32)))


def older_head_of_another_history(case: Case) -> None:
    """Somebody has kept the one head of this size; only the leaves say that it is no head of
    theirs."""
    case.notes.append(case.note(ORIGINS[1], 3, bytes(32)))


def head_beyond(case: Case) -> None:
    case.notes.append(case.note(ORIGINS[1], 10_000, bytes(32)))


def forged_head(case: Case) -> None:
    text = format_checkpoint(ORIGINS[1], 2, bytes(32))
    keys = signer("forger.test/evidence/1")
    case.notes.append(log_lines(*keys, ORIGINS[1], text, case.book.time // 1000))


def honest_successor(case: Case) -> None:
    """What had no outcome is consigned anew and ends in the successor; the rest stays ended."""
    left, batch = case.book.submit(LA, KH)
    assert batch
    case.promise(left)
    case.succeed()
    (item,), signature = case.book.agencies[LA].submissions([left], [case.book.agencies[KH]])
    case.book.admit(left, item, signature, THERE)
    for event in (Event.HANDOVER, Event.ACCEPTED):
        case.state(event, left)
    case.ledger.shown(KH, OFFICER, left.bulletin_id.hex())


def lost_in_the_gap(case: Case) -> None:
    case.submitted()
    case.succeed()


def other_outcome_in_the_successor(case: Case) -> None:
    first = case.made[0]
    case.succeed()
    (item,), signature = case.book.agencies[LA].submissions([first], [case.book.agencies[KH]])
    case.book.admit(first, item, signature, THERE)
    case.state(Event.HANDOVER, first)
    case.state(Event.REJECTED, first, "schema_invalid")


def successor_behind(case: Case) -> None:
    case.succeed(size=2)


def successor_of_another_history(case: Case) -> None:
    case.succeed(root=bytes(31) + b"\x01")


PLANTED: dict[Callable[[Case], None], set[Fault]] = {
    nothing: set(),
    acknowledged_and_missing: {Fault.MISSING},
    one_of_two_recipients_missing: {Fault.MISSING},
    done_twice: {Fault.UNASKED},
    not_decided: {Fault.UNDECIDED},
    # The audit's own table does not take a second outcome either.
    two_outcomes: {Fault.TWO_OUTCOMES, Fault.UNPROVEN},
    accepted_twice: {Fault.TWO_OUTCOMES, Fault.UNPROVEN},
    two_outcomes_of_what_was_not_promised: {Fault.TWO_OUTCOMES, Fault.UNPROVEN},
    recalled_twice: set(),
    shown_twice: {Fault.SHOWN_TWICE},
    never_shown: {Fault.NOT_SHOWN},
    shown_without_handover: {Fault.SHOWN_EARLY},
    corridor_gap: {Fault.CORRIDOR_GAP, Fault.UNOPENED},
    number_left_out: {Fault.CORRIDOR_GAP, Fault.UNPROVEN},
    number_given_twice: {Fault.CORRIDOR_GAP, Fault.UNPROVEN},
    last_entry_unopened: {Fault.UNOPENED},
    another_salt: {Fault.UNPROVEN},
    another_leaf: {Fault.UNPROVEN, Fault.TWO_ROOTS},
    two_roots: {Fault.TWO_ROOTS},
    two_directories: {Fault.TWO_ROOTS},
    older_head_of_another_history: {Fault.TWO_ROOTS},
    head_beyond: {Fault.HEAD_BEYOND},
    forged_head: {Fault.UNPROVEN},
    honest_successor: set(),
    lost_in_the_gap: {Fault.UNDECIDED},
    other_outcome_in_the_successor: {Fault.TWO_OUTCOMES},
    successor_behind: {Fault.SUCCESSOR_BEHIND},
    successor_of_another_history: {Fault.TWO_ROOTS},
}


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_what_is_planted_is_found_and_nothing_else(
    case: Case, plant: Callable[[Case], None]
) -> None:
    plant(case)
    assert case.found() == PLANTED[plant]


PROMISES: dict[Callable[[Case], None], Fault] = {
    acknowledged_and_missing: Fault.MISSING,
    shown_twice: Fault.SHOWN_TWICE,
    number_left_out: Fault.CORRIDOR_GAP,
    corridor_gap: Fault.CORRIDOR_GAP,
    two_outcomes: Fault.TWO_OUTCOMES,
    accepted_twice: Fault.TWO_OUTCOMES,
    two_roots: Fault.TWO_ROOTS,
    older_head_of_another_history: Fault.TWO_ROOTS,
}


@pytest.mark.parametrize("plant", PROMISES, ids=lambda plant: plant.__name__)
def test_a_broken_promise_is_found_without_the_products_audit(
    case: Case, plant: Callable[[Case], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the audit gets wrong as well as the broker would be found by nobody else."""
    monkeypatch.setattr(judging, "audit", lambda *_given: AllWell())
    plant(case)
    assert PROMISES[plant] in case.found()
    assert Fault.UNPROVEN not in case.found()


def test_every_fault_is_planted_by_a_test() -> None:
    assert set().union(*PLANTED.values()) == set(Fault)


def test_what_is_under_way_is_no_fault_yet(case: Case) -> None:
    case.ledger.acknowledged("ab" * 32, LA, [KH])
    case.state(Event.HANDOVER, case.submitted())
    assert case.found(settled=False) == set()


def test_a_line_that_a_kill_has_cut_was_promised_to_nobody(case: Case) -> None:
    with (case.place / "promised.jsonl").open("ab") as ledger:
        ledger.write(b'{"what": "acknowledged", "bulle')
    assert case.found() == set()
