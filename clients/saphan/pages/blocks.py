"""What a page says, apart from how it looks: the same blocks become HTML and PDF.

Everything here is plain text in one language; nothing is markup.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from saphan.pages.svg import Drawing

Tone = Literal["plain", "good", "warn", "bad", "dim", "code"]
"""How a few words are shown: their weight for the reader, or `code` for bytes in digits."""


@dataclass(frozen=True, slots=True)
class Span:
    """A few words in a tone of their own."""

    text: str
    tone: Tone = "plain"


Cell = str | Span


@dataclass(frozen=True, slots=True)
class Heading:
    """Begins a section."""

    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """A sentence or a few; `dim` for what stands below a picture or table."""

    text: str
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Banner:
    """The answer of the whole page, in a frame: a short title and plain sentences."""

    title: str
    sentences: tuple[str, ...]
    tone: Tone


@dataclass(frozen=True, slots=True)
class Points:
    """A list of sentences."""

    sentences: tuple[str, ...]
    tone: Tone = "plain"


@dataclass(frozen=True, slots=True)
class Facts:
    """Label and value, line by line."""

    rows: tuple[tuple[str, Cell], ...]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of as many cells as the head has.

    Args:
        shares: relative widths of the columns on paper.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    shares: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Words:
    """Fingerprints to be compared aloud: what each is of, and its words, line by line."""

    fingerprints: tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Picture:
    """A drawing, with what it shows in words for those who cannot see it."""

    drawing: Drawing
    says: str


Block = Heading | Paragraph | Banner | Points | Facts | Table | Words | Picture


@dataclass(frozen=True, slots=True)
class Page:
    """A page in one language.

    Args:
        lang: of `messages.LANGUAGES`.
        kind: one line above the title: what sort of page it is.
        notice: what must be known before anything is read, such as an unreviewed translation.
        foot: one line under every sheet of paper.
        made: the date of the document, ms.
    """

    lang: str
    kind: str
    title: str
    foot: str
    made: int
    notice: str | None = None
    blocks: tuple[Block, ...] = field(default=())
