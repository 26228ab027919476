"""Words for fingerprints: what a person hears and types decides whether a key is believed."""

from __future__ import annotations

from hashlib import sha256

import pytest
from saphan_protocol.words import (
    FINGERPRINT_WORDS,
    WORDS,
    fingerprint_words,
    parse_words,
    same_words,
    word_lines,
)
from saphan_schemas.errors import InvalidInput
from support.rooms import ROOT

DIGEST = bytes(range(100, 132))


def test_every_byte_has_a_word_of_its_own_by_its_first_four_letters() -> None:
    assert len(WORDS) == 256
    assert len({word[:4] for word in WORDS}) == 256


def test_the_list_never_changes_because_people_have_written_words_down() -> None:
    """schemas/spec/files.md, W1 and its sample."""
    digest = sha256(" ".join(WORDS).encode()).hexdigest()
    assert digest == "485ad2b65a994c8bc6cc61bd8b9d80e99cf74bc252cc358354d2bded8685c8d9"
    page = (ROOT / "schemas/spec/files.md").read_text(encoding="utf-8")
    assert digest in page
    assert "\n".join(word_lines(sha256(b"").digest())) in page


def test_no_two_words_differ_in_one_letter_only() -> None:
    for word in WORDS:
        for other in WORDS:
            if word < other and len(word) == len(other):
                assert sum(a != b for a, b in zip(word, other, strict=True)) > 1, (word, other)


def test_words_come_back_as_the_bytes_they_stand_for() -> None:
    assert parse_words(fingerprint_words(DIGEST)) == DIGEST[:FINGERPRINT_WORDS]
    assert " ".join(word_lines(DIGEST)) == fingerprint_words(DIGEST)


def test_words_may_be_typed_in_capitals_with_commas_and_shortened_to_four_letters() -> None:
    typed = ", ".join(word[:4].upper() for word in fingerprint_words(DIGEST).split())
    assert same_words(typed, DIGEST)


@pytest.mark.parametrize(
    "change",
    (
        lambda words: words[:-1],  # one word dropped
        lambda words: [*words, words[0]],  # one too many
        lambda words: ["saphan", *words[1:]],  # not on the list
        lambda words: [words[0][:3], *words[1:]],  # too short to be sure
        lambda words: [words[0] + "s", *words[1:]],  # another word that starts alike
    ),
)
def test_words_that_are_not_a_fingerprint_are_refused(change: object) -> None:
    assert callable(change)
    words = change(fingerprint_words(DIGEST).split())
    with pytest.raises(InvalidInput) as refused:
        parse_words(" ".join(words))
    assert refused.value.code == "words_malformed"


def test_two_words_exchanged_are_another_fingerprint() -> None:
    words = fingerprint_words(DIGEST).split()
    words[0], words[1] = words[1], words[0]
    assert not same_words(" ".join(words), DIGEST)
