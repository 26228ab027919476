"""The judgement: promises against what logs and packs prove."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from saphan.audit.folder import LogFolder
from saphan.audit.packfile import read_pack
from saphan_protocol.audit.verdict import audit
from saphan_protocol.checkpoint import parse_checkpoint
from saphan_protocol.evidence import parse_leaf
from saphan_protocol.identity import sha256
from saphan_protocol.notes import parse_note
from saphan_protocol.pins import Pins
from saphan_schemas.bodies import known_types
from saphan_schemas.packs import PackHead
from saphan_schemas.records import LeafType

from support.oracle.findings import Fault, Finding
from support.oracle.heads import Heads, pin_of
from support.oracle.ledger import Promised, read_ledgers
from support.oracle.roots import roots_at
from support.oracle.told import Story, outcomes


@dataclass(frozen=True)
class Exported:
    """Public artefacts of one broker.

    Args:
        logs: folders with `directory/` and `evidence/`, the oldest evidence log first; a log that
            was lost has none.
        packs: of the parties, or of the broker; of any of these logs, from its first leaf on.
        notes: signed heads that anybody has kept: witnesses' states, bundles, desks.
        whole: every leaf of the logs is opened by a pack.
    """

    pins: Pins
    logs: Sequence[Path]
    packs: Sequence[Path]
    notes: Sequence[bytes] = ()
    whole: bool = True


@dataclass
class _Log:
    """One evidence log under judgement, with what its packs tell."""

    pins: Pins
    folder: Path
    story: Story
    packs: list[Path]

    @property
    def origin(self) -> str:
        return self.pins.evidence.origin

    def note(self, name: str) -> bytes:
        """The newest head of `directory` or `evidence`."""
        return (self.folder / name / "checkpoint").read_bytes()

    def leaves(self, name: str) -> Iterator[bytes]:
        """All leaves of `directory` or `evidence`."""
        return LogFolder(self.folder / name).leaves(self.size(name))

    def size(self, name: str) -> int:
        return parse_checkpoint(parse_note(self.note(name)).text).size


def judge(
    ledgers: Iterable[Path], exported: Exported, *, settled: bool = True, answered: bool = False
) -> list[Finding]:
    """Everything that is not as promised; nothing when all is well.

    Args:
        settled: faults are over and nobody has anything left to do: every delivery has its
            outcome, and whoever watches has seen what was accepted.
        answered: whoever was told an error has asked again until it was taken, so that each
            bulletin of the logs was acknowledged to somebody. One more is a request done twice.
    """
    promised = read_ledgers(ledgers)
    heads = Heads(exported.pins)
    heads.take(exported.notes, "somebody's keeping")
    logs = [_read(exported, folder) for folder in exported.logs]
    found: list[Finding] = []
    for log in logs:
        heads.take(log.story.notes, "a pack")
        heads.take([log.note(name) for name in _NAMES], "the log")
        found += _proven(log, exported.whole)
    found += [*heads.findings, *heads.forks(), *_reached(logs, heads), *_succeeded(logs, heads)]
    found += _grown(logs, heads)
    return found + list(_kept(promised, logs, settled=settled, answered=answered))


_NAMES = ("directory", "evidence")
_NO_ENTRIES = frozenset({LeafType.ANCHOR, LeafType.SUCCESSOR})


def _read(exported: Exported, folder: Path) -> _Log:
    origins = [
        parse_checkpoint(parse_note((folder / name / "checkpoint").read_bytes()).text).origin
        for name in _NAMES
    ]
    directory, evidence = (pin_of(exported.pins, origin) for origin in origins)
    if directory is None or evidence is None:
        raise ValueError(f"{folder} holds logs that the pin file does not name: {origins}")
    pins = dataclasses.replace(exported.pins, directory=directory, evidence=evidence)
    story, packs = Story(), []
    for pack in exported.packs:
        head = next(iter(read_pack(pack)))
        if isinstance(head, PackHead) and head.evidence == evidence.origin:
            story.read(read_pack(pack))
            packs.append(pack)
    return _Log(pins, folder, story, packs)


def _proven(log: _Log, whole: bool) -> Iterator[Finding]:
    """Signatures, inclusion, order and corridors by the product's audit, and corridors again."""
    report = audit(
        log.pins,
        LogFolder(log.folder / "directory"),
        LogFolder(log.folder / "evidence"),
        [(str(pack), read_pack(pack)) for pack in log.packs],
        {known.name: known.digest for known in known_types()},
    )
    if report.finding is not None:
        wrong = report.finding
        about = f"{log.origin}, {wrong.log} leaf {wrong.index}: {wrong.step} {wrong.code}"
        yield Finding(Fault.UNPROVEN, f"{about}: {wrong.message}")
    if whole:
        yield from (Finding(Fault.CORRIDOR_GAP, f"{log.origin}: {gap}") for gap in log.story.gaps())
        entries = sum(leaf[0] not in _NO_ENTRIES for leaf in log.leaves("evidence"))
        if len(log.story.entries) != entries:
            count = f"{len(log.story.entries)} of {entries} entries"
            yield Finding(Fault.UNOPENED, f"{log.origin}: {count} are opened")


def _grown(logs: Sequence[_Log], heads: Heads) -> Iterator[Finding]:
    """Whatever size a head was signed at: its root is that of as many of the log's leaves."""
    for log in logs:
        for name, pin in (("directory", log.pins.directory), ("evidence", log.pins.evidence)):
            sizes = [size for origin, size in heads.roots if origin == pin.origin]
            for size, root in roots_at(log.leaves(name), sizes).items():
                if heads.roots[pin.origin, size] != {root}:
                    yield Finding(Fault.TWO_ROOTS, f"{pin.origin} at size {size}, by its leaves")


def _reached(logs: Sequence[_Log], heads: Heads) -> Iterator[Finding]:
    """A log that nobody succeeded reaches every head that was ever signed of it."""
    for log in logs[-1:]:
        for name, pin in (("directory", log.pins.directory), ("evidence", log.pins.evidence)):
            size, signed = log.size(name), heads.newest(pin.origin)
            if size < signed:
                yield Finding(Fault.HEAD_BEYOND, f"{pin.origin} has {size}, signed was {signed}")


def _succeeded(logs: Sequence[_Log], heads: Heads) -> Iterator[Finding]:
    """What a successor's first leaf names is at least what anybody holds of the log before."""
    for log in logs:
        lasting, _, number = log.origin.rpartition("/")
        if number == "1":
            continue
        before = f"{lasting}/{int(number) - 1}"
        leaf = parse_leaf(next(LogFolder(log.folder / "evidence").leaves(log.size("evidence"))))
        if leaf.type is not LeafType.SUCCESSOR or leaf.old_origin != sha256(before.encode()):
            yield Finding(Fault.SUCCESSOR_BEHIND, f"{log.origin} does not begin after {before}")
            continue
        named, signed = leaf.size or 0, heads.newest(before)
        if named < signed:
            yield Finding(Fault.SUCCESSOR_BEHIND, f"{before}: {named} named, {signed} signed")
        if heads.roots.get((before, named), {leaf.root}) != {leaf.root}:
            yield Finding(Fault.TWO_ROOTS, f"{before} at size {named}, as its successor names it")


def _kept(
    promised: Promised, logs: Sequence[_Log], *, settled: bool, answered: bool
) -> Iterator[Finding]:
    """Every promise, by what all logs tell together."""
    lives: dict[tuple[str, str], list[list[str]]] = {}
    for log in logs:
        for delivery, events in log.story.lives().items():
            lives.setdefault(delivery, []).append(events)
    deliveries = {
        (one.bulletin, recipient)
        for one in promised.bulletins.values()
        for recipient in one.recipients
    }
    for delivery in sorted(deliveries | set(lives)):
        about = "{} to {}".format(*delivery)
        if answered and delivery not in deliveries:
            yield Finding(Fault.UNASKED, about)
        yield from _delivered(about, lives.get(delivery, []), settled and delivery in deliveries)
    for (agency, officer, bulletin), times in sorted(promised.shown.items()):
        about = f"{bulletin} to {officer} of {agency}"
        if times > 1:
            yield Finding(Fault.SHOWN_TWICE, f"{about}, {times} times")
        if not any("handover" in events for events in lives.get((bulletin, agency), [])):
            yield Finding(Fault.SHOWN_EARLY, about)
    if settled:
        yield from _unseen(promised, lives)


def _delivered(about: str, logged: list[list[str]], settled: bool) -> Iterator[Finding]:
    """One promised delivery.

    A successor says again what its predecessor has said, so an outcome may stand in both.
    """
    if settled and not logged:
        yield Finding(Fault.MISSING, about)
        return
    ended = [outcomes(events) for events in logged]
    if any(len(found) > 1 for found in ended) or len({one for found in ended for one in found}) > 1:
        yield Finding(Fault.TWO_OUTCOMES, f"{about}: {ended}")
    if settled and not any(ended):
        yield Finding(Fault.UNDECIDED, f"{about}: {logged}")


def _unseen(promised: Promised, lives: dict[tuple[str, str], list[list[str]]]) -> Iterator[Finding]:
    for agency, officer in sorted(promised.watching):
        for (bulletin, recipient), logged in lives.items():
            accepted = any("accepted" in events for events in logged)
            if recipient == agency and accepted and not promised.shown[agency, officer, bulletin]:
                yield Finding(Fault.NOT_SHOWN, f"{bulletin} to {officer} of {agency}")
