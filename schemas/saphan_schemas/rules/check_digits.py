"""Check digits of numbers that carry one: what was typed wrong is caught before it is searched.

Each function takes the text as a bulletin has it and says whether its check digit agrees with
its other characters: CAS Registry Numbers; Luhn (ISO/IEC 7812-1: IMEI, payment cards); IMO ship
numbers; ISO 6346 freight containers; ISO 13616 bank accounts (IBAN).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import count
from operator import mul
from typing import Final

_CAS: Final = re.compile(r"([0-9]{2,7})-([0-9]{2})-([0-9])\Z")
_IBAN: Final = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{8,30}\Z")
_CONTAINER: Final = re.compile(r"[A-Z]{4}[0-9]{7}\Z")
_DOUBLED: Final = str.maketrans("0123456789", "0246813579")
"""A digit twice, the digits of that added: 7 is 14 is 5."""
_DIGITS: Final = re.compile(r"[0-9]{2,32}\Z")


def cas(text: str) -> bool:
    """The last digit is the sum of the others, each times its place from the right, modulo 10."""
    found = _CAS.match(text)
    if found is None:
        return False
    digits = map(int, reversed(found[1] + found[2]))
    total: int = sum(map(mul, digits, count(1)))
    return total % 10 == int(found[3])


def luhn(text: str) -> bool:
    """Every second digit from the right doubled, the digits of all added up: a multiple of 10."""
    if _DIGITS.match(text) is None:
        return False
    doubled = text[-2::-2].translate(_DOUBLED)
    return (sum(map(int, text[-1::-2])) + sum(map(int, doubled))) % 10 == 0


def imo(text: str) -> bool:
    """Seven digits; the last is that of the sum of the first six times 7 to 2."""
    if _DIGITS.match(text) is None or len(text) != 7:
        return False
    return sum(int(d) * (7 - place) for place, d in enumerate(text[:6])) % 10 == int(text[6])


def container(text: str) -> bool:
    """Four letters and seven digits; values times powers of two, modulo 11, modulo 10."""
    if _CONTAINER.match(text) is None:
        return False
    total = sum(_letter(char) << place for place, char in enumerate(text[:10]))
    return total % 11 % 10 == int(text[10])


def iban(text: str) -> bool:
    """Country and check digits behind the rest, letters as 10 to 35: remainder 1 modulo 97."""
    if _IBAN.match(text) is None:
        return False
    return int("".join(str(int(char, 36)) for char in text[4:] + text[:4])) % 97 == 1


def _letter(char: str) -> int:
    """ISO 6346: A is 10, and multiples of 11 are left out; digits are themselves."""
    if char.isdigit():
        return int(char)
    value = ord(char) - ord("A") + 10
    return value + (value > 10) + (value > 20) + (value > 30)


METHODS: Final[dict[str, Callable[[str], bool]]] = {
    "cas": cas,
    "container": container,
    "iban": iban,
    "imo": imo,
    "luhn": luhn,
}
