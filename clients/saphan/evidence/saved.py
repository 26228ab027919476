"""Attachments of a disclosed bulletin, opened out of its bundle into a folder.

The bundle is read once for the verdict and once for the bytes: nothing is written before it is
known to be right, and nothing but what the verdict was about gets a name.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

from saphan_protocol.bundle.report import Verdict
from saphan_schemas.attachments import MEDIA_TYPES, safe_name
from saphan_schemas.errors import OperatorError

from saphan.durable import FOLDER_MODE
from saphan.evidence.checking import check_bundle
from saphan.saving import Saving


def save_attachments(bundle: Path, verdict: Verdict, folder: Path) -> list[Path]:
    """Write the attachments that opened, each under its own name; which files those are.

    Args:
        verdict: on the bundle; of an invalid one nothing is written.
        folder: made if it is missing.

    Raises:
        OperatorError: `file_exists`, `file_unwritable`, `disk_full`; Unavailable:
            `attachment_cut`: the file has changed meanwhile.
    """
    content = verdict.content
    if content is None or verdict.finding is not None:
        return []
    try:
        folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
    except OSError as error:
        raise OperatorError(
            "file_unwritable", f"{folder} cannot be made: {error.strerror}", field="save"
        ) from None
    with ExitStack() as stack:
        files: dict[int, Saving] = {}
        for number, one in enumerate(content.attachments):
            if one.opened and one.media_type in MEDIA_TYPES:
                name = safe_name(one.name, one.media_type)
                files[number] = stack.enter_context(Saving(folder, name, one.plain))

        def take(number: int, data: bytes) -> None:
            if number in files:
                files[number].write(data)

        check_bundle(bundle, sink=take)
        return [file.finish() for file in files.values()]
