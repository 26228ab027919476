"""`python -m model [small | large | mutations]`: prints what was searched, as docs/model.md has it.

Ends with 1 if a world is broken or leads nowhere, or if a mutation is not found.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from model.cases import LARGE, SMALL, searched
from model.mutations import BROKEN, STUCK
from model.properties import both_told
from model.search import Searched, stuck
from model.world import STEP, Sizes


def _print(found: Searched, place: int) -> None:
    for line in found.trace(place):
        print(f"    {line}")
    print(f"    {found.worlds[place]}")


def _table(cases: Sequence[Sizes]) -> bool:
    good = True
    print("| world | states | moves | seconds |\n| --- | --- | --- | --- |")
    for sizes in cases:
        started = time.process_time()
        found = searched(sizes)
        places = stuck(found, (STEP,), both_told)
        spent = time.process_time() - started
        print(
            f"| {sizes.name} | {len(found.worlds):,} | {found.moves:,} | {spent:.0f} |", flush=True
        )
        if found.broken or places:
            good = False
            print(found.broken or "nothing leads on from here:")
            _print(found, -1 if found.broken else places[0])
    return good


def _mutations() -> bool:
    good = True
    for mutation in (*BROKEN, *STUCK):
        found = searched(mutation.sizes)
        places = [] if found.broken else stuck(found, (STEP,), both_told)
        print(f"\n{mutation.what}: {found.broken or 'nothing leads on from here'}")
        if not found.broken and not places:
            good = False
            print("    NOT FOUND")
            continue
        _print(found, len(found.worlds) - 1 if found.broken else places[0])
    return good


def main(asked: str) -> int:
    if asked == "mutations":
        return 0 if _mutations() else 1
    return 0 if _table(LARGE if asked == "large" else SMALL) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "small"))
