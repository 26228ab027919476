"""In which files of several folders something is left of what was destroyed."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from support.traces import traces


def found_in(folders: Iterable[Path], secrets: Iterable[bytes]) -> set[Path]:
    """Files in which some 32 bytes in a row of a secret stand: one of them for each secret."""
    named = {str(at): secret for at, secret in enumerate(secrets)}
    return {folder / path for folder in folders for path in traces(folder, named).values()}
