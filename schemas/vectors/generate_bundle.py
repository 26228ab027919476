"""Write the vectors of evidence bundles: a good file, and cases that differ from it.

    python schemas/vectors/generate_bundle.py [folder]

`good.bundle` is a bundle as a file. `cases.json` holds items in hexadecimal, each once, and the
numbers of each case's items. Signatures draw randomness, so the good bundle and the stories with
logs of their own are made once and taken from the files then; a missing case is made anew.
"""

from __future__ import annotations

import json
import sys
from itertools import chain
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).resolve().parent / "bundle"
sys.path.insert(0, str(HERE.parents[2] / "tests"))  # the logbook that tests keep, and its agencies

import msgpack  # noqa: E402
from cases_bundle import edits, good, stories, successions  # noqa: E402
from msgspec.msgpack import Decoder  # noqa: E402
from saphan_schemas.bodies import known_types  # noqa: E402
from saphan_schemas.bundles import BundleItem  # noqa: E402
from saphan_schemas.codec import encode  # noqa: E402

Items = list[BundleItem]


def main(folder: Path) -> None:
    """Write both files into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    base, held = _good(), _held()
    pool: dict[bytes, int] = {}

    def told(lines: list[bytes]) -> list[int]:
        return [pool.setdefault(line, len(pool)) for line in lines]

    cases = [_case(one.name, one.why, one.expected, told(_lines(one.items))) for one in edits(base)]
    for name, why, expected, make in chain(stories(), successions(base)):
        lines = held.get(name) or _lines(make())
        cases.append(_case(name, why, expected, told(lines)))
    types = {kind.name: kind.digest.hex() for kind in known_types()}
    value = {"types": types, "cases": cases, "items": [line.hex() for line in pool]}
    (folder / "good.bundle").write_bytes(b"".join(_lines(base)))
    (folder / "cases.json").write_text(_json(value), encoding="ascii")


def _json(value: dict[str, Any]) -> str:
    """One case, one item a line."""
    parts = [f'"types": {json.dumps(value["types"])}']
    for name in ("cases", "items"):
        rows = ",\n  ".join(json.dumps(row) for row in value[name])
        parts.append(f'"{name}": [\n  {rows}\n ]')
    return "{\n " + ",\n ".join(parts) + "\n}\n"


def _lines(items: Items) -> list[bytes]:
    return [encode(item) for item in items]


def _case(name: str, why: str, expected: Any, items: list[int]) -> dict[str, Any]:
    wrong = isinstance(expected, tuple)
    return {
        "name": name,
        "why": why,
        "outcome": "invalid" if wrong else "valid_with_gaps" if expected else "valid",
        "step": expected[0] if wrong else None,
        "code": expected[1] if wrong else None,
        "gaps": [] if wrong else sorted(expected),
        "items": items,
    }


def _good() -> Items:
    """The good bundle as it was made once."""
    path = HERE / "good.bundle"
    return _split(path.read_bytes()) if path.exists() else good()


def _split(data: bytes) -> Items:
    """Items of a file: the length of each is found by encoding it again."""
    found: Items = []
    walker = msgpack.Unpacker(max_buffer_size=len(data))
    walker.feed(data)
    decoder, start = Decoder(BundleItem), 0
    while start < len(data):
        walker.skip()
        found.append(decoder.decode(data[start : walker.tell()]))
        start = walker.tell()
    return found


def _held() -> dict[str, list[bytes]]:
    """Items of the cases that were made before."""
    path = HERE / "cases.json"
    if not path.exists():
        return {}
    known = json.loads(path.read_text(encoding="ascii"))
    pool = [bytes.fromhex(item) for item in known["items"]]
    return {case["name"]: [pool[place] for place in case["items"]] for case in known["cases"]}


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
