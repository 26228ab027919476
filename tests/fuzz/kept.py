"""Inputs that are kept: in the folder of their target, each a file named by its own digest."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path
from typing import Final

from saphan_schemas.limits import KIB

FOLDER: Final = Path(__file__).parent / "corpus"
KEPT_BYTES: Final = 2048
"""Longer ones are made again quickly from the real inputs."""
KEPT_MOST: Final = 5
"""Of one target, besides its faults."""
FAULT_BYTES: Final = 16 * KIB
FAULT: Final = "fault-"
"""How the name of an input begins that was a fault once; such a file is never removed."""


def kept(target: str) -> list[bytes]:
    """The kept inputs of a target, its former faults first."""
    folder = FOLDER / target
    if not folder.is_dir():
        return []
    names = sorted(folder.iterdir(), key=lambda path: (not path.name.startswith(FAULT), path.name))
    return [path.read_bytes() for path in names]


def faults(target: str) -> list[Path]:
    """Files of inputs that were faults once."""
    return sorted((FOLDER / target).glob(f"{FAULT}*"))


def keep(target: str, inputs: list[bytes], prefix: str = "") -> int:
    """Add inputs, the shortest first, as far as there is room; how many were new.

    Args:
        prefix: `FAULT` for what has to stay; bombs are not kept, every run makes them again.
    """
    folder = FOLDER / target
    if not inputs:
        return 0
    folder.mkdir(parents=True, exist_ok=True)
    known = {path.name for path in folder.iterdir()}
    added = 0
    for data in sorted(inputs, key=len):
        name = prefix + sha256(data).hexdigest()[:16]
        few = len(data) <= KEPT_BYTES and len(known) < KEPT_MOST
        room = len(data) <= FAULT_BYTES if prefix else few
        if name not in known and room:
            (folder / name).write_bytes(data)
            known.add(name)
            added += 1
    return added
