"""A telephone line that can be disturbed: it passes bytes on, and flips one bit when it is told to.

Real lines carry TLS, which would notice first. Here nothing does: the node itself must notice.
"""

from __future__ import annotations

import socket
import threading
from typing import Final

CHUNK: Final = 65_536


class Wire:
    """Passes connections at `port` on to `target`, both ports of this machine."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._needle: bytes | None = None
        self._skip = 0
        self.flipped = threading.Event()
        threading.Thread(target=self._accept, daemon=True).start()

    def flip_once(self, needle: bytes, skip: int) -> None:
        """Flip one bit of the byte that comes `skip` bytes after the next `needle`, inwards."""
        self.flipped.clear()
        self._needle, self._skip = needle, skip

    def _accept(self) -> None:
        while True:
            near, _ = self._listener.accept()
            try:
                far = socket.create_connection(("127.0.0.1", self._target), 5)
            except OSError:
                near.close()  # the broker is down: the node hears it and tries again
                continue
            far.settimeout(None)
            for source, sink, inward in ((near, far, False), (far, near, True)):
                threading.Thread(
                    target=self._pass, args=(source, sink, inward), daemon=True
                ).start()

    def _pass(self, source: socket.socket, sink: socket.socket, inward: bool) -> None:
        try:
            while data := source.recv(CHUNK):
                sink.sendall(self._disturbed(data) if inward else data)
        except OSError:
            pass
        finally:
            # Closing one direction would leave the other waiting: a broken line is broken.
            for end in (source, sink):
                try:
                    end.shutdown(socket.SHUT_RDWR)
                except OSError:
                    continue

    def _disturbed(self, data: bytes) -> bytes:
        place = self._skip
        if self._needle is not None:
            found = data.find(self._needle)
            if found < 0:
                return data
            place += found + len(self._needle)
            self._needle = None
        elif self.flipped.is_set() or not self._skip:
            return data
        if place >= len(data):  # the byte comes with a later part
            self._skip = place - len(data)
            return data
        self._skip = 0
        self.flipped.set()
        return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
