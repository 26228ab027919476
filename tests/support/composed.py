"""docker/compose.yaml, and its commands with paths, hosts and ports of this machine."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry
from ruamel.yaml import YAML

from support.rooms import ROOT
from support.servers import need

FOLDER: Final = ROOT / "docker"
STORE_PORT: Final = 6379
PATIENCE: Final = 30.0
ONCE: Final = Retry(NoBackoff(), 0)
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
    """Where the containers' files and ports are when their commands run on this machine.

    Args:
        place: a folder for volumes and secrets; short, because Unix sockets have short names.
        ports: port on this machine of (service, its own port).
    """

    place: Path
    ports: dict[tuple[str, int], int]

    def make_secrets(self) -> None:
        """By the program that the operator runs."""
        command = ["sh", str(FOLDER / "make-secrets"), str(self.place / "secrets")]
        subprocess.run(command, check=True, capture_output=True)

    def words(self, name: str, command: list[str]) -> list[str]:
        """A command with this machine's paths, hosts and ports, variables at their defaults."""
        paths = self._paths(services()[name])
        plain = [VARIABLE.sub(r"\2", word) for word in command]
        found = [self._address(name, self._path(word, paths)) for word in plain]
        for at, word in enumerate(found[:-2]):
            if word == "--replicaof":
                port = self.ports[found[at + 1], int(found[at + 2])]
                found[at + 1 : at + 3] = ["127.0.0.1", str(port)]
        return found

    def file(self, name: str, path: str) -> Path:
        """A copy of a file that is mounted into a container, with this machine's paths."""
        mounts = [mount.split(":") for mount in services()[name]["volumes"]]
        source: Path = next(FOLDER / mount[0] for mount in mounts if mount[1] == path)
        paths = self._paths(services()[name])
        lines = source.read_text(encoding="utf-8").splitlines()
        copy = self.place / f"{name}-{source.name}"
        copy.write_text("\n".join(self._path(line, paths) for line in lines) + "\n")
        return copy

    def _paths(self, service: dict[str, Any]) -> dict[str, Path]:
        secrets = self.place / "secrets"
        found = {f"/run/secrets/{name}": secrets / name for name in service["secrets"]}
        found["/opt/saphan/probe.py"] = FOLDER / "probe.py"
        for mount in service["volumes"]:
            name, path = mount.split(":")[:2]
            if not name.startswith("."):
                found[path] = self.place / name
                found[path].mkdir(mode=0o700, exist_ok=True)
        return found

    def _path(self, word: str, paths: dict[str, Path]) -> str:
        for path, here in paths.items():
            word = re.sub(rf"(^|[ =]){re.escape(path)}(?=/|$)", rf"\g<1>{here}", word)
        return word

    def _address(self, name: str, word: str) -> str:
        for (service, port), outside in self.ports.items():
            word = word.replace(f"://{service}:{port}", f"://127.0.0.1:{outside}")
            if service == name:
                for host in ("0.0.0.0", "127.0.0.1"):  # noqa: S104
                    word = word.replace(f"{host}:{port}", f"127.0.0.1:{outside}")
        return word


@contextmanager
def store(outside: Outside, name: str, swapped: bool = False) -> Iterator[subprocess.Popen[bytes]]:
    """A Valkey server as the file starts it; only its address is this machine's."""
    changed = read("compose.swapped.yaml")["services"] if swapped else services()
    program, configuration, *words = changed[name]["command"]
    assert program == "valkey-server"
    here = ["--bind", "127.0.0.1", "--port", str(outside.ports[name, STORE_PORT])]
    command = [need("valkey"), str(outside.file(name, configuration)), *outside.words(name, words)]
    log = outside.place / f"{name}.log"
    with log.open("ab") as output:
        process = subprocess.Popen([*command, *here], stdout=output, stderr=output)
    try:
        until(lambda: well(outside, name), log)
        yield process
    finally:
        process.terminate()
        process.wait(PATIENCE)


def until(done: Callable[[], bool], log: Path) -> None:
    """Look again and again; what the log says is shown when it takes for ever."""
    end = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < end, log.read_text(errors="replace")
        time.sleep(0.01)


def store_client(outside: Outside, name: str, user: str, password: str) -> redis.Redis:
    """Somebody who asks a store once and does not try again."""
    return redis.Redis(
        port=outside.ports[name, STORE_PORT], username=user, password=password, retry=ONCE
    )


def well(outside: Outside, name: str) -> bool:
    """What the service's health check looks for, asked by the user that it asks as."""
    test = services()[name]["healthcheck"]["test"]
    assert "--user probe --pass any " in test[1]
    assert test[1].endswith(" role | grep -qE '^(master|connected)$$'")
    try:
        with store_client(outside, name, "probe", "any") as probe:
            role = probe.execute_command("ROLE")
    except (redis.ConnectionError, redis.BusyLoadingError):
        return False
    return b"master" in role or b"connected" in role
