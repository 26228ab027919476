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
PAIR: Final = ("chromium", "pdftoppm")
_DARK: Final = bytes(ord("1") if grey < 128 else ord("0") for grey in range(256))

Ink = list[int]
"""A sheet, cut to what is not white: a number for each row, whose bits are its pixels, the
lowest one leftmost, 1 where dark."""


def browser_or_skip(programs: tuple[str, ...] = PAIR) -> None:
    """Skip the test without a browser; where `.ci/setup` installs one, it must be there."""
    missing = [name for name in programs if shutil.which(name) is None]
    if not missing:
        return
    if os.environ.get("CI") and os.geteuid() == 0 and shutil.which("apt-get"):
        pytest.fail(f"{missing} missing, though .ci/setup installs them here: see what it said")
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


def sheets(pdf: Path) -> list[Ink]:
    """The ink of each sheet."""
    made = pdf.parent / f"{pdf.stem}-sheets"
    made.mkdir()
    command = ["pdftoppm", "-gray", "-r", str(DPI), str(pdf), str(made / "p")]
    subprocess.run(command, capture_output=True, check=True, timeout=120)
    return [_cut(list(_rows(path.read_bytes()))) for path in sorted(made.iterdir())]


def difference(one: Ink, other: Ink) -> float:
    """Share of the ink that the other picture does not have within a pixel, 0 to 1."""
    if not one or not other:
        return 1.0
    lost = sum(_lost(a, b) for a, b in ((one, other), (other, one)))
    return lost / (_amount(one) + _amount(other))


def _rows(image: bytes) -> Iterator[int]:
    """Rows of a PGM file (P5, one byte a pixel)."""
    kind, width, _height, depth, pixels = image.split(maxsplit=4)
    assert (kind, depth) == (b"P5", b"255")
    step, dark = int(width), pixels.translate(_DARK)
    yield from (int(dark[at : at + step][::-1], 2) for at in range(0, len(dark), step))


def _cut(rows: Ink) -> Ink:
    """From the first dark row to the last one, and from the first dark column on."""
    inked = [at for at, row in enumerate(rows) if row]
    if not inked:
        return []
    kept, columns = rows[inked[0] : inked[-1] + 1], 0
    for row in kept:
        columns |= row
    free = (columns & -columns).bit_length() - 1
    return [row >> free for row in kept]


def _amount(ink: Ink) -> int:
    return sum(row.bit_count() for row in ink)


def _lost(one: Ink, other: Ink) -> int:
    """Dark pixels without a dark one near their place in the other picture."""
    wide = [0, *(row << 1 | row | row >> 1 for row in other), 0]
    near = [wide[at] | wide[at + 1] | wide[at + 2] for at in range(len(other))]
    near += [wide[-2], *(0 for _ in one)]
    return sum((row & ~close).bit_count() for row, close in zip(one, near, strict=False))
