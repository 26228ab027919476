"""An agency's node at 200 bulletins/s, and its witness: `python -m benchmarks.retention_client`.

Bulletins arrive by the clock, whether the broker has answered or not, each in a frame of its own;
what is measured is the time from the moment when a frame was to be sent to its answer, which comes
after a durable signed head: a line that takes nothing for a while counts, too. The first
cosignature tells the broker the time: before it nothing can be due.

Commands, one JSON object a line:
{"do": "open", "url", "office", "after"}    log in; everything up to `after` counts as known
{"do": "arrive", "file", "rate", "seconds"} {"p50", "p99", "max", "sent"} in ms
{"do": "witness"}                           cosign the newest head
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any, Final

import aiohttp
import msgspec
from saphan.keys.keyfiles import read_node, read_witness
from saphan.node.config import system_clock
from saphan.office import Office
from saphan_protocol.batch import sign_one
from saphan_protocol.checkpoint import cosign_lines, parse_checkpoint
from saphan_protocol.notes import parse_note
from saphan_schemas.codec import encode
from saphan_schemas.frames import (
    Ack,
    Answer,
    Challenge,
    Cosign,
    Feed,
    FromBroker,
    Login,
    Welcome,
    session_context,
)
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import HeadRef, Role

from benchmarks.ingest_client import SESSION_TYPE, read_frames

_decoder: Final = msgspec.msgpack.Decoder(FromBroker)


class Node:
    """One logged-in session; frames are read by a task of its own."""

    def __init__(self, http: aiohttp.ClientSession, office: Office) -> None:
        self._http = http
        self._office = office
        self._agency = office.read_agency().agency
        self._waiting: dict[int, float] = {}
        self._took: list[float] = []
        self._refused: set[str] = set()
        self._text = b""
        self._told = asyncio.Event()
        self._answered = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None

    async def open(self, url: str, after: int) -> dict[str, Any]:
        """Log in as a node that has everything up to `after`."""
        self._ws = await self._http.ws_connect(
            f"{url}/v1/session", compress=0, max_msg_size=LIMITS.frame_bytes + 65_536
        )
        key = read_node(self._office.key_file(Role.NODE, b""))
        asked = _decoder.decode(await self._ws.receive_bytes())
        assert isinstance(asked, Challenge), asked
        nonce = os.urandom(32)
        context = session_context(asked.evidence, asked.nonce, nonce, None, None)
        signature = sign_one(key, SESSION_TYPE, encode(context), os.urandom(32))
        login = Login(self._agency, key.key_id, nonce, (), after, system_clock(), None, signature)
        await self._ws.send_bytes(encode(login))
        welcome = _decoder.decode(await self._ws.receive_bytes())
        if not isinstance(welcome, Welcome):
            raise RuntimeError(f"no welcome but {welcome}")
        self._reading = asyncio.create_task(self._read())
        return {}

    async def arrive(self, file: Path, rate: float, seconds: float) -> dict[str, Any]:
        """Send frames by the clock, each when its time has come; then wait for all answers."""
        frames = await asyncio.to_thread(read_frames, file)
        wanted = int(rate * seconds)
        if len(frames) < wanted:
            raise RuntimeError(f"{file} has {len(frames)} frames, {wanted} are needed")
        self._took.clear()
        begun = time.perf_counter()
        for place, frame in enumerate(frames[:wanted]):
            moment = begun + place / rate
            await asyncio.sleep(max(0.0, moment - time.perf_counter()))
            self._answered.clear()
            self._waiting[_request_of(frame)] = moment
            await self._ws.send_bytes(frame)
        async with asyncio.timeout(120):
            await self._answered.wait()
        if self._refused:
            raise RuntimeError(f"refused: {sorted(self._refused)}")
        took = sorted(1000 * one for one in self._took)
        return {
            "sent": len(took),
            "p50": took[len(took) // 2],
            "p99": took[int(len(took) * 0.99)],
            "max": took[-1],
        }

    async def witness(self) -> dict[str, Any]:
        """Cosign the newest head that was shown."""
        async with asyncio.timeout(60):
            await self._told.wait()
        key = read_witness(self._office.key_file(Role.WITNESS, b""))
        said = parse_checkpoint(self._text)
        now = system_clock() // 1000
        lines = cosign_lines(key.ed25519, key.mldsa44, self._agency, self._text, now)
        await self._ws.send_bytes(encode(Cosign(HeadRef(said.origin, said.size, said.root), lines)))
        return {"size": said.size}

    async def _read(self) -> None:
        async for message in self._ws:
            frame = _decoder.decode(message.data)
            if isinstance(frame, Answer):
                self._took.append(time.perf_counter() - self._waiting.pop(frame.request))
                if not self._waiting:
                    self._answered.set()
                self._refused |= {one.code for one in frame.results if one.code is not None}
            elif isinstance(frame, Feed):
                if frame.note:
                    self._text = parse_note(frame.note).text
                    self._told.set()
                await self._ws.send_bytes(encode(Ack(frame.next)))


def _request_of(frame: bytes) -> int:
    """The number of a Submit frame: the first field after the tag."""
    decoder = msgspec.msgpack.Decoder(tuple[int, int, msgspec.Raw, msgspec.Raw])
    return decoder.decode(frame)[1]


async def main() -> None:
    """Answer commands until the input ends."""
    node: Node | None = None
    loop = asyncio.get_running_loop()
    async with aiohttp.ClientSession() as http:
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            command = json.loads(line)
            do = command.pop("do")
            if do == "open":
                node = Node(http, Office(Path(command["office"])))
                told = await node.open(command["url"], command["after"])
            elif do == "arrive":
                assert node is not None
                told = await node.arrive(Path(command["file"]), command["rate"], command["seconds"])
            else:
                assert node is not None
                told = await node.witness()
            print(json.dumps(told), flush=True)


if __name__ == "__main__":
    asyncio.run(main())
