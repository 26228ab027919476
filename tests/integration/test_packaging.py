"""What is built is what was written: the wheel comes out of the sdist whole, installs and runs."""

from __future__ import annotations

import tarfile
import zipfile
from pathlib import Path

import pytest
from support.rooms import PACKAGES, ROOT, tracked_files
from support.wheels import build, installed, run


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from the unpacked sdist, as a distributor would."""
    folder = tmp_path_factory.mktemp("build")
    sdist = build(ROOT, "sdist", folder / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder / "source", filter="data")
    (source,) = (folder / "source").iterdir()
    return build(source, "wheel", folder / "wheel")


@pytest.fixture(scope="module")
def bin_folder(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return installed(wheel, tmp_path_factory.mktemp("environment") / "venv")


def test_wheel_holds_every_file_of_the_packages_and_nothing_else(wheel: Path) -> None:
    expected = {
        f"{package}/{path.relative_to(folder)}"
        for package, folder in PACKAGES.items()
        for path in tracked_files()
        if path.is_relative_to(folder)
    }
    with zipfile.ZipFile(wheel) as archive:
        held = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert held == expected
    assert {f"{package}/py.typed" for package in PACKAGES} <= held
    assert any(name.startswith("saphan_schemas/") and name.endswith(".json") for name in held)


def test_wheel_carries_licence_and_both_programs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = {name.rpartition(".dist-info/")[2]: name for name in archive.namelist()}
        assert archive.read(names["licenses/LICENSE"]) == (ROOT / "LICENSE").read_bytes()
        programs = archive.read(names["entry_points.txt"]).decode()
    assert "saphan = saphan.cli.main:main" in programs
    assert "saphan-broker = saphan_broker.cli.main:main" in programs


@pytest.mark.parametrize("program", ("saphan", "saphan-broker"))
def test_program_starts_from_the_wheel(bin_folder: Path, tmp_path: Path, program: str) -> None:
    assert program in run([bin_folder / program, "--help"], tmp_path)


def test_sdk_imports_from_the_wheel(bin_folder: Path, tmp_path: Path) -> None:
    source = "import saphan; from saphan import Node; print(Node.__name__, saphan.__file__)"
    name, path = run([bin_folder / "python", "-c", source], tmp_path).split()
    assert name == "Node"
    assert Path(path).is_relative_to(bin_folder.parent)


def test_the_officers_page_comes_out_of_the_wheel(wheel: Path, bin_folder: Path) -> None:
    """Templates, style, scripts and letters, with the licences of what others made."""
    source = (
        "from saphan.web.rendering.environment import environment\n"
        "from saphan.web.static_files import files\n"
        "assert environment().get_template('base.html')\n"
        "print(*sorted(files()))"
    )
    names = run([bin_folder / "python", "-c", source], bin_folder).split()
    assert {"page.css", "page.js", "vendor/idiomorph.js"} < set(names)
    assert [name for name in names if name.endswith(".woff2")]
    with zipfile.ZipFile(wheel) as archive:
        held = archive.namelist()
    for licence in ("idiomorph.LICENSE", "OFL.txt"):
        assert [name for name in held if ".dist-info/licenses/" in name and licence in name]
