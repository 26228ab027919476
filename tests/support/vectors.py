"""Official vectors, published with the standards; they lie outside the project (SAPHAN_VECTORS)."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

VARIABLE = "SAPHAN_VECTORS"


def official(name: str) -> Any:
    """Parsed JSON of an official vector file, or a skip that says which variable is missing."""
    folder = os.environ.get(VARIABLE)
    if not folder:
        pytest.skip(f"{VARIABLE} is not set: it names the folder of official vectors ({name})")
    return json.loads((Path(folder) / name).read_text(encoding="utf-8"))
