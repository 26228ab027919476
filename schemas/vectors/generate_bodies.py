"""Write the vectors of body types: every bundle, a sample of each type, and what spoils it.

    python schemas/vectors/generate_bodies.py [folder]

`<type>.bundle` is the canonical bytes that the digest covers. `<type>.json` holds the digest, the
facts of a header, the sample's content, and cases: one change each, with the code that must follow
and the pointer that it names.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

from cases_bodies import CASES, COMMON, GONE, Case  # noqa: E402
from saphan_schemas.bodies import NAMES, bundle_bytes, digest  # noqa: E402
from saphan_schemas.samples import sample, wish  # noqa: E402

COMMON_TO: Final = "drug_seizure"
"""The sample that the cases of all types spoil."""


def facts(stem: str, name: str) -> dict[str, Any]:
    """What rules see of the header under which a sample would be sent."""
    said = wish(stem)
    marking = said.get("marking", {})
    return {
        "schema": name,
        "sender": "la.ospp",
        "recipients": ["kh.gpo"],
        "tlp": marking.get("tlp", "amber"),
        "codes": marking.get("codes", ["H1", "H2"]),
        "urgency": said.get("urgency", "routine"),
        "exercise": True,
        "created": "2025-11-19T00:00:00.000Z",
        "expires": "2025-12-19T00:00:00.000Z",
        "retain_until": "2026-11-19",
    }


def written(case: Case) -> dict[str, Any]:
    """A case as JSON; a change without a value takes the member away."""
    changes = [[at] if value is GONE else [at, value] for at, value in case.change]
    return {"why": case.why, "change": changes, "expect": case.code, "at": case.at}


def files() -> Iterator[tuple[str, bytes]]:
    """Name and bytes of each file."""
    for name in NAMES:
        stem = name.split("/")[1]
        cases = [*(COMMON if stem == COMMON_TO else ()), *CASES[stem]]
        vector = {
            "type": name,
            "digest": digest(name).hex(),
            "header": facts(stem, name),
            "content": sample(stem),
            "cases": [written(case) for case in cases],
        }
        yield f"{stem}.bundle", bundle_bytes(name)
        yield f"{stem}.json", (json.dumps(vector, indent=1) + "\n").encode()


def main(folder: Path) -> None:
    """Write all of them into `folder`/body."""
    target = folder / "body"
    target.mkdir(parents=True, exist_ok=True)
    for name, data in files():
        (target / name).write_bytes(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
