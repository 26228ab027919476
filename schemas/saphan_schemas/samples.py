"""Complete, invented bulletins: at least one of each type, and what readers get wrong.

Each file under `samples/` is what `saphan send` takes: {schema, urgency, marking, exercise, about,
body, attachments?}; `files` makes what is attached. All are exercises, and every person's family
name is the word "sample". Two figures in `case_statistics` are public; everything else is made up.
Lao and Khmer texts await a native reader. Where a sample speaks of another bulletin, `ANOTHER`
stands for its id.
"""

from __future__ import annotations

import functools
import hashlib
import re
from importlib import resources
from typing import Any, Final

from saphan_schemas.attachments import MEDIA_TYPES
from saphan_schemas.decoders import json_decoder
from saphan_schemas.errors import InvalidInput

ANOTHER: Final = "5a" * 32
"""In place of the id of the bulletin that a sample answers, corrects or replaces."""
_ENDING: Final = ".json"
_ID: Final = re.compile(r"[0-9a-f]{64}\Z")


def _listed() -> tuple[str, ...]:
    files = resources.files("saphan_schemas").joinpath("samples").iterdir()
    return tuple(sorted(file.name.removesuffix(_ENDING) for file in files))


SAMPLES: Final[tuple[str, ...]] = _listed()
"""Names that `wish` takes, sorted; each type's own sample has the name of the type."""


def wish(name: str, of: str = ANOTHER) -> dict[str, Any]:
    """A fresh copy of a sample as an officer would send it, for the caller to keep or change.

    Args:
        name: one of `SAMPLES`, such as "training_notice"; its attachments are named by digest.
        of: id of the bulletin to which it refers, 64 hexadecimal digits; a sample that refers to
            none is the same for all.

    Raises:
        InvalidInput: `schema_unknown`.
    """
    if name not in SAMPLES:
        raise InvalidInput(
            "schema_unknown",
            f"there is no sample named {name[:80]!r}",
            field="sample",
            hint="use one of: " + ", ".join(SAMPLES),
        )
    if _ID.match(of) is None:
        raise ValueError("the id of a bulletin is 64 hexadecimal digits")
    data = _bytes(name).replace(ANOTHER.encode(), of.encode())
    made = json_decoder(dict[str, Any]).decode(data)
    for one in made.get("attachments", ()):
        one["digest"] = hashlib.sha256(_file(one)).hexdigest()
    return made


def files(name: str) -> tuple[tuple[str, str, bytes], ...]:
    """The attachments of a sample: role, file name and bytes of each; most samples have none.

    Raises:
        InvalidInput: `schema_unknown`.
    """
    listed = wish(name).get("attachments", ())
    return tuple((one["role"], one["name"], _file(one)) for one in listed)


def _file(described: dict[str, Any]) -> bytes:
    """Bytes that begin as their media type says, and hold nothing but their own name."""
    kind = MEDIA_TYPES[described["media_type"]]
    start = bytes(kind.offset) + kind.starts[0] if kind.starts else b""
    return start + f"\nExercise: {described['name']}\n".encode()


def sample(name: str, of: str = ANOTHER) -> dict[str, Any]:
    """The content {about, attachments, body} of the same sample, as it is sealed.

    Raises:
        InvalidInput: `schema_unknown`.
    """
    found = wish(name, of)
    # A wish names uploaded files by digest; content does not, the inner record does.
    attachments = [
        {key: one[key] for key in ("media_type", "name", "role")}
        for one in found.get("attachments", [])
    ]
    return {"about": found["about"], "attachments": attachments, "body": found["body"]}


def schema_of(name: str) -> str:
    """The type of a sample, such as "saphan/case_statistics/1" of "case_statistics_revised".

    Raises:
        InvalidInput: `schema_unknown`.
    """
    return str(wish(name)["schema"])


@functools.cache
def _bytes(name: str) -> bytes:
    return resources.files("saphan_schemas").joinpath("samples", f"{name}{_ENDING}").read_bytes()
