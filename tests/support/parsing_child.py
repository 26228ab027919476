"""Parses what comes on standard input, as broker and node do (`python -m support.parsing_child`).

Says `taken` or `refused`; anything else, and a signal of the system, is a defect.
"""

from __future__ import annotations

import resource
import sys
from typing import Any, cast

from saphan_schemas.codec import decode, decode_content
from saphan_schemas.errors import InvalidInput, SaphanError
from saphan_schemas.frames import FromBroker, FromNode
from saphan_schemas.limits import MIB
from saphan_schemas.strict_json import parse_json

SECONDS, MEMORY = 10, 512 * MIB
"""What the system lets it use: of a processor's time, and of addresses."""
MOST = 64 * MIB
"""No cap on the length stands in front of the parser: it is the parser that is asked."""


def _parse(what: str, data: bytes) -> object:
    if what == "content":
        return decode_content(data, MOST)
    if what == "json":
        try:
            return parse_json(dict[str, Any], data)
        except ValueError as error:  # its word for all that is wrong
            raise InvalidInput("malformed", str(error)[:80]) from None
    kind = FromNode if what == "from_node" else FromBroker
    return decode(cast("type[object]", kind), data, MOST, "frame")


def _main(what: str) -> str:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    try:
        _parse(what, sys.stdin.buffer.read())
    except SaphanError:
        return "refused"
    return "taken"


if __name__ == "__main__":
    print(_main(sys.argv[1]))
