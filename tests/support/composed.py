"""docker/compose.yaml, and its commands with paths, hosts and ports of this machine."""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ruamel.yaml import YAML

from support.rooms import ROOT

FOLDER: Final = ROOT / "docker"
VARIABLE: Final = re.compile(r"\$\{(\w+):-([^}]*)\}")


def read(name: str) -> Any:
    """A YAML file of docker/, merge keys resolved."""
    return YAML(typ="safe").load((FOLDER / name).read_text(encoding="utf-8"))


def services() -> dict[str, dict[str, Any]]:
    """The services of compose.yaml by name."""
    found: dict[str, dict[str, Any]] = read("compose.yaml")["services"]
    return found


@dataclass(frozen=True)
class Outside:
    """Where the containers' files are when their commands run on this machine.

    Args:
        place: a folder for volumes and secrets.
        ports: of each service, the port on this machine for each of its own.
    """

    place: Path
    ports: dict[tuple[str, int], int]

    def make_secrets(self) -> None:
        """By the program that the operator runs."""
        command = ["sh", str(FOLDER / "make-secrets"), str(self.place / "secrets")]
        subprocess.run(command, check=True, capture_output=True)

    def words(self, service: dict[str, Any], command: list[str]) -> list[str]:
        """A command with this machine's paths, hosts and ports, variables at their defaults."""
        paths = self._paths(service)
        found = [self._word(VARIABLE.sub(r"\2", word), paths) for word in command]
        for at, word in enumerate(found[:-2]):
            if word == "--replicaof":
                port = self.ports[found[at + 1], int(found[at + 2])]
                found[at + 1 : at + 3] = ["127.0.0.1", str(port)]
        return found

    def file(self, service: dict[str, Any], path: str) -> Path:
        """A copy of a file that is mounted into a container, with this machine's paths."""
        source: Path = next(
            FOLDER / mount.split(":")[0]
            for mount in service["volumes"]
            if mount.split(":")[1] == path
        )
        paths = self._paths(service)
        lines = source.read_text(encoding="utf-8").splitlines()
        copy = self.place / source.name
        copy.write_text("\n".join(self._word(line, paths) for line in lines) + "\n")
        return copy

    def _paths(self, service: dict[str, Any]) -> dict[str, Path]:
        found = {
            f"/run/secrets/{name}": self.place / "secrets" / name for name in service["secrets"]
        }
        for mount in service["volumes"]:
            name, path = mount.split(":")[:2]
            if not name.startswith("."):
                found[path] = self.place / name
                found[path].mkdir(mode=0o700, exist_ok=True)
        return found

    def _word(self, word: str, paths: dict[str, Path]) -> str:
        for path, here in paths.items():
            word = re.sub(rf"(^|[ =]){re.escape(path)}(?=/|$)", rf"\g<1>{here}", word)
        for (name, port), outside in self.ports.items():
            word = word.replace(f"://{name}:{port}", f"://127.0.0.1:{outside}")
        return word
