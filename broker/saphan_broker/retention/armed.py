"""Which rule a person has seen and armed here, and the newest time that was acted on.

KEYS/retention.json    JSON, mode 0600, beside the day-key seed: outside store and backups, so that
neither a restored store nor a leaping clock can set it back. Processes of one host share it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final, Self

import msgspec
from saphan_schemas.decoders import json_decoder
from saphan_schemas.errors import Refused
from saphan_schemas.limits import HOUR_MS

from saphan_broker import private_files
from saphan_broker.retention.rule import RULE

FORMAT: Final = "retention/1"
NAME: Final = "retention.json"
LOCK_NAME: Final = "retention.lock"


class _Kept(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`acted`: ms, 0 before any; `armed`, `shown`: digests of rules in hexadecimal."""

    saphan: str = FORMAT
    acted: int = 0
    armed: str | None = None
    shown: str | None = None


class Armed:
    """Owned by the event loop; what changes it blocks on the disk and is durable when it returns.

    A directory without the file is of a broker from before: it is unarmed.
    """

    def __init__(self, path: Path, kept: _Kept) -> None:
        self._path: Final = path
        self._kept = kept

    @classmethod
    def begin(cls, keys: Path, now: int) -> Self:
        """Of a new broker, whose store is empty: the standard rule is armed from its start.

        Raises:
            OperatorError: `key_file_*`.
        """
        made = cls(keys / NAME, _Kept(acted=now, armed=RULE.digest.hex()))
        private_files.write_new(made._path, _encode(made._kept))
        return made

    @classmethod
    def open(cls, keys: Path) -> Self:
        """Read the file of a keys directory, if it has one.

        Raises:
            OperatorError: `key_file_exposed`, `key_file_malformed`.
        """
        return cls(keys / NAME, _read(keys / NAME))

    @property
    def acted(self) -> int:
        """The newest witnessed time that was acted on, ms; 0 before any."""
        return self._kept.acted

    @property
    def armed(self) -> bool:
        """Whether the rule of this program may destroy."""
        return self._kept.armed == RULE.digest.hex()

    @property
    def shown(self) -> bool:
        """Whether somebody has seen what this very rule would destroy."""
        return self._kept.shown == RULE.digest.hex()

    def show(self) -> None:
        """Somebody sees a plan of this rule.

        Raises:
            OperatorError: `key_file_*`.
        """
        self._change(lambda kept: msgspec.structs.replace(kept, shown=RULE.digest.hex()))

    def arm(self, now: int) -> None:
        """Let the rule act; where no time was acted on before, from `now` (ms) on.

        Raises:
            Refused: `rule_not_seen`; OperatorError: `key_file_*`.
        """
        self._change(lambda kept: kept)  # another process of this host may have shown it
        if not self.shown:
            raise Refused(
                "rule_not_seen",
                "nobody has seen yet what this rule would destroy",
                field="rule",
                hint="run `saphan-broker retention plan` first, and read it",
            )
        self._change(
            lambda kept: msgspec.structs.replace(
                kept, armed=RULE.digest.hex(), acted=kept.acted or now
            )
        )

    def act(self, now: int, *, armed: bool = False) -> None:
        """Time goes on to `now` (ms), here or at another process, which may know the rule `armed`.

        Raises:
            OperatorError: `key_file_*`.
        """
        if now < self.acted + HOUR_MS and (self.armed or not armed):
            return  # written once an hour
        rule = RULE.digest.hex()

        def on(kept: _Kept) -> _Kept:
            return msgspec.structs.replace(
                kept, acted=max(kept.acted, now), armed=rule if armed else kept.armed
            )

        self._change(on)

    def confirm(self, now: int) -> None:
        """A person says that it is right that time has gone on to `now` (ms) at once.

        Raises:
            OperatorError: `key_file_*`.
        """
        self._change(lambda kept: msgspec.structs.replace(kept, acted=max(kept.acted, now)))

    def _change(self, change: Callable[[_Kept], _Kept]) -> None:
        """Change what is on the disk now: another process may have changed it since."""
        with private_files.exclusive(self._path.with_name(LOCK_NAME)):
            before = _read(self._path)
            kept = change(before)
            if kept != before:
                private_files.replace(self._path, _encode(kept))
            self._kept = kept


def _read(path: Path) -> _Kept:
    if not path.exists():
        return _Kept()
    try:
        found = json_decoder(_Kept).decode(private_files.read(path))
    except ValueError:
        raise private_files.malformed(path, "it does not say which rule is armed") from None
    if found.saphan != FORMAT:
        raise private_files.malformed(path, f"it is not of format {FORMAT}")
    return found


def _encode(kept: _Kept) -> bytes:
    return msgspec.json.encode(kept) + b"\n"
