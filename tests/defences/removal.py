"""One defence taken out of a package, and the test of THREAT_MODEL.md that has to notice."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from support.rooms import ROOT

PROVEN_S = 300


@dataclass(frozen=True, slots=True)
class Removal:
    """What is taken out.

    Args:
        threat: the first cell of its line in THREAT_MODEL.md, word for word.
        file: path from the root of the project; was: a piece of it that stands there once.
        becomes: what stands there without the defence: a program that still runs.
        test: of that line, by its name there.
        notices: a piece of what the test prints when it fails, that it would not print for
            another reason.
    """

    threat: str
    file: str
    was: str
    becomes: str
    test: str
    notices: str

    def changed(self) -> str:
        """The file without the defence."""
        text = (ROOT / self.file).read_text(encoding="utf-8")
        assert text.count(self.was) == 1, f"{self.file} has this {text.count(self.was)} times"
        return text.replace(self.was, self.becomes)

    def run(self, place: Path) -> subprocess.CompletedProcess[str]:
        """The test, with the package of the changed file as it would be without the defence.

        Args:
            place: an empty folder; a copy of the package stands there, before the real one on the
                path of this process and of all that it starts.
        """
        package = Path(self.file).parts[:2]
        shutil.copytree(ROOT.joinpath(*package), place / package[1])
        (place / Path(*Path(self.file).parts[1:])).write_text(self.changed(), encoding="utf-8")
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
        return subprocess.run(
            [*command, self.test],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": str(place)},
            capture_output=True,
            text=True,
            timeout=PROVEN_S,
            check=False,
        )
