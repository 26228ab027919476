"""Where the operator's sockets of a broker's processes lie: in its data directory, by number."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from saphan_schemas.errors import OperatorError

SOCKET_NAME: Final = "admin.sock"
PATH_BYTES: Final = 107
"""What a Unix socket's address holds on Linux."""


def socket_path(data: Path, number: int = 1) -> Path:
    """Where the socket of a broker's process lies.

    Raises:
        OperatorError: `socket_path_long`.
    """
    path = data.absolute() / (SOCKET_NAME if number == 1 else f"admin-{number}.sock")
    if len(str(path).encode()) > PATH_BYTES:
        raise OperatorError(
            "socket_path_long",
            f"{path} is too long for a Unix socket: at most {PATH_BYTES} bytes",
            field="data",
            hint="keep the store under a shorter path",
        )
    return path


def sockets(data: Path) -> list[Path]:
    """The sockets of a data directory's processes, and what a crash has left, by number."""
    found = {_number(path): path for path in data.absolute().glob("admin*.sock")}
    return [found[number] for number in sorted(found) if number]


def forget_sockets(data: Path) -> None:
    """Remove what a crash has left; nobody else works in the data directory."""
    for path in sockets(data):
        if path.is_socket():
            path.unlink()


def _number(path: Path) -> int:
    """Of a socket's name; 0 for another name."""
    if path.name == SOCKET_NAME:
        return 1
    number = path.stem.removeprefix("admin-")
    return int(number) if number.isascii() and number.isdecimal() else 0
