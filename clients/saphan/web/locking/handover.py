"""Locking is exec: the process becomes a locked page, and the system throws its memory away.

Wiping keys in Python would be a promise that nobody can keep: bytes are copied wherever they are
used. The successor has the same process id and the same listening socket, and inherits what stands
here, through a pipe: nothing that opens anything (ADR 44).
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Sequence
from typing import Annotated, Final, Literal, NoReturn

import msgspec
from msgspec import Meta
from saphan_schemas.decoders import json_decoder
from saphan_schemas.errors import OperatorError
from saphan_schemas.messages import LANGUAGES, text
from saphan_schemas.terminal import print_line

OPTION: Final = "--inherited"
"""The option by which the successor is told two descriptors: the socket's, the pipe's."""
PIPE_BYTES: Final = 4_096
"""What every system's pipes hold without a reader."""


class Handover(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a page remembers when it locks.

    Args:
        known: SHA-256 of the cookie of the browser that is in, hexadecimal; at most one.
        lock_after_ms: as the officer chose; why: a person said so, or nobody was there.
    """

    host: Annotated[str, Meta(max_length=40)]
    known: Annotated[list[str], Meta(max_length=1)]
    lang: Literal["en", "lo", "km"]
    lock_after_ms: Annotated[int, Meta(ge=1, le=2**31)]
    why: Literal["asked", "idle"]


assert set(LANGUAGES) == {"en", "lo", "km"}


def succeed(argv: Sequence[str], listening: socket.socket, handover: Handover) -> NoReturn:
    """Become the locked page; a crash before the last line leaves the open one.

    Args:
        argv: program and options of the successor, `OPTION` excepted.
    """
    try:
        reading, writing = os.pipe()
        os.write(writing, msgspec.json.encode(handover))
        os.close(writing)
        for handle in (reading, listening.fileno()):
            os.set_inheritable(handle, True)
        os.execv(argv[0], [*argv, OPTION, f"{listening.fileno()},{reading}"])  # noqa: S606
    finally:
        # The program is gone, or was exchanged this moment, or no descriptor is free: the memory
        # goes all the same.
        try:
            print_line(sys.stderr, text("note.page_lock_ends", handover.lang))
        finally:
            os._exit(OperatorError.exit_status)


def inherit(descriptors: tuple[int, int]) -> tuple[socket.socket, Handover]:
    """The socket and the memory of the page that locked; both descriptors are this process's now.

    Raises:
        ValueError: they are not what `succeed` passes on.
    """
    for handle in descriptors:
        os.set_inheritable(handle, False)
    with open(descriptors[1], "rb") as pipe, socket.socket(fileno=descriptors[0]) as listening:
        handover = json_decoder(Handover).decode(pipe.read(PIPE_BYTES))
        if listening.family != socket.AF_INET or listening.getsockname()[0] != "127.0.0.1":
            raise ValueError("the inherited socket does not listen on loopback")
        return socket.socket(fileno=listening.detach()), handover
