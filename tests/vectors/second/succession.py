"""A log that follows a lost one, from log.md section 11: F1 to F6."""

from __future__ import annotations

import re
from typing import Any

from log import Key, read_head, read_text, read_vkey
from mp import refuse
from suite import climb, sha256

MALFORMED = "successor_malformed"


def named(key: Key, origin: str) -> Key:
    """4: a log that follows another keeps its public keys."""
    return origin, key[1], key[2]


def read_succession(case: dict[str, Any], file: dict[str, Any]) -> list[list[Any]]:
    """What each step after the pins' number names."""
    log = [read_vkey(text) for text in file["vkeys"]["evidence"]]
    directory, number = case["pins"]
    found: list[list[Any]] = []
    for step in case["steps"]:
        last = re.fullmatch(r".+/([1-9][0-9]{0,8})", step["evidence"])
        if last is not None and int(last[1]) <= number:
            continue
        old = f"{file['name']}/evidence/{number}"
        size, root = one(step, old, f"{file['name']}/evidence/{number + 1}", log)
        after = re.fullmatch(
            re.escape(file["name"]) + r"/directory/([1-9][0-9]{0,8})", step["directory"]
        )
        if after is None or int(after[1]) not in (directory, directory + 1):  # F1, F5
            refuse(MALFORMED)
        directory, number = int(after[1]), number + 1
        found.append([old, size, root.hex()])
    for size, root in case["known"] if found else ():  # F6
        if size > found[0][1]:
            refuse("successor_behind")
        if size == found[0][1] and root != found[0][2]:
            refuse("successor_differs")
    return found


def one(step: dict[str, Any], old: str, new: str, log: list[Key]) -> tuple[int, bytes]:
    if step["evidence"] != new:  # F1
        refuse(MALFORMED)
    read_head(step["note"].encode(), [named(key, new) for key in log], [])  # F2
    _, size, root = read_text(step["note"].partition("\n\n")[0] + "\n")
    leaf = bytes.fromhex(step["leaf"])
    path = [bytes.fromhex(part) for part in step["path"]]
    if climb(0, size, sha256(b"\x00", leaf), path) != root:  # F3
        refuse("proof_inclusion")
    if len(leaf) != 73 or leaf[0] != 16 or leaf[1:33] != sha256(old.encode()):  # F4
        refuse(MALFORMED)
    return int.from_bytes(leaf[33:41], "big"), leaf[41:]
