"""What is shown in Lao and Khmer is spelled so that a search finds it; each wrong way is seen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest
from saphan_schemas.samples import SAMPLES, sample
from support.spelling import misspelt


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("ນໍ້າ", "ນ້ຳ"),
        ("ຫນອງ", "ໜອງ"),
        ("ປ່ີ", "ປີ່"),
        ("ກ້້າ", "ກ້າ"),
        ("កណ្", "កណ្តាល"),
        ("កិ្", "ក្តិ"),
        ("កិី", "កី"),
        ("e\u0301", "é"),
    ],
)
def test_wrong_spellings_are_noticed(text: str, right: str) -> None:
    assert misspelt(text) is not None
    assert misspelt(right) is None


@pytest.mark.parametrize("lang", ["lo", "km"])
def test_the_catalogue_is_spelled_in_one_way(lang: str) -> None:
    file = resources.files("saphan_schemas").joinpath("messages", f"{lang}.json")
    for key, entry in json.loads(file.read_text(encoding="utf-8")).items():
        text = entry["text"] if isinstance(entry, dict) else entry
        assert misspelt(text) is None, (key, text)


def texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for item in value.values() if isinstance(value, dict) else ():
        yield from texts(item)
    for item in value if isinstance(value, list) else ():
        yield from texts(item)


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_are_spelled_in_one_way(name: str) -> None:
    for text in texts(sample(name)):
        assert misspelt(text) is None, text
