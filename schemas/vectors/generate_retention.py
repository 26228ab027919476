"""Write the vectors about destruction: leaves, and logs with what an auditor must find in them.

    python schemas/vectors/generate_retention.py [folder]

Built from the text of `retention.md` and `log.md`, not with the code under test. Nothing
in them is random: every run writes the same bytes.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgpack

HERE: Final = Path(__file__).resolve().parent
DAY: Final = 86_400
DUE: Final = 20_300
"""The due-day of what these logs submit."""
GRACE: Final = 72 * 3600
SKEW: Final = 60
AT: Final = DUE * DAY
LA, KH = "la.ospp", "kh.gpo"
TYPES: Final = {
    "submitted": 1, "accepted": 5, "recalled": 8, "expired": 9, "destroyed": 11, "held": 12,
    "released": 13, "anchor": 15, "erased": 18, "obeyed": 19, "declined": 20, "hold_asked": 21,
    "hold_answered": 22,
}  # fmt: skip
TARGETED: Final = ("destroyed", "held", "released")
Json = dict[str, Any]


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def pae(kind: str, body: bytes) -> bytes:
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind.encode(), len(body), body)


def pack(*fields: Any) -> bytes:
    data: bytes = msgpack.packb(list(fields), use_bin_type=True)
    return data


def named(label: str) -> bytes:
    return sha256(label.encode())


# --- leaves ---------------------------------------------------------------------------------------

SAID: Final[dict[str, tuple[str, tuple[str, str], str | None, Any]]] = {
    "destroyed": ("broker", (LA, KH), "due", None),
    "held": (KH, (KH, KH), None, named("order")),
    "released": (KH, (KH, KH), None, named("release")),
    "erased": (KH, (LA, KH), "due", None),
    "obeyed": (KH, (LA, KH), None, None),
    "declined": (KH, (LA, KH), "court_order", None),
    "hold_asked": (LA, (LA, KH), "hold", None),
    "hold_answered": (KH, (LA, KH), "kept", None),
}


def leaf_case(event: str, target: int = 7, shown: int | None = None, kind: str = "") -> Json:
    """A leaf with what opens it; `shown`: another target in clear; `kind`: another type of leaf."""
    issuer, corridor, code, detail = SAID[event]
    about = [named("bulletin"), named("ciphertext"), issuer, AT * 1000, code, detail]
    statement = pack(*about, target) if event in TARGETED else pack(*about)
    typed = f"saphan/{event}/1"
    entry = pack(*corridor, 4, 11, AT * 1000, typed, sha256(pae(typed, statement)))
    salt = named(f"salt of {event}")
    clear = b""
    if (kind or event) in TARGETED:
        clear = (target if shown is None else shown).to_bytes(8, "big")
    bound = hmac.digest(salt, pae("saphan/entry/1", entry), "sha256")
    leaf = bytes([TYPES[kind or event]]) + clear + bound
    return {
        "leaf": leaf.hex(),
        "entry": entry.hex(),
        "salt": salt.hex(),
        "statement": statement.hex(),
    }


def with_statement(event: str, *more: Any, drop: int = 0) -> Json:
    """The same with a statement of another length, to which entry and leaf are true."""
    case = leaf_case(event)
    fields = msgpack.unpackb(bytes.fromhex(case["statement"]))
    statement = pack(*fields[: len(fields) - drop], *more)
    entry = msgpack.unpackb(bytes.fromhex(case["entry"]))
    entry[6] = sha256(pae(f"saphan/{event}/1", statement))
    body, salt, leaf = pack(*entry), bytes.fromhex(case["salt"]), bytes.fromhex(case["leaf"])
    bound = hmac.digest(salt, pae("saphan/entry/1", body), "sha256")
    return case | {
        "statement": statement.hex(),
        "entry": body.hex(),
        "leaf": (leaf[:-32] + bound).hex(),
    }


def leaves() -> Iterator[Json]:
    for event in SAID:
        yield {"name": event, "why": f"a good {event}", "expect": "valid"} | leaf_case(event)
    for event in TARGETED:
        why = "the leaf shows another target than the statement"
        case = leaf_case(event, shown=8)
        yield {"name": f"{event}_elsewhere", "why": why, "expect": "target_differs"} | case
        case = with_statement(event, drop=1)
        why = "a statement without its target"
        yield {"name": f"{event}_untargeted", "why": why, "expect": "malformed"} | case
    why = "a target where none belongs"
    yield {"name": "erased_targeted", "why": why, "expect": "malformed"} | with_statement(
        "erased", 7
    )
    why = "the entry is about another event than the leaf"
    case = leaf_case("released", kind="held")
    yield {"name": "released_as_held", "why": why, "expect": "entry_type"} | case
    short = leaf_case("destroyed")
    short["leaf"] = short["leaf"][:2] + short["leaf"][4:]
    why = "a target of seven bytes"
    yield {"name": "short_target", "why": why, "expect": "leaf_malformed"} | short
    other = leaf_case("obeyed")
    other["salt"] = named("another salt").hex()
    yield {"name": "other_salt", "why": "another salt", "expect": "commitment_differs"} | other


# --- logs -----------------------------------------------------------------------------------------


class Log:
    """Leaves as the public log holds them, and heads that were signed over them."""

    def __init__(self) -> None:
        self.leaves = [bytes([TYPES["anchor"]]) + (3).to_bytes(8, "big") + named("directory")]
        self.heads: list[tuple[int, int]] = []

    def add(self, event: str, target: int | None = None, due: int = DUE) -> int:
        clear = b""
        if event == "submitted":
            clear = due.to_bytes(4, "big")
        if target is not None:
            clear = target.to_bytes(8, "big")
        bound = named(f"leaf {len(self.leaves)}")
        self.leaves.append(bytes([TYPES[event]]) + clear + bound)
        return len(self.leaves) - 1

    def ended(self, due: int = DUE) -> int:
        submitted = self.add("submitted", due=due)
        self.add("accepted")
        return submitted

    def head(self, time: int) -> None:
        self.heads.append((len(self.leaves), time))


def log_case(name: str, why: str, log: Log, code: str = "valid", index: int | None = None) -> Json:
    return {
        "name": name,
        "why": why,
        "leaves": [leaf.hex() for leaf in log.leaves],
        "heads": log.heads,
        "expect": code,
        "index": index,
    }


def logs() -> Iterator[Json]:
    yield from _times()
    yield from _held()
    yield from _targets()


def _times() -> Iterator[Json]:
    for name, time, code in (
        ("on_its_day", AT, "valid"),
        ("within_the_skew", AT - SKEW - 1, "valid"),
        ("before_its_day", AT - SKEW - 2, "destroyed_early"),
    ):
        log = Log()
        index = log.add("destroyed", log.ended())
        log.head(time)
        wrong = None if code == "valid" else index
        yield log_case(name, "a head covers a destruction", log, code, wrong)
    log = Log()
    one, two = log.ended(), log.ended(DUE + 5)
    log.add("destroyed", one)
    late = log.add("destroyed", two)
    log.head(AT)
    why = "of two that are covered, the one of the later day is early"
    yield log_case("the_other_is_early", why, log, "destroyed_early", late)
    log = Log()
    two, one = log.ended(DUE + 5), log.ended()
    wrong = log.add("destroyed", two)
    log.add("destroyed", one)
    log.head(AT - DAY)
    why = "of two that are early, the one of the later day is named"
    yield log_case("both_are_early", why, log, "destroyed_early", wrong)
    for name, time, code in (
        ("end_of_grace", AT + GRACE, "valid"),
        ("after_grace", AT + GRACE + 1, "destruction_missing"),
    ):
        log = Log()
        kept = log.ended()
        log.add("destroyed", log.ended())
        log.head(time)
        wrong = None if code == "valid" else kept
        yield log_case(name, "one of two is not destroyed", log, code, wrong)
    log = Log()
    log.ended()
    log.head(AT - DAY)
    yield log_case("not_due", "nothing is due yet", log)


def _held() -> Iterator[Json]:
    log = Log()
    target = log.ended()
    log.add("held", target)
    log.head(AT + 400 * DAY)
    yield log_case("held", "held for more than a year after its day", log)
    index = log.add("destroyed", target)
    log.head(AT + 400 * DAY)
    yield log_case("destroyed_held", "while a hold stands", log, "destroyed_held", index)
    for name, times, code in (
        ("released_lately", (0, GRACE), "valid"),
        ("released_long_ago", (0, GRACE + 2), "destruction_missing"),
    ):
        log = Log()
        target = log.ended()
        log.add("held", target)
        log.add("released", target)
        for time in times:
            log.head(AT + 10 * DAY + time)
        wrong = None if code == "valid" else target
        yield log_case(name, "a head says by when it was released", log, code, wrong)
    log = Log()
    target = log.ended()
    for event in ("held", "held", "released"):
        log.add(event, target)
    index = log.add("destroyed", target)
    log.head(AT)
    why = "two holds, one release"
    yield log_case("one_of_two_released", why, log, "destroyed_held", index)
    log = Log()
    index = log.add("released", log.ended())
    log.head(AT)
    yield log_case("released_unheld", "no hold stands", log, "released_unheld", index)


def _targets() -> Iterator[Json]:
    for name, event, code in (
        ("destroyed_twice", "destroyed", "destroyed_before"),
        ("held_after", "held", "after_destruction"),
    ):
        log = Log()
        target = log.ended()
        log.add("destroyed", target)
        index = log.add(event, target)
        log.head(AT)
        yield log_case(name, "after its destruction", log, code, index)
    for name, target in (("of_an_anchor", 0), ("of_an_answer", 2), ("of_itself", 3)):
        log = Log()
        log.ended()
        index = log.add("destroyed", target)
        log.head(AT)
        why = "what it names is no submitted leaf before it"
        yield log_case(name, why, log, "target_malformed", index)


def main(folder: Path) -> None:
    """Write both files into `folder`/retention."""
    place = folder / "retention"
    place.mkdir(parents=True, exist_ok=True)
    for name, cases in (("leaves", leaves()), ("logs", logs())):
        text = json.dumps({"cases": list(cases)}, indent=1) + "\n"
        (place / f"{name}.json").write_text(text, encoding="ascii")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
