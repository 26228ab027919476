"""The Dockerfile's own steps run outside a container; the form of the rest is checked.

No container engine is needed. Steps that only fetch tools or make the system user are not run.
"""

from __future__ import annotations

import ast
import json
import re
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from support.rooms import ROOT
from support.wheels import dependencies_of_this_environment, run

Instruction = tuple[str, str]

PROJECT_STEPS = re.compile(r"hatchling build|-m venv|/dist/\*\.whl|saphan-broker")
CONTAINER_PATHS = ("/opt/saphan", "/dist", "/src")


def stages() -> list[list[Instruction]]:
    """Instructions of each stage, continued lines joined and comments dropped."""
    text = (ROOT / "docker/Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    found: list[list[Instruction]] = []
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, _, rest = line.partition(" ")
        if name == "FROM":
            found.append([])
        found[-1].append((name, rest.strip()))
    return found


def only(stage: list[Instruction], name: str) -> str:
    (value,) = [rest for instruction, rest in stage if instruction == name]
    return value


def copy_into(root: Path, sources: list[str], target: str) -> None:
    for source in sources:
        if (ROOT / source).is_dir():
            shutil.copytree(ROOT / source, root / target, dirs_exist_ok=True)
        else:
            shutil.copy(ROOT / source, root / target)


def test_build_steps_make_a_broker_that_starts(tmp_path: Path) -> None:
    source = tmp_path / "src"
    source.mkdir()
    tools = f"{Path(sys.executable).parent}:/usr/bin:/bin"
    output, steps = "", 0
    for name, rest in stages()[0]:
        if name == "COPY":
            *sources, target = shlex.split(rest)
            copy_into(source, sources, target)
        elif name == "RUN" and PROJECT_STEPS.search(rest):
            for path in CONTAINER_PATHS:
                rest = rest.replace(path, f"{tmp_path}{path}")
            output = run(
                ["bash", "-euc", rest],
                source,
                PATH=tools,
                PIP_NO_INDEX="1",  # the dependencies are those of this environment
                PIP_NO_DEPS="1",
                PYTHONPATH=dependencies_of_this_environment() if "saphan-broker" in rest else "",
            )
            steps += 1
    assert steps == 4
    assert "saphan-broker" in output


def test_image_runs_without_privileges() -> None:
    stage = stages()[-1]
    user, _, group = only(stage, "USER").partition(":")
    assert int(user) > 0
    assert int(group) > 0
    names = [name for name, _ in stage]
    assert names.index("USER") > max(i for i, name in enumerate(names) if name in {"RUN", "COPY"})
    assert not any(name == "ADD" for part in stages() for name, _ in part)


def test_image_starts_the_broker_on_its_two_volumes() -> None:
    stage = stages()[-1]
    assert json.loads(only(stage, "ENTRYPOINT")) == ["saphan-broker"]
    command = json.loads(only(stage, "CMD"))
    volumes = json.loads(only(stage, "VOLUME"))
    assert command[0] == "run"
    assert [command[command.index(option) + 1] for option in ("--data", "--keys")] == volumes


def test_health_check_asks_the_port_that_is_served() -> None:
    stage = stages()[-1]
    _options, _, command = only(stage, "HEALTHCHECK").partition("CMD ")
    program, option, source = json.loads(command)
    assert (program, option) == ("python", "-c")
    ast.parse(source)
    port = only(stage, "EXPOSE")
    assert f"https://127.0.0.1:{port}/healthz" in source
    assert json.loads(only(stage, "CMD"))[-1].endswith(f":{port}")


def test_both_stages_start_from_the_same_image() -> None:
    images = [only(stage, "FROM").split()[0] for stage in stages()]
    assert len(images) == 2
    assert len(set(images)) == 1
    assert images[0].startswith("python:3.11-slim")


@pytest.mark.parametrize("name", ("constraints.txt", "pyproject.toml", "README.md", "LICENSE"))
def test_what_the_image_copies_is_not_ignored(name: str) -> None:
    kept = (ROOT / "docker/Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert f"!{name}" in kept
