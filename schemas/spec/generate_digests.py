"""Writes the table of digests into content.md: run it after a type has changed.

    python schemas/spec/generate_digests.py

A changed digest is a changed type. After the first release it needs a new version of its name.
"""

from __future__ import annotations

import pathlib

from saphan_schemas.bodies import known_types

PAGE = pathlib.Path(__file__).with_name("content.md")
BEGIN = "<!-- digests: written by generate_digests.py -->\n"
END = "<!-- end of digests -->\n"


def with_digests(page: str) -> str:
    """The page with the table of this package's types between its marks."""
    head, _, rest = page.partition(BEGIN)
    _, _, tail = rest.partition(END)
    rows = "".join(f"| `{one.name}` | `{one.digest.hex()}` |\n" for one in known_types())
    return f"{head}{BEGIN}\n| type | digest |\n| --- | --- |\n{rows}\n{END}{tail}"


if __name__ == "__main__":
    PAGE.write_text(with_digests(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
