"""One complete, invented content per body type; every person's family name is the word "sample".

They are exercise material: a header that carries one sets `exercise`. The two figures in
`case_statistics` are public; everything else is made up. Lao and Khmer texts await a native reader.
"""

from __future__ import annotations

import functools
from importlib import resources
from typing import Any

import msgspec

from saphan_schemas.bodies import NAMES
from saphan_schemas.errors import InvalidInput

SAMPLES: tuple[str, ...] = tuple(name.split("/")[1] for name in NAMES)
"""Names that `sample` takes, sorted."""


def sample(name: str) -> dict[str, Any]:
    """A fresh copy of a type's sample content, for the caller to keep or change.

    Args:
        name: one of `SAMPLES`, such as "training_notice".

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
    return msgspec.json.decode(_bytes(name), type=dict[str, Any])


@functools.cache
def _bytes(name: str) -> bytes:
    return resources.files("saphan_schemas").joinpath("samples", f"{name}.json").read_bytes()
