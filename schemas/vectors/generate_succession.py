"""Write the vectors about a log that follows a lost one: good chains, and such with one defect.

    python schemas/vectors/generate_succession.py [folder]

Built from the text of `schemas/spec/log.md`, section 11, not with the code under test. ML-DSA
signing is randomised, so notes come out anew with every run; keys, leaves and roots do not.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from generate_log import HERE, LEAVES, ORIGIN, Hashes, Signer, b64, path, sha256, tree

NAME = "bridge.example"
LOST = (len(LEAVES), tree(LEAVES))
"""The first log, as it was lost."""
SECOND, THIRD = LEAVES[:7], LEAVES[:3]
"""What the later logs hold behind their first leaf."""
Json = dict[str, Any]


def keys(log: str, number: int, of: str = NAME) -> Signer:
    """The first log's keys under the origin with this number."""
    signer = Signer(f"{of}/{log}/1", 1)
    signer.name = f"{of}/{log}/{number}"
    return signer


def leaf(old: str, size: int, root: bytes) -> bytes:
    return b"\x10" + sha256(old.encode()) + size.to_bytes(8, "big") + root


def note(log: Signer, hashes: Hashes, kinds: tuple[int, ...] = (1, 6)) -> str:
    text = f"{log.name}\n{len(hashes)}\n{b64(tree(hashes))}\n"
    return text + "\n" + "".join(log.line(kind, text) for kind in kinds)


def step(number: int, first: bytes, rest: Hashes, directory: int = 1, **other: Any) -> Json:
    """The log with this number says that it follows the one before; `other` replaces parts."""
    hashes = (sha256(b"\x00" + first), *rest)
    given = {
        "directory": f"{NAME}/directory/{directory}",
        "evidence": f"{NAME}/evidence/{number}",
        "leaf": first.hex(),
        "path": [part.hex() for part in path(0, hashes)],
        "note": note(keys("evidence", number), hashes),
    }
    return given | other


FIRST_LEAF = leaf(ORIGIN, *LOST)
SECOND_HASHES = (sha256(b"\x00" + FIRST_LEAF), *SECOND)
SECOND_LOST = (len(SECOND_HASHES), tree(SECOND_HASHES))
SECOND_LEAF = leaf(f"{NAME}/evidence/2", *SECOND_LOST)
ONE = step(2, FIRST_LEAF, SECOND)
TWO = step(3, SECOND_LEAF, THIRD)


def named(number: int, lost: tuple[int, bytes]) -> list[Any]:
    return [f"{NAME}/evidence/{number}", lost[0], lost[1].hex()]


def case(
    name: str,
    expect: str,
    steps: list[Json],
    *,
    pins: tuple[int, int] = (1, 1),
    known: list[tuple[int, bytes]] | None = None,
    names: list[list[Any]] | None = None,
) -> Json:
    """`pins`: numbers of directory and evidence; `known`: heads of the log of the pins;
    `names`: the heads that the steps name, where they hold."""
    return {
        "name": name,
        "expect": expect,
        "pins": list(pins),
        "steps": steps,
        "known": [[size, root.hex()] for size, root in known or []],
        "named": names or [],
    }


def good() -> list[Json]:
    both = [named(1, LOST), named(2, SECOND_LOST)]
    less = (8, tree(LEAVES[:8]))
    more = leaf(ORIGIN, 1_000, sha256(b"signed, and lost with the disk"))
    grown = step(2, FIRST_LEAF, SECOND, directory=2)
    return [
        case("one_step", "valid", [ONE], names=both[:1]),
        case("two_steps", "valid", [ONE, TWO], names=both),
        case("steps_before_the_pins", "valid", [ONE, TWO], pins=(1, 2), names=both[1:]),
        case("nothing_new", "valid", [ONE, TWO], pins=(1, 3)),
        case("directory_grows", "valid", [grown], names=both[:1]),
        case("first_leaf_alone", "valid", [step(2, FIRST_LEAF, ())], names=both[:1]),
        case("known_less", "valid", [ONE], known=[less], names=both[:1]),
        case("known_the_same", "valid", [ONE], known=[less, LOST], names=both[:1]),
        case(
            "named_more_than_is_known",
            "valid",
            [step(2, more, SECOND)],
            known=[LOST],
            names=[[ORIGIN, 1_000, more[-32:].hex()]],
        ),
    ]


def bad() -> list[Json]:
    malformed = "successor_malformed"
    hashes = (LEAVES[0], sha256(b"\x00" + FIRST_LEAF), *SECOND)
    second = {
        "path": [part.hex() for part in path(1, hashes)],
        "note": note(keys("evidence", 2), hashes),
    }
    elsewhere = "another.example/evidence/2"
    cut = ONE["path"][:-1]
    of_other = leaf(f"{NAME}/evidence/7", *LOST)
    less = leaf(ORIGIN, 12, tree(LEAVES[:12]))
    differs = leaf(ORIGIN, LOST[0], sha256(b"another history"))
    return [
        case("number_left_out", malformed, [TWO]),
        case("steps_in_another_order", malformed, [TWO, ONE]),
        case("another_broker", malformed, [ONE | {"evidence": elsewhere}]),
        case("another_directory", malformed, [ONE | {"directory": "another.example/directory/1"}]),
        case("directory_falls", malformed, [ONE], pins=(2, 1)),
        case("directory_leaps", malformed, [step(2, FIRST_LEAF, SECOND, directory=3)]),
        case("leaf_of_another_log", malformed, [step(2, of_other, SECOND)]),
        case("leaf_changed", "proof_inclusion", [ONE | {"leaf": less.hex()}]),
        case("leaf_not_first", "proof_inclusion", [ONE | second]),
        case("path_cut", "proof_inclusion", [ONE | {"path": cut}]),
        case("second_step_bent", "proof_inclusion", [ONE, TWO | {"leaf": FIRST_LEAF.hex()}]),
        case("names_less", "successor_behind", [step(2, less, SECOND)], known=[LOST]),
        case("names_another_root", "successor_differs", [step(2, differs, SECOND)], known=[LOST]),
        case("names_less_than_one_of_two", "successor_behind", [step(2, less, SECOND)],
             known=[(12, tree(LEAVES[:12])), LOST]),
    ]  # fmt: skip


def bad_notes() -> list[Json]:
    log, thief = keys("evidence", 2), Signer("thief", 1)
    other = keys("evidence", 2)
    other.ed25519, other.mldsa44 = thief.ed25519, thief.mldsa44
    shown = (
        ("note_of_the_lost_log", "head_origin", note(keys("evidence", 1), LEAVES)),
        ("note_half", "head_signature", note(log, SECOND_HASHES, (6,))),
        ("note_of_other_keys", "note_signature", note(other, SECOND_HASHES)),
    )
    return [case(name, code, [ONE | {"note": given}]) for name, code, given in shown]


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    folder.mkdir(parents=True, exist_ok=True)
    value = {
        "name": NAME,
        "vkeys": {log: keys(log, 1).vkeys() for log in ("directory", "evidence")},
        "cases": good() + bad() + bad_notes(),
    }
    data = json.dumps(value, indent=1, ensure_ascii=True) + "\n"
    (folder / "succession.json").write_text(data, encoding="ascii")


if __name__ == "__main__":
    main()
