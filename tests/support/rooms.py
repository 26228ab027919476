"""The rooms of the project: where its files are, and which package may import which."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PACKAGES = {
    "saphan_schemas": ROOT / "schemas/saphan_schemas",
    "saphan_protocol": ROOT / "protocol/saphan_protocol",
    "saphan_broker": ROOT / "broker/saphan_broker",
    "saphan": ROOT / "clients/saphan",
}

MAY_IMPORT = {
    "saphan_schemas": {"saphan_schemas"},
    "saphan_protocol": {"saphan_schemas", "saphan_protocol"},
    "saphan_broker": {"saphan_schemas", "saphan_protocol", "saphan_broker"},
    "saphan": {"saphan_schemas", "saphan_protocol", "saphan"},
}

PURE = ("saphan_schemas", "saphan_protocol")
"""No clock, randomness, files or sockets there: `now`, salts, nonces and seeds are parameters."""

CONTAINERS = ("schemas", "protocol", "broker", "clients", "tests", "demo", "benchmarks", "docker")


def modules(package: str) -> dict[str, Path]:
    """Dotted name of every module of a package, with its file."""
    found = {}
    for path in sorted(PACKAGES[package].rglob("*.py")):
        parts = [package, *path.relative_to(PACKAGES[package]).with_suffix("").parts]
        if parts[-1] == "__init__":
            parts.pop()
        found[".".join(parts)] = path
    return found


def tracked_files() -> list[Path]:
    """Every file of the project: what git tracks or would track; in an unpacked sdist, all."""
    if (ROOT / ".git").exists():
        command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
        listing = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
        paths = [ROOT / name for name in listing.stdout.split("\0") if name]
    else:
        paths = [path for path in ROOT.rglob("*") if "__pycache__" not in path.parts]
    return [path for path in sorted(paths) if path.is_file()]


def python_files() -> list[Path]:
    return [path for path in tracked_files() if path.suffix == ".py"]
