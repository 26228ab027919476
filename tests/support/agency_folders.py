"""Folders of two agencies, made by the command itself, once for all tests that use them."""

from __future__ import annotations

from pathlib import Path

from saphan_protocol.pins import format_pins

from support.command import saphan_here
from support.pin_files import pins

ROOT_PASSPHRASE = "the root passphrase of la"
DESK_PASSPHRASE = "the desk passphrase of la"
PINS = pins()


def make_agencies(folder: Path) -> None:
    """`la.ospp` and `kh.gpo`, `root.txt` and `desk.txt` with their passphrases, `pins.json`."""
    _secret(folder / "root.txt", ROOT_PASSPHRASE)
    _secret(folder / "desk.txt", DESK_PASSPHRASE)
    (folder / "pins.json").write_bytes(format_pins(PINS))
    for name in ("la.ospp", "kh.gpo"):
        ran = saphan_here(
            *("agency", "init", name, "--dir", folder / name, "--officer", "bounmy"),
            *("--passphrase-file", folder / "root.txt"),
            *("--officer-passphrase-file", folder / "desk.txt"),
        )
        assert "Compare these words aloud" in ran.out


def _secret(path: Path, text: str) -> None:
    path.write_text(text + "\n", encoding="utf-8")
    path.chmod(0o600)
