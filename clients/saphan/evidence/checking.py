"""A bundle file judged as any stranger judges it: nothing is read but the file."""

from __future__ import annotations

from pathlib import Path

from saphan_protocol.bundle.content import AttachmentSink
from saphan_protocol.bundle.report import Verdict
from saphan_protocol.bundle.verify import verify_bundle
from saphan_protocol.pins import Pins
from saphan_schemas.bodies import known_types

from saphan.evidence.file import read_bundle


def check_bundle(
    path: Path, pins: Pins | None = None, sink: AttachmentSink | None = None
) -> Verdict:
    """The verdict on a file.

    Args:
        pins: the reader's own, if there are any.
        sink: where the bytes of opened attachments go.

    Raises:
        OperatorError: `file_missing`, `file_unreadable`; InvalidInput: `evidence_foreign`.
    """
    types = {known.name: known.digest for known in known_types()}
    return verify_bundle(read_bundle(path), types, pins, sink)
