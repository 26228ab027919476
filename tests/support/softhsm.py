"""Real PKCS#11 tokens: SoftHSM, in a folder of their own, for this process or for commands."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pkcs11
import pytest
from saphan.keys.pin import PinSource
from saphan.keys.token_place import TokenAccess

PIN: Final = "271828"
SO_PIN: Final = "office of tokens"
VARIABLE: Final = "SOFTHSM2_CONF"
_LIBRARIES: Final = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)


def library() -> Path:
    """SoftHSM's library, or the test is skipped; `.ci/setup` installs it where it can."""
    found = next((Path(path) for path in _LIBRARIES if Path(path).is_file()), None)
    if found is None or shutil.which("softhsm2-util") is None:
        if os.environ.get("CI") and os.getuid() == 0:
            pytest.fail("SoftHSM is not installed; .ci/setup installs it")
        pytest.skip("SoftHSM is not installed (Debian: apt-get install softhsm2)")
    return found


@dataclass(frozen=True, slots=True)
class Tokens:
    """A drawer of tokens; `folder` exists."""

    folder: Path
    library: Path

    @property
    def variables(self) -> dict[str, str]:
        """What a command needs in its environment to find these tokens."""
        return {VARIABLE: str(self.folder / "softhsm2.conf")}

    @property
    def pin_file(self) -> Path:
        return self.folder / "pin.txt"

    def prepare(self) -> None:
        """Write SoftHSM's settings and the PIN's file."""
        (self.folder / "in").mkdir()
        lines = (f"directories.tokendir = {self.folder / 'in'}", "log.level = ERROR")
        (self.folder / "softhsm2.conf").write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.write_pin(PIN)

    def write_pin(self, pin: str) -> None:
        self.pin_file.write_text(f"{pin}\n", encoding="utf-8")
        self.pin_file.chmod(0o600)

    def add(self, label: str) -> None:
        """Put in one more token, with `PIN`."""
        words = ("softhsm2-util", "--init-token", "--free", "--label", label)
        subprocess.run(
            [*words, "--pin", PIN, "--so-pin", SO_PIN],
            env=os.environ | self.variables,
            capture_output=True,
            check=True,
        )

    def pull(self) -> None:
        """Take all tokens out."""
        (self.folder / "in").rename(self.folder / "out")
        (self.folder / "in").mkdir()

    def put_back(self) -> None:
        (self.folder / "in").rmdir()
        (self.folder / "out").rename(self.folder / "in")

    def access(self, token: str | None = None) -> TokenAccess:
        """As `--pkcs11 FILE --token LABEL --pin-file FILE` would give it."""
        pin = PinSource(file=self.pin_file)
        return TokenAccess(library=self.library, token=token, pin=pin)

    def forget(self) -> None:
        """Let this process look anew at what is in: SoftHSM reads its folder when it starts."""
        loaded = pkcs11.lib(str(self.library))
        loaded.finalize()

    @contextlib.contextmanager
    def here(self) -> Iterator[None]:
        """These tokens are this process's own for a while."""
        before = os.environ.get(VARIABLE)
        os.environ |= self.variables
        self.forget()  # another drawer's
        try:
            yield
        finally:
            self.forget()
            os.environ.pop(VARIABLE) if before is None else os.environ.update({VARIABLE: before})


def drawer(folder: Path, *labels: str) -> Tokens:
    """A new drawer with these tokens in it."""
    tokens = Tokens(folder, library())
    folder.mkdir(parents=True, exist_ok=True)
    tokens.prepare()
    for label in labels:
        tokens.add(label)
    return tokens
