"""The Dockerfile's own steps run outside a container; the form of the rest is checked.

No container engine is needed. Steps that only fetch tools or make the system user are not run.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.broker_command import PATIENCE, broker_line, init_broker
from support.rooms import ROOT
from support.servers import free_port
from support.wheels import dependencies_of_this_environment, run

Instruction = tuple[str, str]

PROJECT_STEPS = re.compile(r"hatchling build|-m venv|/dist/\*\.whl|saphan-broker")
CONTAINER_PATHS = ("/opt/saphan", "/dist", "/src")


def text() -> str:
    return (ROOT / "docker/Dockerfile").read_text(encoding="utf-8")


def stages() -> list[list[Instruction]]:
    """Instructions of each stage, continued lines joined and comments dropped."""
    lines = [line for line in text().splitlines() if line.strip() and not line.startswith("#")]
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


def test_its_command_and_health_check_run(tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.mkdir()
    init_broker(made)
    stage, port = stages()[-1], free_port()
    served = only(stage, "EXPOSE")
    places = {
        "/var/lib/saphan": str(made),
        f"0.0.0.0:{served}": f"127.0.0.1:{port}",
        f"127.0.0.1:{served}": f"127.0.0.1:{port}",
    }
    places |= {"/opt/saphan/probe.py": f"{ROOT}/docker/probe.py", "python": sys.executable}

    def outside(words: list[str]) -> list[str]:
        for inside, here in places.items():
            words = [word.replace(inside, here) for word in words]
        return words

    assert "COPY docker/probe.py /opt/saphan/probe.py" in text()
    _options, _, check = only(stage, "HEALTHCHECK").partition("CMD ")
    probe = outside(json.loads(check))
    assert subprocess.run(probe, check=False, capture_output=True).returncode == 1
    command = broker_line(*outside(json.loads(only(stage, "CMD"))), "--json")
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as broker:
        try:
            assert broker.stdout is not None
            assert json.loads(broker.stdout.readline())["url"] == f"https://127.0.0.1:{port}"
            assert run([*probe], tmp_path) == '{"alive": true}\n'
        finally:
            broker.send_signal(getattr(signal, only(stage, "STOPSIGNAL")))
            assert broker.wait(timeout=PATIENCE) == 0


def test_both_stages_start_from_the_same_image() -> None:
    images = [only(stage, "FROM").split()[0] for stage in stages()]
    assert len(images) == 2
    assert len(set(images)) == 1
    assert images[0].startswith("python:3.11-slim")


@pytest.mark.parametrize(
    "name", ("constraints.txt", "pyproject.toml", "README.md", "LICENSE", "docker/probe.py")
)
def test_what_the_image_copies_is_not_ignored(name: str) -> None:
    kept = (ROOT / "docker/Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    assert f"!{name}" in kept
