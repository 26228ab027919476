"""Keys directories that serve and never sign: what a process away from the signer's host needs.

    DIR/days.seed           opens and seals what lies in the store
    DIR/tls.key, tls.crt    what nodes see when they connect
    DIR/succession.chain    how the logs came to their number, if one was ever lost
    DIR/pins.json           the logs' public keys; written last, and what tells such a directory

It has no log keys and no last-head files, so whoever takes that host can sign no head. With
the seed it is the broker in everything else: it opens what is stored, and its word to the other
processes counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from saphan_protocol.pins import Pins, format_pins, parse_pins
from saphan_schemas.codec import encode
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.succession_frames import Succession

from saphan_broker import private_files
from saphan_broker.keys import LogKeys, key_path, load_log_keys, pins_of
from saphan_broker.seeds import SEED_NAME, DayKeys
from saphan_broker.store.base import LOGS, Log
from saphan_broker.succession_chain import CHAIN_NAME, read_chain
from saphan_broker.tls_files import CERTIFICATE_NAME, KEY_NAME

PINS_NAME: Final = "pins.json"


def share(keys: Path, out: Path) -> Pins:
    """Make a serving-only keys directory from the signer's; the pins in it.

    Args:
        keys: the directory that `init` made, with log keys; it is only read.
        out: a directory that is empty or not there.

    Raises:
        OperatorError: `serves_only` (`keys` is a shared one itself), `directory_not_empty`,
            `directory_unusable`, `key_file_*`.
    """
    if serves_only(keys):
        raise OperatorError(
            "serves_only",
            f"{keys} has no log keys: it was made by `saphan-broker keys share` itself",
            field="keys",
            hint="copy it as it is, or share from the keys directory of the signer's host",
        )
    pins = pins_of({log: load_log_keys(keys, log) for log in LOGS})
    DayKeys.open(keys)  # a seed that cannot be used is found here, not on the other host
    copied = {SEED_NAME: private_files.read(keys / SEED_NAME)}
    for name in (KEY_NAME, CERTIFICATE_NAME):
        if (keys / name).exists():  # else the other host shows an authority's certificate
            copied[name] = private_files.read(keys / name)
    if (keys / CHAIN_NAME).exists():  # nodes that come there may have missed a succession
        copied[CHAIN_NAME] = encode(Succession(read_chain(keys)))
    _make_empty(out)
    for name, data in copied.items():
        private_files.write_new(out / name, data)
    # A crash before this line leaves a directory that nothing runs on.
    private_files.write_new(out / PINS_NAME, format_pins(pins))
    return pins


def serves_only(keys: Path) -> bool:
    """Whether a keys directory was made by `share`: it has pins and not one log key."""
    return (keys / PINS_NAME).exists() and not any(key_path(keys, log).exists() for log in LOGS)


def read_keys(keys: Path) -> tuple[Pins, Mapping[Log, LogKeys] | None]:
    """The broker's pins, and the log keys of a directory that may sign.

    Raises:
        OperatorError: `key_file_missing`, `key_file_exposed`, `key_file_malformed`.
    """
    if not serves_only(keys):
        found = {log: load_log_keys(keys, log) for log in LOGS}
        return pins_of(found), found
    private_files.check_private(keys)
    path = keys / PINS_NAME
    try:
        return parse_pins(private_files.read(path)), None
    except InvalidInput as error:
        raise private_files.malformed(path, error.message) from None


def _make_empty(out: Path) -> None:
    try:
        out.mkdir(mode=0o700, exist_ok=True)
        found = next(out.iterdir(), None)
    except OSError as error:
        raise OperatorError(
            "directory_unusable",
            f"{out} cannot be made or read: {error.strerror}",
            field="out",
            hint="the directory above it must exist and be your own",
        ) from None
    if found is not None:
        raise OperatorError(
            "directory_not_empty",
            f"{out} is not empty: it has {found.name!r}",
            field="out",
            hint="name a directory that is empty or does not exist yet",
        )
    private_files.check_private(out)
