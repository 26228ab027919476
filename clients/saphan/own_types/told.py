"""An agency's own type as a node tells it: by its bundle, checked before anything is made of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from saphan_schemas.bodies import digest_of
from saphan_schemas.body_types import BUILT_IN, BodyTypes
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.profile import open_bundle

from saphan.base64_text import bytes_of

Json = dict[str, Any]
_OWN: Final = re.compile(
    r"[a-z]{2}\.[a-z][a-z0-9-]{0,30}/[a-z][a-z0-9_]{0,40}/[1-9][0-9]{0,2}", re.ASCII
)
TypesFor = Callable[[str], BodyTypes]
"""Ours, and the type of this name if it is an agency's own; errors as `types_for`."""


def types_for(ask: Callable[[str], Json], name: str) -> BodyTypes:
    """Ours, and the named type if it is an agency's own that the node knows.

    Args:
        ask: gets a path of the node's local API.

    Raises:
        InvalidInput: `schema_unknown`; Unavailable: `schema_coming`; OperatorError: `node_answer`.
    """
    if not is_own(name):
        return BUILT_IN  # whoever asks it for the type refuses a name that nobody has
    return with_told(BUILT_IN, name, ask(f"/v1/schemas/{name}"))


def only_ours(name: str) -> BodyTypes:
    """The types that come with the program, whatever is asked for."""
    return BUILT_IN


def is_own(name: str) -> bool:
    """Whether a name has the form of an agency's own type."""
    return _OWN.fullmatch(name) is not None


def with_told(types: BodyTypes, name: str, value: Json) -> BodyTypes:
    """These types and the one that a node's answer brings.

    Raises:
        OperatorError: `node_answer`.
    """
    try:
        bundle = bytes_of(value["exact"])
        if value["name"] != name or digest_of(bundle).hex() != value["digest"]:
            raise ValueError("it is another type than was asked for")
        open_bundle(name, bundle)
    except (KeyError, TypeError, ValueError, InvalidInput) as error:
        raise OperatorError(
            "node_answer",
            f"what the node says of {name} is not its schema: {error}",
            field="node",
            hint="write nothing in it; tell the node's keeper",
        ) from None
    return types.with_own(name, bundle)
