"""A headless Chromium, and ink: how alike two printed pages are."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

DPI: Final = 110
DARK: Final = 128
PAIR: Final = ("chromium", "pdftoppm")


def browser_or_skip() -> None:
    """Skip the test without a browser; where `.ci/setup` installs one, it must be there."""
    missing = [name for name in PAIR if shutil.which(name) is None]
    if not missing:
        return
    if os.environ.get("CI") and os.geteuid() == 0 and shutil.which("apt-get"):
        pytest.fail(f"{missing} missing, though .ci/setup installs them here")
    pytest.skip("no browser here (Debian: apt-get install chromium poppler-utils)")


def run_browser(folder: Path, *arguments: str) -> str:
    """What one run of the browser prints; it has a profile of its own and no network."""
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    command += ["--proxy-server=127.0.0.1:9", "--disable-dev-shm-usage"]
    command += [f"--user-data-dir={folder / 'profile'}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout


def print_page(page: Path, out: Path) -> None:
    """Print an HTML file as the browser does, sheets as large as the page says."""
    run_browser(
        out.parent, "--no-pdf-header-footer", f"--print-to-pdf={out}", f"file://{page.resolve()}"
    )


def sheets(pdf: Path) -> list[list[bytes]]:
    """The ink of each sheet: rows of grey pixels, cut to what is not white."""
    made = pdf.parent / f"{pdf.stem}-sheets"
    made.mkdir()
    command = ["pdftoppm", "-gray", "-r", str(DPI), str(pdf), str(made / "p")]
    subprocess.run(command, capture_output=True, check=True, timeout=120)
    return [_cut(list(_rows(path.read_bytes()))) for path in sorted(made.iterdir())]


def difference(one: list[bytes], other: list[bytes]) -> float:
    """Share of the ink that the other picture does not have within a pixel, 0 to 1."""
    if not one or not other:
        return 1.0
    lost = sum(_lost(a, b) for a, b in ((one, other), (other, one)))
    return lost / (_ink(one) + _ink(other))


def _rows(image: bytes) -> Iterator[bytes]:
    """Rows of a PGM file (P5, one byte a pixel)."""
    kind, width, _height, depth, pixels = image.split(maxsplit=4)
    assert (kind, depth) == (b"P5", b"255")
    step = int(width)
    yield from (pixels[at : at + step] for at in range(0, len(pixels), step))


def _cut(rows: list[bytes]) -> list[bytes]:
    inked = [at for at, row in enumerate(rows) if min(row) < DARK]
    if not inked:
        return []
    kept = rows[inked[0] : inked[-1] + 1]
    columns = [min(column) < DARK for column in zip(*kept, strict=True)]
    first, last = columns.index(True), len(columns) - columns[::-1].index(True)
    return [row[first:last] for row in kept]


def _ink(rows: list[bytes]) -> int:
    return sum(pixel < DARK for row in rows for pixel in row)


def _lost(one: list[bytes], other: list[bytes]) -> int:
    """Dark pixels without a dark one near their place in the other picture."""
    near = {
        (x + dx, y + dy)
        for y, row in enumerate(other)
        for x, pixel in enumerate(row)
        if pixel < DARK
        for dx in (-1, 0, 1)
        for dy in (-1, 0, 1)
    }
    dark = ((x, y) for y, row in enumerate(one) for x, pixel in enumerate(row) if pixel < DARK)
    return sum(place not in near for place in dark)
