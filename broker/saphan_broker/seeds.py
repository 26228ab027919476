"""The day-key seed file: what is wrapped under a day is gone once the seed has passed it.

KEYS/days.seed    JSON, mode 0600, outside store and backups (design section 8)
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Self

import msgspec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from saphan_protocol import daykeys
from saphan_protocol.kdf import derive
from saphan_schemas.decoders import json_decoder

from saphan_broker import private_files

FORMAT: Final = "days/1"
SEED_BYTES: Final = 32
SEED_NAME: Final = "days.seed"
LOCK_NAME: Final = "days.lock"
CACHED_DAYS: Final = 4_096
"""About eleven years of due-days; a key is computed in 3 us for each day from the seed."""


class _SeedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    saphan: str
    day: int
    seed: str


class _Ratchet:
    """One position of the seed, with the later seeds that were computed from it.

    Threads share it: entries are only added, each is right for its day, and `advance` replaces
    the whole object.
    """

    __slots__ = ("_ciphers", "day", "seeds")

    def __init__(self, day: int, seed: bytes) -> None:
        self.day: Final = day
        self.seeds: Final = {day: seed}
        self._ciphers: Final[dict[int, AESGCM]] = {}

    def at(self, day: int) -> bytes:
        """seed(day), from the nearest known one: due-days lie close together, years from now."""
        found = self.seeds.get(day)
        if found is None:
            start = max((known for known in tuple(self.seeds) if known <= day), default=self.day)
            found = daykeys.advance(self.seeds[start], start, day)
            if len(self.seeds) < CACHED_DAYS:
                self.seeds[day] = found
        return found

    def cipher(self, day: int) -> AESGCM:
        """Of key(day): made once, because three things of every bulletin are sealed under it."""
        found = self._ciphers.get(day)
        if found is None:
            found = daykeys.day_cipher(daykeys.day_key(self.at(day)))
            if len(self._ciphers) < CACHED_DAYS:
                self._ciphers[day] = found
        return found


class DayKeys:
    """Wraps and unwraps by due-day. `wrap` and `unwrap` only compute; the rest reads and writes."""

    def __init__(self, path: Path, day: int, seed: bytes) -> None:
        self._path: Final = path
        self._ratchet = _Ratchet(day, seed)

    @property
    def day(self) -> int:
        """The first day whose key still exists, days since 1970-01-01."""
        return self._ratchet.day

    @classmethod
    def create(cls, keys_directory: Path, day: int) -> Self:
        """Begin with a random seed for `day`; the file must not exist.

        Raises:
            OperatorError: `key_file_exists`, `key_file_exposed`.
        """
        private_files.make_directory(keys_directory)
        made = cls(keys_directory / SEED_NAME, day, os.urandom(SEED_BYTES))
        private_files.write_new(made._path, _encode(made._ratchet))
        return made

    @classmethod
    def open(cls, keys_directory: Path) -> Self:
        """Read the seed file.

        Raises:
            OperatorError: `key_file_missing`, `key_file_exposed`, `key_file_malformed`.
        """
        path = keys_directory / SEED_NAME
        found = _read(path)
        return cls(path, found.day, found.seeds[found.day])

    def __repr__(self) -> str:
        return f"<DayKeys from day {self.day}>"

    def wrap(self, day: int, plaintext: bytes, context: bytes) -> bytes:
        """Seal under the key of `day`, with a fresh nonce.

        Nonces are drawn one at a time: a pool of them, in a virtual machine that is set back to a
        snapshot, would be given out twice.

        Raises:
            OperatorError: `day_key_destroyed`, `day_out_of_range`.
        """
        nonce = os.urandom(daykeys.NONCE_BYTES)
        return daykeys.wrap(self._ratchet.cipher(day), nonce, plaintext, context)

    def unwrap(self, day: int, wrapped: bytes, context: bytes) -> bytes:
        """Open what `wrap` sealed for this day and context.

        Raises:
            OperatorError: `day_key_destroyed`, `day_out_of_range`, `unwrap_failed`.
        """
        return daykeys.unwrap(self._ratchet.cipher(day), wrapped, context)

    def derived(self, day: int, kind: str) -> bytes:
        """32 bytes of the day's key for another purpose; gone with it.

        Raises:
            OperatorError: `day_key_destroyed`, `day_out_of_range`.
        """
        return derive(daykeys.day_key(self._ratchet.at(day)), kind, [])

    def advance(self, to_day: int) -> None:
        """Destroy the keys of all days before `to_day`; blocks on the disk, then it is done.

        A day that has passed already changes nothing. Moved by witnessed time only. Processes of
        one host share the file: none of them sets it back behind what another one has reached.

        Raises:
            OperatorError: `day_out_of_range`, `key_file_*`.
        """
        if to_day <= self.day:
            return
        later = _Ratchet(to_day, self._ratchet.at(to_day))
        with private_files.exclusive(self._path.with_name(LOCK_NAME)):
            if _read(self._path).day < to_day:
                # A crash here destroys nothing; after it a restart finds the later seed only.
                private_files.replace(self._path, _encode(later), scrub=True)
            if to_day > self.day:  # another thread may have gone further meanwhile
                self._ratchet = later


def _read(path: Path) -> _Ratchet:
    try:
        found = json_decoder(_SeedFile).decode(private_files.read(path))
        seed = bytes.fromhex(found.seed)
    except ValueError:  # msgspec's errors quote what they found: a secret here
        raise private_files.malformed(path, "it is not a day-key seed file") from None
    if found.saphan != FORMAT or len(seed) != SEED_BYTES or found.day < 0:
        raise private_files.malformed(path, f"it is not of format {FORMAT}")
    return _Ratchet(found.day, seed)


def _encode(ratchet: _Ratchet) -> bytes:
    seed = ratchet.seeds[ratchet.day].hex()
    return msgspec.json.encode(_SeedFile(FORMAT, ratchet.day, seed)) + b"\n"
