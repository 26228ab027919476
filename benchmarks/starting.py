"""How long it takes before anything is done: `import saphan`, `saphan --help`."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Final

BARE: Final = ("-c", "pass")
IMPORT: Final = ("-c", "import saphan")
HELP: Final = ("-m", "saphan", "--help")


def measure() -> dict[str, float]:
    """Milliseconds: of the interpreter alone, of the import beyond that, of the whole command."""
    bare, imported, helped = (_milliseconds(*words) for words in (BARE, IMPORT, HELP))
    return {"python_ms": bare, "import_ms": imported - bare, "help_ms": helped}


def _milliseconds(*words: str) -> float:
    begin = time.perf_counter()
    subprocess.run([sys.executable, *words], check=True, stdout=subprocess.DEVNULL)
    return (time.perf_counter() - begin) * 1000
