"""What a store of objects owes its users: whole bytes under a name, durable before `put` returns.

Several processes on several hosts may use one store at a time; nobody locks anything. So a name
stands for its bytes: whoever writes a name twice writes the same bytes, or is its only writer.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from typing import Final, NamedTuple, Protocol

from saphan_schemas.errors import OperatorError

NAME_CHARS: Final = 512
_PART: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")


class Found(NamedTuple):
    """An object in a listing.

    Attributes:
        name: relative to the store, with slashes.
        size: bytes.
        changed: ms; when it was put, by the clock of whoever keeps it.
    """

    name: str
    size: int
    changed: int


class Objects(Protocol):
    """Bytes under names such as `packs/20780/3`; no name is a folder of another one.

    Every method raises OperatorError `blobs_unusable` when a person must act (disk full, no
    access, wrong credentials), Unavailable `blobs_unreachable` when the server does not answer in
    time, its own retries included, and ValueError for a name that `check_name` does not take. The
    same call again finishes what such an error, or a crash, has cut off.
    """

    async def put(self, name: str, data: bytes) -> None:
        """Keep bytes under a name. Atomic: a reader sees all the old bytes or all the new ones.

        Durable when it returns; idempotent. At most `LIMITS.object_bytes`: ValueError beyond.
        """
        ...

    async def put_parts(self, name: str, parts: AsyncIterator[bytes]) -> None:
        """Keep the joined parts under a name, as `put` does, of any length, a few parts in memory.

        What `parts` raises is raised, and nothing is kept then.
        """
        ...

    async def copy(self, source: str, target: str) -> bool:
        """Keep the bytes of `source` under `target` too, as `put` does, without bringing them here.

        Returns:
            False if there is no `source`; nothing happened then.
        """
        ...

    async def get(self, name: str) -> bytes | None:
        """The bytes of a name; None if there are none.

        Raises:
            OperatorError: `object_too_large`: more than `LIMITS.object_bytes`; read it by ranges.
        """
        ...

    async def get_range(self, name: str, offset: int, length: int) -> bytes | None:
        """Up to `length` bytes from `offset`, fewer at the end; None if the name has no bytes."""
        ...

    async def size(self, name: str) -> int | None:
        """How many bytes a name has; None if there are none. An object of no bytes has 0."""
        ...

    async def exists(self, name: str) -> bool:
        """Whether a `put` of this name has happened and no `delete` since."""
        ...

    async def delete(self, name: str) -> None:
        """Forget a name; no error if nothing is there. Idempotent."""
        ...

    def list(self, prefix: str) -> AsyncIterator[Found]:
        """Every object under a folder (`prefix`, without a slash at its end; "": all), by no order.

        What is put or deleted meanwhile may be there or not; everything else is there once.
        """
        ...

    async def close(self) -> None:
        """Free threads and connections; idempotent."""
        ...


def check_name(name: str) -> str:
    """The name, if its parts are plain: letters, digits, `._-`, none beginning with a dot.

    Raises:
        ValueError: anything else; names come from the program, so this is a bug in it.
    """
    parts = name.split("/")
    if len(name) > NAME_CHARS or not all(_PART.fullmatch(part) for part in parts):
        raise ValueError(f"{name!r} is not a name of an object")
    return name


def unusable(what: str, hint: str) -> OperatorError:
    """The error for a store of objects that does not work until a person has looked at it."""
    return OperatorError("blobs_unusable", what, field="blobs", hint=hint)


def too_large(name: str, size: int) -> OperatorError:
    """The error for an object that no part of this program has written."""
    return OperatorError(
        "object_too_large",
        f"the object {name} has {size} bytes: it was not written by this program",
        field="blobs",
        hint="find out who else writes to the store of objects",
    )
