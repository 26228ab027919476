"""`make demo`: two agencies and a broker on this machine exchange bulletins.

Exit status: 0 all went as told; 1 something did not, and the message says what and where the logs
are; 130 interrupted.
"""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Sequence

from pictures import Screen
from saphan_schemas.errors import SaphanError
from stage import DemoFailed, Stage, set_up
from story import Story


def main(argv: Sequence[str] | None = None) -> int:
    """Play the story once in a fresh temporary folder."""
    parser = argparse.ArgumentParser(prog="demo", description="Two agencies exchange bulletins.")
    parser.add_argument("--keep", action="store_true", help="keep the folder, to look at it")
    parser.add_argument(
        "--stay", action="store_true", help="open both desks at the end, and wait for Ctrl-C"
    )
    asked = parser.parse_args(argv)
    # Whoever ends the demo must not leave its programs behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    screen, started = Screen(), time.monotonic()
    try:
        with set_up(screen.tick) as stage:
            return _perform(stage, screen, asked, started)
    except OSError as error:
        screen.failed(f"{error.filename}: {error.strerror}", ["TMPDIR names another folder"])
        return 1


def _perform(stage: Stage, screen: Screen, asked: argparse.Namespace, started: float) -> int:
    try:
        _play(stage, screen, asked)
    except KeyboardInterrupt:
        stage.keep = False
        screen.failed("interrupted", [])
        return 130
    except (DemoFailed, SaphanError, OSError) as error:
        screen.failed(str(error), [f"the programs' logs are in {stage.logs}"])
        return 1
    stage.keep = asked.keep
    screen.good(f"Done in {time.monotonic() - started:.0f} s.")
    return 0


def _play(stage: Stage, screen: Screen, asked: argparse.Namespace) -> None:
    fate = (
        "stays"
        if asked.keep
        else "removed at the end; to keep it: .venv/bin/python demo/run.py --keep"
    )
    screen.title(
        "Saphan: two prosecutors' offices, and a bridge between them that cannot read",
        (
            "Independent project, not endorsed by the offices named. Exercise data.",
            f"Folder of this run: {stage.root} ({fate})",
        ),
    )
    Story(stage, screen, asked.stay).play()


if __name__ == "__main__":
    sys.exit(main())
