"""A Valkey primary and its replica; the broker and the replica reach it over lines."""

from __future__ import annotations

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
        self.servers = {
            PRIMARY: Server(template.server_folder(place)),
            REPLICA: Server(
                place / "replica",
                settings={"replicaof": f"127.0.0.1 {line_port}", "repl-timeout": "5"},
            ),
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
