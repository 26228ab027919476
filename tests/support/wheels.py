"""Environments that hold the built wheel as an agency would install it, without a network."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path


def run(command: list[str | Path], folder: Path, **variables: str) -> str:
    """Run a command outside the checkout and return its output; a failure shows all of it."""
    dropped = {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV"}
    environment = {key: value for key, value in os.environ.items() if key not in dropped}
    result = subprocess.run(
        [str(part) for part in command],
        cwd=folder,
        env=environment | variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def build(source: Path, target: str, folder: Path) -> Path:
    """Build `wheel` or `sdist` of a source tree into a folder and return the file."""
    run([sys.executable, "-m", "hatchling", "build", "-t", target, "-d", folder], source)
    (built,) = folder.iterdir()
    return built


def dependencies_of_this_environment() -> str:
    """Where aiohttp, cryptography and the others are. The .pth files there are not followed."""
    return sysconfig.get_path("purelib")


def installed(wheel: Path, folder: Path) -> Path:
    """Make a fresh environment, install the wheel and nothing else; return its bin folder.

    Its dependencies are those of the environment that runs the tests, so no network is needed.
    """
    venv.create(folder, with_pip=False)
    python = folder / "bin" / "python"
    options = ["--no-index", "--no-deps", "--no-warn-script-location", "--quiet"]
    run([sys.executable, "-m", "pip", "--python", python, "install", *options, wheel], folder)
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(dependencies_of_this_environment(), encoding="utf-8")
    return folder / "bin"
