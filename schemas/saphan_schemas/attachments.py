"""What may be attached: a closed list of media types, names that are safe on any machine.

A name comes from another state and ends on somebody's disk, so it is refused unless it is harmless
as it stands: no path, no control or direction-changing character, no name of a device, and an
ending that says what the media type says (`report.pdf.exe` is no PDF). The first bytes must agree
with the type. Nothing is ever unpacked, executed or rendered to find out (attachments.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from saphan_schemas.codes import codes
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.text import check_text

HEAD_BYTES: Final = 512
"""How many first bytes are looked at."""
ROLES: Final[tuple[str, ...]] = ("form", "lab_report", "other", "photo", "statement", "warrant")
"""What an attachment is to its bulletin."""


@dataclass(frozen=True, slots=True)
class MediaType:
    """A type that may be attached.

    Args:
        endings: of its file names, the first one is given to a name without any.
        starts: byte strings of which one must stand at `offset`; none: the bytes are text.
    """

    endings: tuple[str, ...]
    starts: tuple[bytes, ...] = ()
    offset: int = 0


_ZIP: Final = (b"PK\x03\x04",)
_OFFICE: Final = "application/vnd.openxmlformats-officedocument."
_OPEN: Final = "application/vnd.oasis.opendocument."
MEDIA_TYPES: Final[dict[str, MediaType]] = {
    "application/pdf": MediaType(("pdf",), (b"%PDF-",)),
    f"{_OPEN}spreadsheet": MediaType(("ods",), _ZIP),
    f"{_OPEN}text": MediaType(("odt",), _ZIP),
    f"{_OFFICE}spreadsheetml.sheet": MediaType(("xlsx",), _ZIP),
    f"{_OFFICE}wordprocessingml.document": MediaType(("docx",), _ZIP),
    "application/zip": MediaType(("zip",), (*_ZIP, b"PK\x05\x06")),
    "image/jpeg": MediaType(("jpg", "jpeg"), (b"\xff\xd8\xff",)),
    "image/png": MediaType(("png",), (b"\x89PNG\r\n\x1a\n",)),
    "image/tiff": MediaType(("tif", "tiff"), (b"II*\x00", b"MM\x00*")),
    "text/csv": MediaType(("csv",)),
    "text/plain": MediaType(("txt",)),
    "video/mp4": MediaType(("mp4",), (b"ftyp",), 4),
}
"""Every media type, sorted. None of them is a program, a script, a page or a macro's document."""

NAME_CHARS: Final = 120
NAME_BYTES: Final = 240
"""Of UTF-8: file systems take 255, and whoever saves it may have to number it."""
_FORBIDDEN: Final = frozenset('/\\:*?"<>|\n')
_DEVICES: Final = frozenset(
    {"con", "prn", "aux", "nul", "clock$"}
    | {f"{name}{number}" for name in ("com", "lpt") for number in range(10)}
)
_NO_TEXT: Final = (
    b"#!",
    b"<!doctype",
    b"<html",
    b"<script",
    b"<svg",
    b"<?xml",
    b"\x7felf",
    b"{\\rtf",
)
"""How scripts and pages begin, which some programs open by looking inside."""
_TEXT_CONTROLS: Final = frozenset(b"\t\n\r\f")


def describe_schema() -> dict[str, Any]:
    """The JSON Schema of `content.attachments`, for every type's bundle (`make_bundle`)."""
    return {
        "type": "array",
        "maxItems": LIMITS.attachments,
        "items": {
            "type": "object",
            "required": ["media_type", "name", "role"],
            "additionalProperties": False,
            "properties": {
                "media_type": {"enum": sorted(MEDIA_TYPES)},
                "name": {"type": "string", "minLength": 1, "maxLength": NAME_CHARS},
                "role": {"enum": list(codes("attachment_role"))},
            },
        },
    }


def check_list(attachments: Sequence[dict[str, Any]]) -> None:
    """Names of a bulletin's attachments, after the schema: each safe, and no two alike.

    Raises:
        InvalidInput: `attachment_name`.
    """
    seen: set[str] = set()
    for place, one in enumerate(attachments):
        field = f"/attachments/{place}/name"
        check_name(one["name"], one["media_type"], field)
        folded = one["name"].casefold()
        if folded in seen:
            raise _name(field, "stands twice in this bulletin")
        seen.add(folded)


def check_name(name: str, media_type: str, field: str = "name") -> None:
    """Refuse a file name that could harm whoever saves it.

    Args:
        media_type: one of `MEDIA_TYPES`; field: its pointer, for the error.

    Raises:
        InvalidInput: `attachment_name`.
    """
    why = _unsafe(name, media_type)
    if why is not None:
        raise _name(field, why)


def safe_name(name: str, media_type: str) -> str:
    """A name that `check_name` takes, as near to `name` as can be."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(char if _allowed(char) else "_" for char in last)
    stem, ending = _parted(kept)
    endings = MEDIA_TYPES[media_type].endings
    if ending.lower() not in endings:
        stem, ending = kept, endings[0]
    room = NAME_BYTES - len(ending) - 2
    stem = stem.encode()[:room].decode(errors="ignore")[: NAME_CHARS - len(ending) - 2]
    stem = stem.strip(" .").lstrip("-~ .")
    if not stem or stem.split(".")[0].strip().lower() in _DEVICES:
        stem = f"_{stem}"
    return f"{stem}.{ending}"


def media_type_of(name: str) -> str:
    """The media type that a file name's ending says.

    Raises:
        InvalidInput: `attachment_type`.
    """
    ending = _parted(name)[1].lower()
    for media_type, kind in MEDIA_TYPES.items():
        if ending in kind.endings:
            return media_type
    known = ", ".join(sorted(one for kind in MEDIA_TYPES.values() for one in kind.endings))
    raise InvalidInput(
        "attachment_type",
        "the file's ending is of no media type that may be attached",
        field="attachments",
        hint=f"attach files that end in: {known}",
    )


def check_bytes(media_type: str, head: bytes, field: str = "attachments") -> None:
    """Refuse an attachment whose first bytes are not its media type's.

    Args:
        head: its first `HEAD_BYTES` bytes, or all if it has fewer.

    Raises:
        InvalidInput: `attachment_type`.
    """
    kind = MEDIA_TYPES.get(media_type)
    if kind is None or not _agree(kind, head):
        raise InvalidInput(
            "attachment_type",
            f"the first bytes are not those of {media_type[:80]}",
            field=field,
            hint="save the file anew in the format its name says, and send it again",
        )


def _agree(kind: MediaType, head: bytes) -> bool:
    if kind.starts:
        return head.startswith(kind.starts, kind.offset)
    starts = tuple(start for other in MEDIA_TYPES.values() for start in other.starts)
    begin = head.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if not head or head.startswith(starts) or begin.startswith(_NO_TEXT):
        return False
    if any(byte < 0x20 and byte not in _TEXT_CONTROLS for byte in head) or 0x7F in head:
        return False
    return _utf8(head)


def _utf8(head: bytes) -> bool:
    """Whether these are whole characters, but for one that the cut at `HEAD_BYTES` has parted."""
    try:
        head.decode()
    except UnicodeDecodeError as error:
        return len(head) == HEAD_BYTES and error.reason == "unexpected end of data"
    return True


def _unsafe(name: str, media_type: str) -> str | None:
    """Why a name is refused; None if it is not."""
    if not name or len(name) > NAME_CHARS:
        return f"has {len(name)} characters, 1 to {NAME_CHARS} are taken"
    if not _allowed(name):
        return "has a character that no file name may have"
    if len(name.encode()) > NAME_BYTES:
        return f"has more than {NAME_BYTES} bytes"
    if name[0] in ".-~ " or name[-1] in ". ":
        return "begins or ends with a dot, a dash or a space"
    if name.split(".")[0].strip().lower() in _DEVICES:
        return "is the name of a device"
    stem, ending = _parted(name)
    kind = MEDIA_TYPES.get(media_type)
    if kind is None or not stem.strip(" .") or ending.lower() not in kind.endings:
        return "does not end as its media type does"
    return None


def _allowed(text: str) -> bool:
    """Whether every character may stand in a file's name."""
    if not _FORBIDDEN.isdisjoint(text):
        return False
    try:
        check_text(text, "name")
    except InvalidInput:
        return False
    return True


def _parted(name: str) -> tuple[str, str]:
    stem, dot, ending = name.rpartition(".")
    return (stem, ending) if dot else (name, "")


def _name(field: str, why: str) -> InvalidInput:
    return InvalidInput(
        "attachment_name",
        f"{field}: the attachment's name {why}",
        field=field,
        hint="give the file a plain name, such as warrant-2026-14.pdf",
    )
