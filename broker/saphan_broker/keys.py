"""The broker's log keys: per log one Ed25519 and one ML-DSA-44, in one private file each.

KEYS/directory.key, KEYS/evidence.key    JSON, mode 0600 (bytes.md, Signer)
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from saphan_protocol.checkpoint import Head, KeyPair, format_checkpoint, log_lines
from saphan_protocol.notes import KeyType, format_vkey, verifier_key
from saphan_protocol.pins import Pins, format_pins, parse_pins
from saphan_protocol.suite import MLDSA44PrivateKey
from saphan_schemas.decoders import json_decoder
from saphan_schemas.directory_records import LogPin
from saphan_schemas.errors import InvalidInput, OperatorError

from saphan_broker import private_files
from saphan_broker.store.base import Log

FORMAT: Final = "logkey/1"
SEED_BYTES: Final = 32
PINS_MODE: Final = 0o644


class _KeyFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    saphan: str
    origin: str
    ed25519: str
    mldsa44: str


class LogKeys:
    """Both keys of one log; the repr shows public things only.

    Attributes:
        origin: the log's origin, which names both keys.
        pair: verifier keys of types 01 and 06.
    """

    __slots__ = ("_ed25519", "_mldsa44", "origin", "pair")

    def __init__(self, origin: str, ed25519_seed: bytes, mldsa44_seed: bytes) -> None:
        self.origin: Final = origin
        self._ed25519: Final = Ed25519PrivateKey.from_private_bytes(ed25519_seed)
        self._mldsa44: Final = MLDSA44PrivateKey.from_seed_bytes(mldsa44_seed)
        ed25519 = self._ed25519.public_key().public_bytes_raw()
        mldsa44 = self._mldsa44.public_key().public_bytes_raw()
        self.pair: Final[KeyPair] = (
            verifier_key(origin, KeyType.ED25519, ed25519),
            verifier_key(origin, KeyType.COSIGNATURE_MLDSA44, mldsa44),
        )

    def __repr__(self) -> str:
        ids = ", ".join(key.key_id.hex() for key in self.pair)
        return f"<LogKeys {self.origin} {ids}>"

    @property
    def pin(self) -> LogPin:
        """Origin and verifier keys, as agreements and pin files name them."""
        first, second = self.pair
        return LogPin(self.origin, (format_vkey(first), format_vkey(second)))

    def sign_head(self, size: int, root: bytes, time: int) -> Head:
        """A head with both lines; only `signer.Signer` calls this, after its file is durable.

        Args:
            time: POSIX seconds.
        """
        text = format_checkpoint(self.origin, size, root)
        note = log_lines(self._ed25519, self._mldsa44, self.origin, text, time)
        return Head(self.origin, size, root, time, note)


def key_path(keys: Path, log: Log) -> Path:
    """Where a log's keys lie."""
    return keys / f"{log}.key"


def create_log_keys(keys: Path, log: Log, origin: str) -> LogKeys:
    """Make a log's keys and write their file, which must not exist.

    Raises:
        InvalidInput: `head_origin`, `vkey_name`; OperatorError: `key_file_exists`,
            `key_file_exposed`.
    """
    private_files.make_directory(keys)
    seeds = (os.urandom(SEED_BYTES), os.urandom(SEED_BYTES))
    made = LogKeys(origin, *seeds)
    format_checkpoint(origin, 1, bytes(32))  # an origin that could not sign is refused here
    text = _KeyFile(FORMAT, origin, seeds[0].hex(), seeds[1].hex())
    private_files.write_new(key_path(keys, log), msgspec.json.encode(text) + b"\n")
    return made


def load_log_keys(keys: Path, log: Log) -> LogKeys:
    """Read a log's keys.

    Raises:
        OperatorError: `key_file_missing`, `key_file_exposed`, `key_file_malformed`.
    """
    private_files.check_private(keys)
    path = key_path(keys, log)
    try:
        found = json_decoder(_KeyFile).decode(private_files.read(path))
        seeds = (bytes.fromhex(found.ed25519), bytes.fromhex(found.mldsa44))
    except ValueError:  # msgspec's errors quote what they found: a secret here
        raise private_files.malformed(path, "it is not a log key file") from None
    if found.saphan != FORMAT or any(len(seed) != SEED_BYTES for seed in seeds):
        raise private_files.malformed(path, f"it is not of format {FORMAT}")
    try:
        return LogKeys(found.origin, *seeds)
    except InvalidInput as error:
        raise private_files.malformed(path, error.message) from None


def rename_log_keys(keys: Path, log: Log, origin: str) -> LogKeys:
    """Give a log's keys the origin of the log that follows it; durable when it returns.

    Raises:
        OperatorError: `key_file_*`.
    """
    path = key_path(keys, log)
    load_log_keys(keys, log)  # what cannot be read is not written over
    found = json_decoder(_KeyFile).decode(private_files.read(path))
    text = _KeyFile(FORMAT, origin, found.ed25519, found.mldsa44)
    private_files.replace(path, msgspec.json.encode(text) + b"\n", scrub=True)
    return load_log_keys(keys, log)


def make_pins(name: str, directory: LogKeys, evidence: LogKeys) -> Pins:
    """What agencies pin of a broker."""
    return Pins(name=name, directory=directory.pin, evidence=evidence.pin)


def pins_of(log_keys: Mapping[Log, LogKeys]) -> Pins:
    """The pins of a broker from both of its log keys.

    Raises:
        OperatorError: `key_file_malformed`: the files are of two brokers.
    """
    directory, evidence = log_keys["directory"], log_keys["evidence"]
    name = directory.origin.partition("/")[0]
    if evidence.origin.partition("/")[0] != name:
        raise OperatorError(
            "key_file_malformed",
            f"{directory.origin} and {evidence.origin} are logs of two brokers",
            field="keys",
            hint="--keys is moved whole or not at all",
        )
    return make_pins(name, directory, evidence)


def write_pins(path: Path, pins: Pins) -> None:
    """Write the public pin file, replacing one that is there."""
    private_files.replace(path, format_pins(pins))
    path.chmod(PINS_MODE)


def read_pins(path: Path) -> Pins:
    """Read a pin file.

    Raises:
        InvalidInput: `too_large`, `pins_malformed`; FileNotFoundError.
    """
    with path.open("rb") as file:
        return parse_pins(file.read(private_files.MAX_BYTES))
