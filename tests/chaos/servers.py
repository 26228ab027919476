"""A Valkey primary and its replica; the broker and the replica reach it over lines."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Final

import redis
from support.servers import Server

from chaos import template
from chaos.schedule import PRIMARY, REPLICA

SYNC_S: Final = 20.0


class Replicated:
    """Both servers; the replica follows whatever listens at `line_port`. All of it blocks."""

    def __init__(self, place: Path, line_port: int) -> None:
        self._follows = {"replicaof": f"127.0.0.1 {line_port}", "repl-timeout": "5"}
        self.servers = {
            PRIMARY: Server(template.server_folder(place)),
            REPLICA: Server(place / "replica", settings=self._follows),
        }

    @property
    def port(self) -> int:
        """Of the primary."""
        return self.servers[PRIMARY].port

    def start(self) -> None:
        """Both, or those that do not run; they have found each other when this returns."""
        for server in self.servers.values():
            server.start()
        end = time.monotonic() + SYNC_S
        while not self.in_step():
            if time.monotonic() > end:
                raise TimeoutError("the replica does not follow")
            time.sleep(0.05)

    def kill(self, name: str) -> bool:
        """SIGKILL; whether it ran."""
        process = self.servers[name].process
        self.servers[name].kill()
        return process is not None and process.returncode == -signal.SIGKILL

    def pids(self, name: str) -> list[int]:
        """Of what runs."""
        process = self.servers[name].process
        return [] if process is None or process.poll() is not None else [process.pid]

    def promote(self) -> bool:
        """SIGKILL to the primary, and its replica is the primary from now on; the dead one is to
        follow it when it is started. Whether it went so.

        Who promotes a replica that does not follow loses what it lacks; nobody does so here.
        """
        if not self.in_step() or not self.kill(PRIMARY):
            return False
        old, new = self.servers[PRIMARY], self.servers[REPLICA]
        with new.client() as client:
            client.execute_command("REPLICAOF", "NO", "ONE")
        old.settings, new.settings = self._follows, {}
        self.servers = {PRIMARY: new, REPLICA: old}
        return True

    def in_step(self) -> bool:
        """Whether the replica's line to the primary is up."""
        try:
            with self.servers[REPLICA].client() as client:
                found = client.info("replication")
        except (redis.ConnectionError, redis.BusyLoadingError):
            return False
        return bool(found.get("master_link_status") == "up")

    def free(self) -> None:
        """End both."""
        for server in self.servers.values():
            server.free()
