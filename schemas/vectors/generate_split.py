"""Write the vectors about two histories: what proves them, and what does not.

    python schemas/vectors/generate_split.py [folder]

Built from the text of `schemas/spec/log.md`, section 9, not with the code under test. ML-DSA
signing is randomised, so notes come out anew with every run; keys and roots do not.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from generate_log import (
    HERE,
    LEAVES,
    ORIGIN,
    TIME,
    Hashes,
    Signer,
    b64,
    path,
    sha256,
    subproof,
    tree,
)

NAME = "bridge.example"
DIRECTORY = f"{NAME}/directory/1"
ANCHORED = b"another directory".ljust(32, b".")
AT, SIX = 7, 6
Json = dict[str, Any]


def other(leaves: Hashes, fork: int) -> Hashes:
    return leaves[:fork] + tuple(sha256(b"other" + leaf) for leaf in leaves[fork:])


OTHER = other(LEAVES, 5)
ANCHOR = sha256(b"\x00\x0f" + SIX.to_bytes(8, "big") + ANCHORED)
WITH_ANCHOR = (*LEAVES[:AT], ANCHOR, *LEAVES[AT + 1 :])


def head(log: Signer, leaves: Hashes, kinds: tuple[int, ...] = (1, 6)) -> str:
    text = f"{log.name}\n{len(leaves)}\n{b64(tree(leaves))}\n"
    return text + "\n" + "".join(log.line(kind, text) for kind in kinds)


def history(origin: str, leaves: Hashes, old: int, *, rfc: bool = False) -> Json:
    """A history path; `rfc`: as RFC 9162 has it, without the root of a power of two."""
    steps = subproof(old, leaves, True)
    if not rfc and not old & (old - 1):
        steps = (tree(leaves[:old]), *steps)
    shown = [step.hex() for step in steps]
    return {"origin": origin, "old": old, "new": len(leaves), "path": shown}


def notes() -> dict[str, str]:
    log, directory, thief = Signer(ORIGIN, 1), Signer(DIRECTORY, 1), Signer(ORIGIN, 1)
    stolen = Signer("thief", 1)
    thief.ed25519, thief.mldsa44 = stolen.ed25519, stolen.mldsa44
    return {
        "first_8": head(log, LEAVES[:8]),
        "first_11": head(log, LEAVES[:11]),
        "first_13": head(log, LEAVES),
        "second_13": head(log, OTHER),
        "second_13_ed25519_only": head(log, OTHER, (1,)),
        "second_13_mldsa44_only": head(log, OTHER, (6,)),
        "second_13_other_keys": head(thief, OTHER),
        "anchored_13": head(log, WITH_ANCHOR),
        "directory_9": head(directory, LEAVES[:9]),
        "directory_13": head(directory, OTHER),
    }


def cases() -> list[Json]:
    back = history(ORIGIN, OTHER, 11)
    bent = back | {"path": [*back["path"][:-1], "00" * 32]}
    anchor = {
        "head": len(LEAVES),
        "index": AT,
        "size": SIX,
        "root": ANCHORED.hex(),
        "path": [step.hex() for step in path(AT, WITH_ANCHOR)],
    }
    forged = anchor | {"root": (b"x" * 32).hex()}
    directory = history(DIRECTORY, LEAVES[:9], SIX)
    two = [history(ORIGIN, LEAVES[:11], 9), history(ORIGIN, OTHER, 9)]
    return [
        case("one_size", 13, ["first_13", "second_13"]),
        case("path", 11, ["first_11", "second_13"], [back]),
        case("path_of_a_power_of_two", 8, ["first_8", "second_13"], [history(ORIGIN, OTHER, 8)]),
        case("two_paths", 9, ["first_11", "second_13"], two),
        case("anchor", SIX, ["anchored_13", "directory_9"], [directory], [anchor]),
        case("no_pins", 13, ["first_13", "second_13"], judge=None),
        case("one_history", None, ["first_8", "first_13"], [history(ORIGIN, LEAVES, 8)]),
        case("one_head_twice", None, ["first_13", "first_13"]),
        case("two_logs", None, ["first_13", "directory_13"]),
        case("path_to_no_head", None, ["first_11", "first_13"], [back], codes=["split_path_loose"]),
        case("path_bent", None, ["first_11", "second_13"], [bent], codes=["split_path_loose"]),
        case(
            "path_without_its_first_root",
            None,
            ["first_8", "second_13"],
            [history(ORIGIN, OTHER, 8, rfc=True)],
            codes=["proof_consistency"],
        ),
        *(
            case(f"signed_{half}", None, ["first_13", f"second_13_{half}"], codes=[code])
            for half, code in (
                ("ed25519_only", "head_signature"),
                ("mldsa44_only", "head_signature"),
                ("other_keys", "note_signature"),  # under the ids of the log's own
            )
        ),
        case(
            "anchor_forged",
            None,
            ["anchored_13", "directory_9"],
            [directory],
            [forged],
            codes=["proof_inclusion"],
        ),
        case(
            "anchor_of_another_number",
            None,
            ["anchored_13", "directory_9"],
            [directory],
            [anchor],
            judge="successor",
            codes=["split_other_log"],
        ),
    ]


def case(
    name: str,
    size: int | None,
    shown: list[str],
    histories: list[Json] | None = None,
    anchors: list[Json] | None = None,
    judge: str | None = "broker",
    codes: list[str] | None = None,
) -> Json:
    """`size`: at which both roots stand; None: not proven. `notes` are named."""
    proven = "proven" if judge is not None else "keys_unknown"
    return {
        "name": name,
        "pins": judge,
        "expect": {"verdict": "not_proven" if size is None else proven, "size": size},
        "codes": codes or [],
        "notes": shown,
        "histories": histories or [],
        "anchors": anchors or [],
    }


def pins(number: int) -> Json:
    """The broker's; with another number for the directory log alone."""
    origin = f"{NAME}/directory/{number}"
    keys = Signer(DIRECTORY, 1)
    keys.name = origin
    evidence = {"origin": ORIGIN, "vkeys": Signer(ORIGIN, 1).vkeys()}
    directory = {"origin": origin, "vkeys": keys.vkeys()}
    return {"saphan": "pins/1", "name": NAME, "directory": directory, "evidence": evidence}


def main() -> None:
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE
    folder.mkdir(parents=True, exist_ok=True)
    value = {
        "found_at": TIME * 1000,
        "pins": {"broker": pins(1), "successor": pins(2)},
        "notes": notes(),
        "cases": cases(),
    }
    data = json.dumps(value, indent=1, ensure_ascii=True) + "\n"
    (folder / "split.json").write_text(data, encoding="ascii")


if __name__ == "__main__":
    main()
