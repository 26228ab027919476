"""Write the vectors of agencies' own types: a source, what may not stand in its bundle, and growth.

    python schemas/vectors/generate_types.py [folder]

Each change is made in the bundle of the source, made as schemas/spec/types.md says; one without a
value takes the member away. For growth the changed bundle is the next version, with its `$id`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from cases_bodies import GONE, Case  # noqa: E402
from cases_types import GROWN, GROWTH, PROFILE, source  # noqa: E402


def written(case: Case) -> dict[str, Any]:
    """A case as JSON."""
    return {"why": case.why, "change": changes(case.change), "expect": case.code, "at": case.at}


def changes(made: tuple[tuple[str, Any], ...]) -> list[list[Any]]:
    return [[at] if value is GONE else [at, value] for at, value in made]


def main(folder: Path) -> None:
    """Write both files into `folder`/types."""
    target = folder / "types"
    target.mkdir(parents=True, exist_ok=True)
    grown = [{"why": why, "change": changes(made), "expect": "valid"} for why, made in GROWN]
    files = {
        "profile.json": {"source": source(), "cases": [written(case) for case in PROFILE]},
        "growth.json": {"source": source(), "cases": [*map(written, GROWTH), *grown]},
    }
    for name, value in files.items():
        (target / name).write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
