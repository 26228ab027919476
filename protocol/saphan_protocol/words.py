"""Fingerprints as words, to be compared aloud when trust begins: at `admit`, agreements and pins.

A person reads 20 words over the telephone; nobody reads 40 hexadecimal digits without a slip.
The words are short, common English nouns. No two share their first four letters or differ in one
letter only, so that a word half heard, or typed up to its fourth letter, is still one word.
"""

from __future__ import annotations

from typing import Final

from saphan_schemas.errors import InvalidInput

FINGERPRINT_WORDS: Final = 20
"""160 bits: nobody can find a second key with the same words; a group of four is one breath."""

WORDS: Final[tuple[str, ...]] = tuple(
    """
    absent acid actor address adult advice afraid again agenda airport album alcohol almond
    alphabet amber anchor angel ankle answer apple april arch argue army arrow artist ashes
    athlete attic august autumn avenue baby badge bamboo banana barrel basket battery bedroom
    beetle bench bicycle biscuit blanket blossom board bottle bracelet breakfast bridge bronze
    brother bucket budget buffalo bundle butter cabbage cabin calendar camera candle canvas
    captain carpet cashew cattle ceiling cement chairman cherry chicken chimney chocolate cinema
    circle citizen climate clock cloud coast coconut coffee college compass copper corner cotton
    courage cradle cricket crystal culture curtain cushion dancer daughter deadline december
    defend delta dentist desert diamond dinner doctor dolphin domino dragon drawer driver dusty
    eagle early earth east echo eclipse editor eight elbow elephant embassy engine envelope
    equal essay evening exact expert fabric factory falcon family farmer fashion female fence
    festival fifty finger fisher flag flower forest fossil fraction freedom friday frog funnel
    furniture galaxy garden garlic gentle giant giraffe glacier globe gold gorilla grammar green
    guitar habit hammer harbor harvest hawk heart helmet heron highway hill hobby holiday honey
    horizon hospital hotel hundred hunter iceberg idea igloo image index infant insect island
    ivory jacket jaguar january jasmine jelly jewel journal judge jungle jury kettle keyboard
    kidney kitchen kite knee ladder lagoon lake lantern laptop legend lemon letter library
    lizard lobster lotus lunch machine magnet mango marble market meadow melon message midnight
    mirror monkey motor mountain museum napkin needle nephew nickel ninety north notebook
    november number nurse oasis object ocean october olive onion opera orange orbit orchid
    """.split()  # noqa: SIM905 (256 quoted words would fill 256 lines)
)
"""Word i stands for byte i. The order is part of the format: it never changes."""

_BY_START: Final = {word[:4]: word for word in WORDS}


def fingerprint_words(digest: bytes) -> str:
    """The first 20 bytes of a digest as 20 words with single spaces.

    Args:
        digest: a key id, a log pin's digest, an identity: at least 20 bytes.
    """
    if len(digest) < FINGERPRINT_WORDS:
        raise RuntimeError(f"a digest of {len(digest)} bytes has no {FINGERPRINT_WORDS} words")
    return " ".join(WORDS[byte] for byte in digest[:FINGERPRINT_WORDS])


def word_lines(digest: bytes) -> tuple[str, ...]:
    """The same words, four a line, as they are printed and read aloud."""
    words = fingerprint_words(digest).split()
    return tuple(" ".join(words[at : at + 4]) for at in range(0, FINGERPRINT_WORDS, 4))


def parse_words(text: str) -> bytes:
    """The 20 bytes behind 20 words as a person typed them: any case, spaces, commas or hyphens.

    Raises:
        InvalidInput: `words_malformed` for another count or a word that is not on the list.
    """
    typed = text.lower().replace(",", " ").replace("-", " ").split()
    if len(typed) != FINGERPRINT_WORDS:
        raise InvalidInput(
            "words_malformed",
            f"{len(typed)} words were given, a fingerprint has {FINGERPRINT_WORDS}",
            field="words",
            hint="read all five lines of four words to each other, from the first word",
        )
    return bytes(_number(word, place) for place, word in enumerate(typed, 1))


def same_words(text: str, digest: bytes) -> bool:
    """Whether typed words name this digest.

    Raises:
        InvalidInput: `words_malformed`.
    """
    return parse_words(text) == digest[:FINGERPRINT_WORDS]


def _number(typed: str, place: int) -> int:
    word = _BY_START.get(typed[:4])
    if word is None or not word.startswith(typed):
        raise InvalidInput(
            "words_malformed",
            f"word {place} is not on the list: {typed[:40]!r}",
            field="words",
            hint="ask the other side to spell it; four letters are enough",
        )
    return WORDS.index(word)
