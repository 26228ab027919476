"""A process that pushes bulletins sealed beforehand: `python -m benchmarks.ingest_client`.

Each session logs in as the node of its agency that has all there was before, keeps a number of
frames in flight, and takes and acknowledges its feed as a node does, without verifying it: what is
measured is the broker. Commands, one JSON object a line: {"do": "know", ...}, then
{"do": "push", ...} or {"do": "stream", ...}.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
from saphan.keys.keyfiles import read_node
from saphan.node.config import system_clock
from saphan.office import Office
from saphan_protocol.batch import sign_one
from saphan_protocol.keys import SigningKey
from saphan_schemas.codec import encode
from saphan_schemas.frames import (
    Ack,
    Answer,
    Challenge,
    Feed,
    FromBroker,
    Login,
    Welcome,
    session_context,
)
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Role

from benchmarks.bulletin import Sealer

_decoder = msgspec.msgpack.Decoder(FromBroker)
SESSION_TYPE = "saphan/session/1"


@dataclass(slots=True)
class Tally:
    """When answers came: (seconds, bulletins accepted until then)."""

    answers: list[tuple[float, int]] = field(default_factory=list)
    accepted: int = 0
    refused: int = 0
    codes: set[str] = field(default_factory=set)

    def take(self, answer: Answer) -> None:
        """Count one frame's results."""
        for result in answer.results:
            if result.code is None:
                self.accepted += 1
            else:
                self.refused += 1
                self.codes.add(result.code)
        self.answers.append((time.perf_counter(), self.accepted))

    def report(self, warm: int) -> dict[str, Any]:
        """Rate from the `warm`th answer to the last one, and the counts."""
        begin, before = self.answers[warm]
        end, after = self.answers[-1]
        return {
            "rate": (after - before) / (end - begin),
            "seconds": end - begin,
            "accepted": self.accepted,
            "refused": self.refused,
            "codes": sorted(self.codes),
        }


Known = tuple[int | None, int]
"""What a node has: the last evidence entry of its corridors, and how many directory leaves."""
NOTHING: Known = (None, 0)


class LineClosed(Exception):
    """The broker has ended the session, or will not begin one."""


class Session:
    """One logged-in line to the broker."""

    def __init__(self, ws: aiohttp.ClientWebSocketResponse, tally: Tally) -> None:
        self._ws = ws
        self._tally = tally

    async def log_in(self, agency: str, key: SigningKey, known: Known = NOTHING) -> Known:
        """Answer the challenge as a node that knows so much; gives what there is to know."""
        asked = await self._frame()
        assert isinstance(asked, Challenge), asked
        nonce = os.urandom(32)
        after, leaves = known
        context = session_context(asked.evidence, asked.nonce, nonce, None, None)
        signature = sign_one(key, SESSION_TYPE, encode(context), os.urandom(32))
        now = system_clock()
        login = Login(agency, key.key_id, nonce, (), after, now, None, signature, leaves)
        await self._ws.send_bytes(encode(login))
        welcome = await self._frame()
        if not isinstance(welcome, Welcome):
            raise LineClosed(f"no welcome but {welcome}")
        return welcome.newest, welcome.leaves

    async def ask(self, frame: bytes) -> Answer:
        """Send one frame and wait for its answer; takes the feed meanwhile."""
        await self._ws.send_bytes(frame)
        while not isinstance(heard := await self._frame(), Answer):
            if isinstance(heard, Feed):
                await self._ws.send_bytes(encode(Ack(heard.next)))
        return heard

    async def push(self, frames: Iterator[bytes], window: int) -> None:
        """Send all frames, at most `window` unanswered; done when every one is answered."""
        open_frames = 0
        for frame in itertools.islice(frames, window):
            await self._ws.send_bytes(frame)
            open_frames += 1
        while open_frames:
            frame = await self._frame()
            if isinstance(frame, Answer):
                self._tally.take(frame)
                following = next(frames, None)
                if following is None:
                    open_frames -= 1
                else:
                    await self._ws.send_bytes(following)
            elif isinstance(frame, Feed):
                await self._ws.send_bytes(encode(Ack(frame.next)))

    async def _frame(self) -> Any:
        message = await self._ws.receive()
        if message.type is not aiohttp.WSMsgType.BINARY:
            raise LineClosed(f"the broker closed the line: {message}")
        return _decoder.decode(message.data)


@asynccontextmanager
async def logged_in(
    url: str, folder: Path, tally: Tally, known: Known
) -> AsyncIterator[tuple[Session, Known]]:
    """An office's line to the broker, and what there was to know when it opened."""
    office = Office(folder)
    key = read_node(office.key_file(Role.NODE, b""))
    async with (
        aiohttp.ClientSession() as http,
        http.ws_connect(
            f"{url}/v1/session", compress=0, max_msg_size=LIMITS.frame_bytes + 65_536
        ) as ws,
    ):
        session = Session(ws, tally)
        yield session, await session.log_in(office.read_agency().agency, key, known)


async def know(url: str, offices: Sequence[Path]) -> dict[str, Any]:
    """What each office's node would have by now: no old entry is brought while it is measured."""
    found = []
    for folder in offices:
        async with logged_in(url, folder, Tally(), NOTHING) as (_, newest):
            found.append(newest)
    return {"known": found}


async def push(
    url: str,
    offices: Sequence[tuple[Path, Known]],
    work: Sequence[Iterator[bytes]],
    window: int,
    warm: int,
) -> dict[str, Any]:
    """Push frames over one session for each office; all begin together."""
    tally = Tally()
    async with AsyncExitStack() as stack:
        sessions = []
        for folder, known in offices:
            line = logged_in(url, folder, tally, known)
            sessions.append((await stack.enter_async_context(line))[0])
        async with asyncio.TaskGroup() as tasks:
            for session, frames in zip(sessions, work, strict=True):
                tasks.create_task(session.push(frames, window))
    return tally.report(warm)


async def answer(command: dict[str, Any]) -> dict[str, Any]:
    """Do what one command says.

    know: {url, offices}: gives {known}, which the other two take.
    push: {url, offices, known, files, window, warm}: frames from files of `write_frames`.
    stream: {url, offices, known, recipient, frames, batch, window, warm}: sealed while sent.
    """
    offices = [Path(one) for one in command["offices"]]
    if command["do"] == "know":
        return await know(command["url"], offices)
    if command["do"] == "push":
        work = [iter(read_frames(Path(one))) for one in command["files"]]
    else:
        now = system_clock()
        sealer = Sealer.of(Office(offices[0]), Office(Path(command["recipient"])), now)
        work = [sealer.frames(command["frames"], command["batch"], now)]
    lines = [
        (folder, (after, leaves))
        for folder, (after, leaves) in zip(offices, command["known"], strict=True)
    ]
    return await push(command["url"], lines, work, command["window"], command["warm"])


def write_frames(path: Path, frames: Iterator[bytes]) -> None:
    """Keep frames for `read_frames`."""
    path.write_bytes(msgspec.msgpack.encode(list(frames)))


def read_frames(path: Path) -> list[bytes]:
    """All frames of a file."""
    return msgspec.msgpack.decode(path.read_bytes(), type=list[bytes])


def main() -> None:
    """Answer commands until the input ends."""
    for line in sys.stdin:
        print(json.dumps(asyncio.run(answer(json.loads(line)))), flush=True)


if __name__ == "__main__":
    main()
