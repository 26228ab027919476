"""Files of people and case systems, made ready to be attached: measured, typed, safely named."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from saphan_schemas.attachments import (
    HEAD_BYTES,
    NAME_CHARS,
    ROLES,
    check_bytes,
    media_type_of,
    safe_name,
)
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.limits import KIB, LIMITS
from saphan_schemas.records import Blob

from saphan.compose import Attached, Wish, check_lengths

PIECE_BYTES: Final = 256 * KIB


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file of this machine and what a bulletin will say of it."""

    path: Path
    attached: Attached


def parse_role(text: str) -> tuple[Path, str]:
    """ROLE=FILE or FILE, as it stands on a command line; the role is "other" if none is given."""
    role, equals, rest = text.partition("=")
    if equals and role in ROLES and rest:
        return Path(rest), role
    return Path(text), "other"


def measure(path: Path, role: str = "other", name: str | None = None) -> LocalFile:
    """Read a file once: its length, SHA-256 and type, and a name that is safe anywhere.

    Args:
        name: in place of the file's own.

    Raises:
        InvalidInput: `attachment_type`, `attachment_empty`, `attachments_too_large`.
        OperatorError: `file_missing`, `file_unreadable`.
    """
    media_type = media_type_of(name or path.name)
    digest, length, head = hashlib.sha256(), 0, b""
    try:
        # O_NONBLOCK: opening a named pipe that nobody writes would wait for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(handle, "rb") as file:
            if not stat.S_ISREG(os.fstat(handle).st_mode):
                raise OperatorError("file_unreadable", f"{path} is no file", field="attachments")
            while length <= LIMITS.attachment_bytes and (data := file.read(PIECE_BYTES)):
                head = head or data[:HEAD_BYTES]
                digest.update(data)
                length += len(data)
    except FileNotFoundError:
        raise OperatorError(
            "file_missing", f"there is no file {path} to attach", field="attachments"
        ) from None
    except OSError as error:
        raise OperatorError(
            "file_unreadable", f"{path} cannot be read: {error.strerror}", field="attachments"
        ) from None
    blob = Blob(length, digest.digest())
    check_lengths((blob,))
    check_bytes(media_type, head)
    shown = safe_name(name or path.name, media_type)
    return LocalFile(path, Attached(name=shown, media_type=media_type, role=role, blob=blob))


def with_files(wish: Wish, files: tuple[LocalFile, ...]) -> Wish:
    """A bulletin's wish with files of this machine attached.

    Raises:
        InvalidInput: `malformed`: the wish names uploads by their digests, which only the node
            knows.
    """
    if wish.attachments:
        raise InvalidInput(
            "malformed",
            "the bulletin's file cannot name attachments",
            field="attachments",
            hint="attach files with --attach FILE",
        )
    return replace(wish, attachments=tuple(one.attached for one in files))


def measure_all(files: list[tuple[Path, str]]) -> tuple[LocalFile, ...]:
    """Several files; refused together if they are too many or too long together.

    Raises:
        InvalidInput, OperatorError: as `measure`; `attachments_too_large`.
    """
    if len(files) > LIMITS.attachments:
        raise InvalidInput(
            "attachments_too_large",
            f"{len(files)} attachments are more than the {LIMITS.attachments} of one bulletin",
            field="attachments",
            hint="send several bulletins, or put the files into one",
        )
    found = [measure(path, role) for path, role in files]
    check_lengths(tuple(one.attached.blob for one in found))
    return _told_apart(found)


def _told_apart(files: list[LocalFile]) -> tuple[LocalFile, ...]:
    """Names of their own for files that are called the same in different folders."""
    seen: set[str] = set()
    found = []
    for file in files:
        name, number = file.attached.name, 1
        while name.casefold() in seen:
            number += 1
            stem, _, ending = file.attached.name.rpartition(".")
            name = safe_name(
                f"{stem[: NAME_CHARS // 2]}-{number}.{ending}", file.attached.media_type
            )
        seen.add(name.casefold())
        found.append(replace(file, attached=replace(file.attached, name=name)))
    return tuple(found)
