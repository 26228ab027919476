"""Real sentinels over a real primary with replicas, by the same programs as the servers."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import redis
from saphan_broker.store.redis.address import RedisAddress

from support.servers import START_S, Engine, Server, cluster_of, free_port, need, wait_until

NAME = "bridge"
"""What the sentinels call the primary."""
DOWN_MS = 1_000
"""Without an answer for so long it is gone; an operator takes more."""


@dataclass
class Sentinel:
    """One sentinel process.

    Args:
        lines: more of its configuration.
    """

    directory: Path
    engine: Engine
    primary: Server
    lines: tuple[str, ...] = ()
    password: str | None = None
    tls: Mapping[str, Path] | None = None
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> Sentinel:
        """Start, and wait until it answers."""
        self.directory.mkdir(parents=True)
        self.port = self.port or free_port()
        with (self.directory / "sentinel.log").open("ab") as log:
            self.process = subprocess.Popen(
                [f"{self.engine}-sentinel", str(self._configuration()), "--sentinel"],
                executable=need(self.engine),
                cwd=self.directory,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )
        wait_until(self._up)
        return self

    def pause(self) -> None:
        """It sees nothing and says nothing."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        """An end without a last word; idempotent."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(timeout=START_S)
            self.process = None

    def client(self) -> redis.Redis:
        """What the test looks in with; blocks."""
        sealed: dict[str, Any] = {}
        if self.tls is not None:
            words = {"ca-cert": "ssl_ca_certs", "cert": "ssl_certfile", "key": "ssl_keyfile"}
            sealed = {words[name]: str(path) for name, path in self.tls.items()}
            sealed |= {"ssl": True, "host": "127.0.0.1"}
        given: dict[str, Any] = {"port": self.port, "password": self.password, **sealed}
        return redis.Redis(socket_timeout=2, protocol=2, **given)

    def told(self) -> dict[str, str]:
        """SENTINEL MASTER."""
        with self.client() as client:
            words = client.execute_command("SENTINEL", "MASTER", NAME)
        if isinstance(words, dict):
            return {str(name): str(value) for name, value in words.items()}
        plain = [word.decode() for word in words]
        return dict(zip(plain[::2], plain[1::2], strict=True))

    def _up(self) -> bool:
        assert self.process is not None
        if self.process.poll() is not None:
            raise AssertionError((self.directory / "sentinel.log").read_text(errors="replace"))
        try:
            with self.client() as client:
                return bool(client.ping())
        except redis.ConnectionError:
            return False

    def _configuration(self) -> Path:
        lines = [
            "bind 127.0.0.1",
            *self._listening(),
            f"dir {self.directory}",
            f"sentinel monitor {NAME} 127.0.0.1 {self.primary.port} 2",
            f"sentinel down-after-milliseconds {NAME} {DOWN_MS}",
            f"sentinel failover-timeout {NAME} 6000",
            *self.lines,
        ]
        if self.password is not None:
            lines += [f'sentinel auth-pass {NAME} "{self.primary.password}"']
            lines += [f'requirepass "{self.password}"', f'sentinel sentinel-pass "{self.password}"']
        path = self.directory / "sentinel.conf"
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    def _listening(self) -> list[str]:
        if self.tls is None:
            return [f"port {self.port}"]
        files = [f"tls-{name}-file {path}" for name, path in self.tls.items()]
        return ["port 0", f"tls-port {self.port}", "tls-replication yes", *files]


class Guarded:
    """A primary, its replicas, and three sentinels that know all of them and each other.

    Args:
        replicas: how many follow the primary.
    """

    def __init__(self, place: Path, engine: Engine = "valkey", replicas: int = 2) -> None:
        self._place = place
        self._engine = engine
        self._replicas = replicas
        self.servers: list[Server] = []
        self.sentinels: list[Sentinel] = []

    def start(self) -> Guarded:
        self.servers = list(cluster_of(self._place / "servers", self._replicas, self._engine))
        for at in range(3):
            where = self._place / f"sentinel{at}"
            self.sentinels.append(Sentinel(where, self._engine, self.servers[0]).start())
        wait_until(self._known)
        return self

    def _known(self) -> bool:
        told = [sentinel.told() for sentinel in self.sentinels]
        return all(
            (one["num-slaves"], one["num-other-sentinels"], one["flags"])
            == (str(self._replicas), "2", "master")
            for one in told
        )

    def address(self, **fields: object) -> RedisAddress:
        """The primary, whichever it is."""
        at = ",".join(f"127.0.0.1:{sentinel.port}" for sentinel in self.sentinels)
        url = f"redis+sentinel://{at}/{NAME}"
        return RedisAddress(url=url, **fields)  # type: ignore[arg-type]

    @property
    def primary(self) -> Server:
        """What the first sentinel names."""
        port = int(self.sentinels[0].told()["port"])
        (found,) = [server for server in self.servers if server.port == port]
        return found

    def failover(self) -> None:
        """SENTINEL FAILOVER, as an operator asks for it."""
        with self.sentinels[0].client() as client:
            client.execute_command("SENTINEL", "FAILOVER", NAME)

    def wait_for_another(self, than: Server) -> Server:
        """Until all sentinels name another primary."""
        wait_until(lambda: all(int(one.told()["port"]) != than.port for one in self.sentinels))
        return self.primary

    def each(self, what: Callable[[Sentinel], None]) -> None:
        """Do it with all sentinels."""
        for sentinel in self.sentinels:
            what(sentinel)

    def free(self) -> None:
        """Stop everything."""
        for sentinel in self.sentinels:
            sentinel.kill()
            shutil.rmtree(sentinel.directory, ignore_errors=True)
        for server in self.servers:
            server.free()


def role(server: Server) -> str:
    """`master` or `slave`, as the server itself sees it."""
    with server.client() as client:
        found: str = client.info("replication")["role"]
        return found
