"""A broker process as far as attachments go: brings, settles and forgets them, saying what it did.

Arguments: what to do; where (a folder for files, `objects:FOLDER`, or `s3:URL ENDPOINT CREDENTIALS`
in one argument); the agency; how many bulletins; bytes of a part.

`work`  brings and settles bulletin after bulletin, the same ones in every process.
`lock`  holds the agency's lock until it is killed.
`puts`  puts and deletes the same few objects, again and again.
`large` brings attachments of 16 MiB and reads them, and says how much memory that took, KiB.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from hashlib import sha256
from pathlib import Path

from saphan_broker.blobs.base import Attachments
from saphan_broker.blobs.files import LOCKS
from saphan_broker.blobs.in_objects import ObjectAttachments
from saphan_broker.blobs.locks import Locks
from saphan_broker.blobs.store import BlobStore
from saphan_broker.objects.base import Objects
from saphan_broker.objects.directory import DirectoryObjects
from saphan_broker.objects.place import objects_from
from saphan_schemas.errors import Unavailable
from saphan_schemas.limits import KIB, LIMITS, MIB
from saphan_schemas.records import Blob

SIZE = 90_000
TEXTS = tuple(bytes([at]) * 70_000 for at in range(4))


def letters(count: int) -> Iterator[tuple[bytes, bytes, Blob]]:
    """Bulletins (id, data, blob) that every process knows."""
    for at in range(count):
        data = bytes([at % 251]) * SIZE + at.to_bytes(4, "big")
        yield sha256(b"%d" % at).digest(), data, Blob(len(data), sha256(data).digest())


def clock() -> int:
    return time.time_ns() // 1_000_000


def open_objects(where: str) -> Objects:
    if where.startswith("objects:"):
        return DirectoryObjects(Path(where.removeprefix("objects:")))
    url, endpoint, credentials = where.removeprefix("s3:").split()
    return objects_from(url, endpoint=endpoint, credentials=Path(credentials))


def open_attachments(where: str) -> Attachments:
    if ":" in where:
        return ObjectAttachments(open_objects(where), clock)
    return BlobStore(Path(where), clock, shared=True)


async def bring(store: Attachments, agency: str, data: bytes, blob: Blob, part: int) -> None:
    (held,) = await store.held(agency, (blob,))
    while held < blob.length:
        held = await store.append(agency, blob, held, data[held : held + part])
        print("held", held, flush=True)


async def work(where: str, agency: str, count: int, part: int) -> None:
    store = open_attachments(where)
    for bulletin, data, blob in letters(count):
        while True:  # as a node does: another process may have forgotten what it had brought
            await bring(store, agency, data, blob, part)
            try:
                await store.settle(agency, bulletin, (blob,))
                break
            except Unavailable as error:
                if error.code != "attachment_missing":
                    raise
        print("settled", bulletin.hex(), flush=True)
        await store.forget(agency, bulletin, (blob,))
    store.close()


def lock(where: str, agency: str) -> None:
    with ExitStack() as stack:
        stack.enter_context(Locks(Path(where) / LOCKS).agency(agency))
        print("locked", flush=True)
        sys.stdin.read()


async def puts(where: str, count: int) -> None:
    objects = open_objects(where)
    for at in range(count):
        name = f"folder/{at % 2}/object"
        await objects.put(name, TEXTS[at % len(TEXTS)])
        found = await objects.get(name)
        assert found is None or found in TEXTS
        print("put", flush=True)
        if at % 3 == 0:
            await objects.delete(name)
    await objects.close()


async def large(where: str, agency: str, count: int) -> None:
    """The test makes no whole attachment either: only what a session would have of it."""
    store = open_attachments(where)
    before = 0
    for at in range(count + 1):
        size = LIMITS.attachment_bytes if at else MIB  # the first one loads whatever is loaded once
        piece = bytes([at]) * MIB
        found = sha256()
        for _ in range(size // MIB):
            found.update(piece)
        blob = Blob(size, found.digest())
        held = 0
        while held < size:
            held = await store.append(agency, blob, held, piece)
        await store.settle(agency, bytes([at]) * 32, (blob,))
        while held:
            held -= len(await store.read(bytes([at]) * 32, 0, size - held, 128 * KIB))
        before = before or peak()
    print("took", peak() - before, flush=True)


def peak() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0])


if __name__ == "__main__":
    what, place, who, bulletins, size = sys.argv[1:6]
    if what == "work":
        asyncio.run(work(place, who, int(bulletins), int(size)))
    elif what == "large":
        asyncio.run(large(place, who, int(bulletins)))
    elif what == "puts":
        asyncio.run(puts(place, int(bulletins)))
    else:
        lock(place, who)
    print("done", flush=True)
