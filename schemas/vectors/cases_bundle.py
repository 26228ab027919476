"""Stories for the vectors of evidence bundles: a good one, and such with one thing wrong in each.

Each case says what a verifier must answer; nothing here asks the verifier under test.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache, partial
from typing import Any, NamedTuple

from msgspec.structs import replace
from saphan_protocol.checkpoint import parse_checkpoint
from saphan_protocol.notes import parse_note
from saphan_schemas.bundles import (
    BundleAnchor,
    BundleBody,
    BundleDisclosure,
    BundleEntry,
    BundleHead,
    BundleItem,
    BundleLeaves,
    BundleNote,
    BundlePackage,
    BundleSignature,
    BundleSuccession,
)
from saphan_schemas.records import Event, Role
from saphan_schemas.samples import sample
from support.agency import Agency, Made, order_by
from support.audits import KH, LA, THERE
from support.bundled import Maker, cosign, recounted
from support.ceremony import NOW, Ceremony, revoke
from support.logbook import Logbook
from support.successors import step_after

HOUR_MS = 3_600_000


class Case(NamedTuple):
    """`expected`: a step and its code, or the codes of all gaps."""

    name: str
    why: str
    expected: tuple[str, str] | set[str]
    items: list[BundleItem]


@cache
def _enrolment(name: str) -> bytes:
    return Agency(name, NOW).enrolment()


class _Enrolled(Agency):
    """Every story has the same enrolments, so that the vectors hold them once."""

    def enrolment(self) -> bytes:
        return _enrolment(self.name)


def _logbook(**terms: Any) -> Logbook:
    return Logbook([_Enrolled(LA, NOW), _Enrolled(KH, NOW)], **terms)


def story(*events: Event, **given: Any) -> tuple[Logbook, Made]:
    """A bulletin of la.ospp to kh.gpo, and what the recipient says, a second apart."""
    book = _logbook(**given.pop("terms", {}))
    made = book.agencies[LA].bulletin([KH], book.time, **given)
    book.submit(LA, KH, made)
    for event in events:
        book.time += 1000
        book.state(event, made, THERE)
    return book, made


def good() -> list[BundleItem]:
    """A whole good life with an attachment, disclosed by its sender."""
    book, made = story(Event.HANDOVER, Event.ACCEPTED, Event.READ, attachments=[b"%PDF-1.7 report"])
    maker = Maker(book, made, LA)
    maker.disclose(book.agencies[LA])
    return _signed(maker)


def _signed(maker: Maker) -> list[BundleItem]:
    """Heads signed now, and cosigned by the other agency."""
    book = maker.book
    book.directory.lines, book.evidence.lines = [], []
    book.sign()
    others = [agency for name, agency in book.agencies.items() if name != maker.maker]
    for log in (book.directory, book.evidence):
        cosign(log, others, book.time)
    maker.bodies = maker.disclosure is not None
    return maker.items()


# --- edits of the good one ------------------------------------------------------------------------


class _File:
    """The good bundle, to be edited."""

    def __init__(self, items: list[BundleItem]) -> None:
        self.items = items

    def places(self, kind: type[Any]) -> list[int]:
        return [at for at, item in enumerate(self.items) if isinstance(item, kind)]

    def edited(self, kind: type[Any], number: int = 0, **fields: Any) -> list[BundleItem]:
        """Fields of one item replaced; a function gets the old value."""
        changed = list(self.items)
        place = self.places(kind)[number]
        old = changed[place]
        new = {
            name: value(getattr(old, name)) if callable(value) else value
            for name, value in fields.items()
        }
        changed[place] = replace(old, **new)
        return changed

    def without(self, kind: type[Any], number: int = 0) -> list[BundleItem]:
        place = self.places(kind)[number]
        return recounted([*self.items[:place], *self.items[place + 1 :]])

    def swapped(self, kind: type[Any]) -> list[BundleItem]:
        changed, (one, other, *_) = list(self.items), self.places(kind)
        changed[one], changed[other] = self.items[other], self.items[one]
        return changed


def edits(items: list[BundleItem]) -> Iterator[Case]:
    """What somebody does to a file without any key."""
    file = _File(items)
    yield Case("good", "a whole life, disclosed", set(), items)
    yield from _of_form(file)
    yield from _of_logs(file)
    yield from _of_entries(file)
    yield from _of_content(file)


def _of_form(file: _File) -> Iterator[Case]:
    items = file.items
    yield Case("cut", "the end is missing", ("V1", "evidence_cut"), items[:-1])
    thin: list[BundleItem] = [item for item in items if not isinstance(item, BundleDisclosure)]
    yield Case("thinned", "an item is gone", ("V1", "evidence_counts"), thin)
    yield Case("longer", "more follows", ("V1", "evidence_malformed"), [*items, items[-1]])
    yield Case(
        "entries_swapped", "entries fall", ("V1", "evidence_order"), file.swapped(BundleEntry)
    )
    path = file.edited(BundleNote, consistency=(bytes(32),))
    yield Case("directory_path", "nothing to continue", ("V1", "evidence_order"), path)
    other = file.edited(BundleSignature, batch=_bad_signature)[file.places(BundleSignature)[0]]
    for name, why, kind, more in (
        ("signatures_twice", "two over one root", BundleSignature, other),
        ("agreement_twice", "a leaf opened twice", BundlePackage, None),
    ):
        place = file.places(kind)[0]
        twice = recounted([*items[: place + 1], more or items[place], *items[place + 1 :]])
        yield Case(name, why, ("V1", "evidence_order"), twice)


def _of_logs(file: _File) -> Iterator[Case]:
    exchanged = file.edited(BundleHead, evidence=lambda pin: replace(pin, vkeys=pin.vkeys[::-1]))
    yield Case("pins_exchanged", "key types", ("V2", "pins_malformed"), exchanged)
    note = file.edited(BundleNote, note=lambda data: data.replace(b"\n4\n", b"\n5\n"))
    yield Case("directory_head", "another size", ("V3", "note_signature"), note)
    note = file.edited(BundleNote, 1, note=lambda data: data.replace(b"\n6\n", b"\n7\n"))
    yield Case("evidence_head", "another size", ("V4", "note_signature"), note)
    yield Case(
        "directory_cut", "leaves are gone", ("V5", "log_short"), file.without(BundleLeaves, 1)
    )
    leaves = file.edited(
        BundleLeaves, leaves=lambda old: (*old[:2], old[2][:-9] + _flip(old[2][-9:]))
    )
    yield Case("operation", "a signature in a leaf", ("V6", "signature_invalid"), leaves)
    package = file.edited(BundlePackage, package=lambda data: data[:-40] + _flip(data[-40:]))
    yield Case("agreement", "a root's signature", ("V7", "signature_invalid"), package)
    witness = file.edited(BundleNote, 1, note=_other_time)
    yield Case("witness", "another time", ("V8", "note_signature"), witness)
    anchor = file.edited(BundleAnchor, size=3)
    yield Case("anchor", "it says another size", ("V9", "proof_inclusion"), anchor)


def _of_entries(file: _File) -> Iterator[Case]:
    salt = file.edited(BundleEntry, shown=_shown(salt=bytes(32)))
    yield Case("salt", "another commitment", ("V10", "proof_inclusion"), salt)
    path = file.edited(BundleEntry, 2, path=lambda old: (bytes(32), *old[1:]))
    yield Case("path", "another tree", ("V10", "proof_inclusion"), path)
    said = file.edited(BundleEntry, 1, shown=lambda e: replace(e, statement=_flip(e.statement)))
    yield Case("statement", "not what was logged", ("V10", "statement_differs"), said)
    yield Case(
        "no_anchor", "nothing decides", ("V12", "anchor_unshown"), file.without(BundleAnchor)
    )
    other = file.edited(BundleHead, bulletin=bytes(32))
    yield Case("bulletin", "about another one", ("V12", "bulletin_differs"), other)
    maker = file.edited(BundleHead, maker="vn.vks")
    yield Case("maker", "a stranger's", ("V12", "maker_foreign"), maker)
    batch = file.edited(BundleSignature, batch=_bad_signature)
    yield Case("sender_signature", "it fails", ("V12", "signature_invalid"), batch)
    batch = file.edited(BundleSignature, 2, batch=_bad_signature)
    yield Case("receipt_signature", "it fails", ("V13", "signature_invalid"), batch)
    yield Case("no_agreement", "left out", {"agreement_missing"}, file.without(BundlePackage))
    lost = file.without(BundleSignature, 1)
    yield Case("no_signature", "a receipt's is lost", {"signature_missing", "steps_missing"}, lost)
    unlogged = file.without(BundleEntry, 4)
    yield Case("unlogged", "no exported entry", {"disclosure_unlogged"}, unlogged)


def _of_content(file: _File) -> Iterator[Case]:
    key = file.edited(BundleDisclosure, content_key=bytes(32))
    yield Case("content_key", "not the one named", ("V15", "disclosure_key"), key)
    told = file.edited(BundleDisclosure, disclosure=lambda d: d.replace(b"Vientiane", b"Vientiann"))
    yield Case("disclosure", "another court", ("V15", "signature_invalid"), told)
    body = file.edited(BundleBody, data=_flip)
    yield Case("ciphertext", "another byte", ("V16", "body_differs"), body)
    body = file.edited(BundleBody, -1, data=_flip)
    yield Case("attachment", "another byte", ("V16", "body_differs"), body)


def _shown(**fields: Any) -> Callable[[Any], Any]:
    return lambda entry: replace(entry, **fields)


def _bad_signature(batch: Any) -> Any:
    return replace(batch, signature=_flip(batch.signature))


def _flip(data: bytes) -> bytes:
    return bytes([data[0] ^ 1]) + data[1:]


def _other_time(note: bytes) -> bytes:
    """The last line's key id, then the time: another second."""
    head, _, line = note.rstrip(b"\n").rpartition(b" ")
    return head + b" " + line[:14] + (b"B" if line[14:15] != b"B" else b"C") + line[15:] + b"\n"


# --- other stories --------------------------------------------------------------------------------


def _forked() -> Maker:
    book, made = story()
    book.time += 1000
    book.state(Event.HANDOVER, made, THERE, entry={"number": 1, "previous": None})
    return Maker(book, made, LA)


def _back_in_time() -> Maker:
    book, made = story()
    book.state(Event.HANDOVER, made, THERE, entry={"time": NOW - 1})
    return Maker(book, made, LA)


def _revoked(hidden: bool) -> Maker:
    book = _logbook()
    ceremony = Ceremony(book.agencies[LA])
    ceremony.enrol()
    book.register(ceremony.operate([revoke(Role.NODE, book.agencies[LA].node.key_id)]))
    made, _ = book.submit(LA, KH)
    return Maker(book, made, LA, hidden=frozenset({1} if hidden else ()))


def _suspended(hidden: bool, packages: bool = True) -> Maker:
    book = _logbook()
    book.order(order_by(book.agencies[KH], book.name, "suspend"))
    made, _ = book.submit(LA, KH)
    given = None if packages else [book.package]
    return Maker(book, made, LA, hidden=frozenset({1} if hidden else ()), packages=given)


def _stopped() -> Maker:
    """What is in flight stops with the agreement: a later handover is against it."""
    book, made = story(terms={"in_flight": "stop"})
    book.order(order_by(book.agencies[KH], book.name, "suspend"))
    book.state(Event.HANDOVER, made, THERE)
    return Maker(book, made, LA)


def _wrong_issuer() -> Maker:
    book, made = story()
    book.state(Event.HANDOVER, made, THERE, by=LA)
    return Maker(book, made, LA)


def _early() -> Maker:
    book, made = story()
    book.broker_states(Event.EXPIRED, made, THERE, "undelivered")
    return Maker(book, made, LA)


def _after_recall() -> Maker:
    book, made = story()
    book.state(Event.RECALLED, made, THERE, "error", by=LA)
    book.state(Event.HANDOVER, made, THERE)
    return Maker(book, made, LA)


def _told(maker: Maker) -> Maker:
    maker.disclose(maker.book.agencies[LA])
    return maker


def _other_key() -> Maker:
    book, made = story()
    object.__setattr__(made, "content_key", bytes(32))
    return _told(Maker(book, made, LA))


def _bad_content(rejected: bool) -> Maker:
    book, made = story(content=sample("training_notice") | {"body": {}})
    if rejected:
        book.state(Event.HANDOVER, made, THERE)
        book.state(Event.REJECTED, made, THERE, "schema_invalid")
    return _told(Maker(book, made, LA))


def _own_witness() -> list[BundleItem]:
    book, made = story(Event.HANDOVER)
    book.sign()
    for log in (book.directory, book.evidence):
        cosign(log, [book.agencies[LA]], book.time)
    return Maker(book, made, LA, bodies=False).items()


def _old_directory() -> list[BundleItem]:
    """A day-old head of the directory, under which a revocation would not be seen."""
    book, made = story()
    maker = Maker(book, made, LA)
    _signed(maker)
    signed, lines = book.directory.signed, book.directory.lines
    book.time += 24 * HOUR_MS
    book.state(Event.HANDOVER, made, THERE)
    _signed(maker)
    book.directory.signed, book.directory.lines = signed, lines
    return maker.items()


STORIES: list[tuple[str, str, tuple[str, str] | set[str], Callable[[], Any]]] = [
    ("forked", "one number twice", ("V11", "corridor_fork"), _forked),
    ("back_in_time", "time falls", ("V11", "time_falls"), _back_in_time),
    ("revoked", "the sender's key was", ("V12", "key_revoked"), lambda: _revoked(False)),
    ("suspended", "the agreement was", ("V12", "agreement_suspended"), lambda: _suspended(False)),
    ("wrong_issuer", "the sender hands over", ("V13", "issuer_wrong"), _wrong_issuer),
    ("unordered", "accepted, never taken", ("V14", "order_illegal"),
     lambda: Maker(*story(Event.ACCEPTED), LA)),
    ("after_recall", "handed over after it", ("V14", "already_decided"), _after_recall),
    ("early", "expired before its time", ("V14", "expired_early"), _early),
    ("stopped", "a release against an order", ("V14", "agreement_stopped"), _stopped),
    ("other_key", "it opens nothing", ("V17", "ciphertext_invalid"), _other_key),
    ("bad_content", "it breaks its schema", ("V17", "schema_invalid"),
     lambda: _bad_content(False)),
    ("rejected_content", "rejected for just that", {"content_faulty"}, lambda: _bad_content(True)),
    ("revoked_hidden", "its anchor is left out", {"revoked_between"}, lambda: _revoked(True)),
    ("suspended_hidden", "its anchor is left out", {"agreement_between"},
     lambda: _suspended(True)),
    ("order_hidden", "its text is left out", {"agreement_unconfirmed"},
     lambda: _suspended(False, packages=False)),
    ("own_witness", "the maker's own alone", {"unwitnessed", "directory_unwitnessed"},
     _own_witness),
    ("old_directory", "cut off a day before", {"directory_older", "directory_unwitnessed"},
     _old_directory),
]  # fmt: skip


Told = tuple[str, str, tuple[str, str] | set[str], Callable[[], Any]]


def successions(items: list[BundleItem]) -> Iterator[Told]:
    """The good bundle's log was lost, and another one has followed it."""
    notes = [
        item.note for item in items if isinstance(item, BundleNote) and item.log != "directory"
    ]
    origin, size, root = parse_checkpoint(parse_note(notes[-1]).text)

    def with_step(size: int, root: bytes, **changes: Any) -> list[BundleItem]:
        step = replace(step_after(origin, size, root, NOW + HOUR_MS), **changes)
        return recounted([*items[:-1], BundleSuccession(step), items[-1]])

    yield "succeeded", "its log has a successor", set(), partial(with_step, size, root)
    less = partial(with_step, size - 1, bytes(32))
    yield "succeeded_denied", "the successor names less", {"successor_denies"}, less
    bent = partial(with_step, size, root, path=())
    yield "succession_bent", "leaf 0 is not there", ("V18", "proof_inclusion"), bent
    other = partial(with_step, size, root, directory="another.test/directory/1")
    yield "succession_elsewhere", "another directory", ("V18", "successor_malformed"), other


def stories() -> Iterator[Told]:
    """Cases with logs of their own; each is made only when it is asked for."""
    for name, why, expected, make in STORIES:
        yield name, why, expected, partial(_made, make)


def _made(make: Callable[[], Maker | list[BundleItem]]) -> list[BundleItem]:
    made = make()
    return _signed(made) if isinstance(made, Maker) else made
