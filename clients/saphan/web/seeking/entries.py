"""What of one bulletin or draft is in memory while the desk is open."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, TypeVar

from saphan_schemas.messages import LANGUAGES, text, type_key

from saphan.desk.searchable import BETWEEN, Searchable
from saphan.folding.packing import pack
from saphan.folding.searching import search_key

Source = Literal["received", "sent", "draft", "form"]
SOURCES: Final = ("received", "sent", "draft")
"""As filters name them; forms are drafts."""
T = TypeVar("T")
Key = tuple[Source, bytes]


@dataclass(slots=True)
class Entry:
    """One bulletin or draft.

    Args:
        key: where it is from, and its name there; bulletin: its id, b"" while it has none.
        head: what its header says, packed.
        text: packed search keys; None: it is read again when it is asked for.
        sounds, codes: with a space around each.
    """

    key: Key
    bulletin: bytes
    schema: str
    sender: str
    recipients: tuple[str, ...]
    created: int
    urgency: str
    exercise: bool
    answers: tuple[str, ...]
    head: str
    text: str | None
    sounds: str
    codes: str

    @property
    def source(self) -> Source:
        """Where it is from."""
        return self.key[0]

    @property
    def size(self) -> int:
        """Bytes of its text in memory."""
        return 0 if self.text is None else sys.getsizeof(self.text)


def entry(key: Key, made: Searchable) -> Entry:
    """Of a row; what many have in common is in memory once."""
    return Entry(
        key=key,
        bulletin=key[1] if key[0] == "received" else bytes.fromhex(made.bulletin),
        schema=sys.intern(made.schema),
        sender=sys.intern(made.sender),
        recipients=_once(made.recipients),
        created=made.created,
        urgency=sys.intern(made.urgency),
        exercise=made.exercise,
        answers=_once(made.answers),
        head=head_text(made.schema, made.sender, made.recipients),
        text=pack(made.text),
        sounds=_spaced(made.sounds),
        codes=_spaced(made.codes),
    )


@lru_cache(maxsize=1_024)
def head_text(schema: str, sender: str, recipients: tuple[str, ...]) -> str:
    """Agencies and the type's name, in every language of the catalogue, packed."""
    key = type_key(schema)
    names = [] if key is None else [text(key, lang) for lang in LANGUAGES]
    said = (sender, *recipients, schema, *names)
    return pack(BETWEEN.join(map(search_key, said)))


def _spaced(words: tuple[str, ...]) -> str:
    return _once(f" {' '.join(words)} ") if words else ""


@lru_cache(maxsize=4_096)
def _once(value: T) -> T:
    return value
