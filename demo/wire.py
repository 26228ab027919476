"""A front of the bridge that can be disturbed: it passes bytes on, and flips one bit when told to.

TLS would notice a bit that is changed on the line. So this one sits where TLS ends: it has the
bridge's own TLS key, as somebody who has broken into the bridge's house. The node must notice.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from pathlib import Path
from typing import Final

CHUNK: Final = 65_536


class Wire:
    """Passes connections at `port` on to `target`, both ports of this machine.

    Args:
        keys: the folder with the bridge's tls.crt and tls.key.
    """

    def __init__(self, target: int, keys: Path) -> None:
        self._target = target
        self._inside = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._inside.load_cert_chain(keys / "tls.crt", keys / "tls.key")
        self._beyond = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._beyond.check_hostname = False
        self._beyond.verify_mode = ssl.CERT_NONE
        self._needle: bytes | None = None
        self._skip = 0
        self.flipped = threading.Event()
        self.port = 0
        listening = threading.Event()
        threading.Thread(
            target=lambda: asyncio.run(self._serve(listening)), daemon=True, name="wire"
        ).start()
        listening.wait()

    def flip_once(self, needle: bytes, skip: int) -> None:
        """Flip one bit of the byte that comes `skip` bytes after the next `needle`, inwards."""
        self.flipped.clear()
        self._skip = skip
        self._needle = needle  # last: the other thread looks at it first

    async def _serve(self, listening: threading.Event) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self._inside)
        self.port = server.sockets[0].getsockname()[1]
        listening.set()
        await server.serve_forever()

    async def _connected(self, near: asyncio.StreamReader, to_near: asyncio.StreamWriter) -> None:
        try:
            far, to_far = await asyncio.open_connection("127.0.0.1", self._target, ssl=self._beyond)
        except OSError:
            to_near.close()  # the broker is down: the node hears it and tries again
            return
        out = asyncio.create_task(self._pass(near, to_far, inward=False))
        back = asyncio.create_task(self._pass(far, to_near, inward=True))
        # Closing one direction would leave the other waiting: a broken line is broken.
        await asyncio.wait((out, back), return_when=asyncio.FIRST_COMPLETED)
        for one in (out, back):
            one.cancel()
        for end in (to_near, to_far):
            end.close()

    async def _pass(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, inward: bool
    ) -> None:
        try:
            while data := await source.read(CHUNK):
                sink.write(self._disturbed(data) if inward else data)
                await sink.drain()
        except OSError:
            return

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
