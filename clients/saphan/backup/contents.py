"""What of an agency's folder belongs into which backup; what belongs into none is said here too.

In none: the witness key and the witness's state (a witness that was set back could sign a second
history), the API's token, sockets and locks, and the root key, which belongs offline and has its
own second copy (public halves of roots, and a draft that waits for them, are in both).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.limits import LIMITS

from saphan.backup.header import Part

DATABASE: Final = "node/data/node.db"
ARCHIVE_KEYS: Final = "node/data/archive-keys"

_WORD: Final = r"[A-Za-z0-9][A-Za-z0-9._-]*"
_PUBLIC: Final = (
    r"agency\.json",
    r"enrol\.saphan",
    r"operations/[0-9]{4}\.saphan",
    r"drafts/[0-9]{4}\.draft",
    r"root/[a-z][a-z0-9-]{0,30}\.json",
    r"node/(?!backup)[a-z][a-z0-9-]*\.json",
    rf"node/{_WORD}\.crt",
)
_DATA: Final = (
    re.escape(DATABASE),
    rf"(?:agreements|schemas|holds)/{_WORD}\.saphan",
    rf"node/data/blobs/(?:in|out)/[0-9a-f/]+(?:\.{_WORD})?",
    rf"node/data/(?:split-view|seen-differs)-{_WORD}\.json",  # the only proof of two histories
)
_KEYS: Final = (
    rf"node/(?!witness){_WORD}\.key",
    r"node/mailbox/[0-9a-f]{16}\.key",
    rf"{ARCHIVE_KEYS}/[0-9]{{1,6}}",
    r"node/data/subject\.key",
    rf"officers/{_WORD}\.key",
    rf"orders/{_WORD}\.key",
)
_MEMBERS: Final[dict[Part, re.Pattern[str]]] = {
    "data": re.compile("|".join((*_PUBLIC, *_DATA)), re.ASCII),
    "keys": re.compile("|".join((*_PUBLIC, *_KEYS)), re.ASCII),
}


_SETTINGS: Final = "node/settings.json"
"""In both parts, but who reads what, and how people are paged, is nobody else's business."""
_EVERYBODY: Final = re.compile("|".join(_PUBLIC), re.ASCII)


def belongs(part: Part, name: str) -> bool:
    """Whether a file of this name, relative to the agency's folder, is of a backup's part."""
    plain = ".." not in name and "//" not in name and not name.endswith("/")
    fits = len(name.encode()) <= LIMITS.backup_name_bytes
    return plain and fits and _MEMBERS[part].fullmatch(name) is not None


def is_public(name: str) -> bool:
    """Whether everybody on the machine may read it: it is what others are given anyway."""
    return _EVERYBODY.fullmatch(name) is not None and name != _SETTINGS


def check_name(part: Part, name: str) -> None:
    """Refuse what no backup of this part holds: a name is a path on the machine that restores.

    Raises:
        InvalidInput: `backup_name`.
    """
    if not belongs(part, name):
        raise InvalidInput(
            "backup_name",
            f"the backup holds a file {name[:80]!r}, which belongs into none",
            field="backup",
            hint="nothing of it was restored; find out who made this file",
        )


def members(folder: Path, part: Part) -> Iterator[str]:
    """Names of the files that are there and belong to a part, in order; the database is not.

    Links are followed, as the node follows them: a keeper may have moved the data to another disk.

    Raises:
        OperatorError: `file_unreadable`: what is left out in silence is missed at the restore.
    """
    seen: set[tuple[int, int]] = set()
    for place, folders, files in os.walk(folder, onerror=_refuse, followlinks=True):
        folders[:] = [name for name in sorted(folders) if _first_time(Path(place, name), seen)]
        for file in sorted(files):
            path = Path(place, file)
            name = path.relative_to(folder).as_posix()
            if name != DATABASE and belongs(part, name):
                yield name


def _first_time(folder: Path, seen: set[tuple[int, int]]) -> bool:
    """Whether this folder was not walked yet: a link may lead back."""
    try:
        found = folder.stat()
    except OSError:  # gone, or not to be entered: the walk says so
        return True
    place = found.st_dev, found.st_ino
    if place in seen:
        return False
    seen.add(place)
    return True


def _refuse(error: OSError) -> None:
    if isinstance(error, FileNotFoundError):
        return  # of a bulletin that has gone meanwhile
    raise OperatorError(
        "file_unreadable",
        f"{error.filename} cannot be read: {error.strerror}",
        field="dir",
        hint="make the backup as the user whom the agency's folder belongs to",
    ) from None
