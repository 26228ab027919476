"""A bulletin's evidence for an officer's desk: recorded as an export, then made, then given.

1. The rules show the bulletin to this officer, and the log says something about it.
2. What the store lacks is fetched; what cannot be fetched now is a gap that the bundle names.
3. The export is durable here, and on its way to the log, before the bundle is made.
4. The bundle is made without its key: it proves who sent what to whom and when, and opens nothing.
   Giving a key away is the keeper's decision (`Disclosing`), and no desk's.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from io import BufferedReader
from pathlib import Path
from typing import Any, Final

import msgspec
from saphan_schemas.desk_frames import AskEvidence, AskEvidencePart, DeskAnswer, DeskPart
from saphan_schemas.errors import InvalidInput, OperatorError, SaphanError
from saphan_schemas.exports import BUNDLED
from saphan_schemas.limits import MIB

from saphan.durable import make_folder
from saphan.node.bulletins import unknown
from saphan.node.desks.login import DeskPeer
from saphan.node.officers.showings import STATUS
from saphan.node.service import NodeService

FOLDER: Final = "evidence-made"
"""In the node's data: bundles while they are made. Afterwards they have no name any more."""


class DeskEvidence:
    """The evidence of one session; `close` when it is over."""

    def __init__(self, service: NodeService, peer: DeskPeer) -> None:
        self._service = service
        self._peer = peer
        self._made: tuple[bytes, BufferedReader] | None = None

    async def make(self, asked: AskEvidence) -> DeskAnswer:
        """`length` and `sha256` of the bundle, and how many gaps it names; parts come next.

        Raises:
            InvalidInput: `bulletin_unknown`. OperatorError: the store, the disk,
                `evidence_headless`.
        """
        service, bulletin = self._service, asked.bulletin
        await self.close()
        await service.engine.in_reading(partial(self._check, bulletin))
        write = self._writing(bulletin, asked.attachments)
        with contextlib.suppress(SaphanError):
            await service.evidence.prepare(bulletin)
        await service.engine.in_sealing(partial(self._record, bulletin))
        service.line.wake_statements()
        file, told = await asyncio.to_thread(write)
        self._made = (bulletin, file)
        return DeskAnswer(asked.request, msgspec.json.encode({"id": bulletin.hex(), **told}))

    async def part(self, asked: AskEvidencePart) -> DeskPart:
        """The next bytes of what was made last.

        Raises:
            InvalidInput: `evidence_unmade`.
        """
        if self._made is None or self._made[0] != asked.bulletin:
            raise InvalidInput(
                "evidence_unmade",
                "no evidence of this bulletin was made in this session",
                field="bulletin",
                hint="ask for the evidence first",
            )
        await self._service.engine.in_reading(partial(self._check_shown, asked.bulletin))
        file = self._made[1]

        def take() -> bytes:
            file.seek(asked.offset)
            return file.read(asked.length)

        return DeskPart(asked.request, await asyncio.to_thread(take))

    async def close(self) -> None:
        """Let go of what was made: it has no name, so nothing of it stays."""
        made, self._made = self._made, None
        if made is not None:
            await asyncio.to_thread(made[1].close)

    # --- inside -----------------------------------------------------------------------------------

    def _check(self, bulletin: bytes) -> None:
        """Step 1."""
        self._check_shown(bulletin)
        query = "SELECT 1 FROM entries WHERE bulletin = ? LIMIT 1"
        if self._service.db.row(query, (bulletin,)) is None:
            raise unknown(bulletin)

    def _check_shown(self, bulletin: bytes) -> None:
        self._service.clearance.viewer(self._peer.handle).check(bulletin)

    def _record(self, bulletin: bytes) -> None:
        """Step 3."""
        self._service.showings.note(self._peer.handle, STATUS, [bulletin])
        by = f"desk:{self._peer.handle}"
        self._service.subjects.exports.note(bulletin, BUNDLED, by)

    def _writing(
        self, bulletin: bytes, attachments: bool
    ) -> Callable[[], tuple[BufferedReader, dict[str, Any]]]:
        """Step 4, to be run in a thread.

        Raises:
            OperatorError: `evidence_unmade` before anything is recorded.
        """
        service, now = self._service, self._service.config.clock()
        bundles, folder = service.config.bundles, service.config.data / FOLDER
        if bundles is None:
            raise OperatorError(
                "evidence_unmade",
                "this node makes no evidence for desks",
                field="node",
                hint="ask its keeper: saphan evidence export",
            )

        def write() -> tuple[BufferedReader, dict[str, Any]]:
            make_folder(folder)
            with tempfile.TemporaryDirectory(dir=folder) as place:
                path, pins = Path(place) / "bundle", service.logs.pins
                left_out = bundles(
                    service.config.data, service.agency, pins, bulletin, path, now, attachments
                )
                file = open(path, "rb")  # noqa: SIM115 (closed with the session)
            length = os.fstat(file.fileno()).st_size
            return file, {"length": length, "sha256": _digest(file), "left_out": left_out}

        return write


def destroy_made(data: Path) -> None:
    """Take away what a crash has left of bundles; before any session. Blocking."""
    shutil.rmtree(data / FOLDER, ignore_errors=True)


def _digest(file: BufferedReader) -> str:
    digest = hashlib.sha256()
    while data := file.read(MIB):
        digest.update(data)
    return digest.hexdigest()
