"""A broker whose logs a server carries, as an operator makes and runs it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from support.broker_command import BrokerRan, saphan_broker, saphan_broker_here
from support.servers import Server


@dataclass(frozen=True, slots=True)
class Served:
    """Directories data/ and keys/ in `place`, and the server.

    Args:
        options: how the commands name the server.
    """

    place: Path
    server: Server
    options: tuple[str | Path, ...] = field(default=())

    @property
    def data(self) -> Path:
        return self.place / "data"

    @property
    def keys(self) -> Path:
        return self.place / "keys"

    def beside(self, place: Path) -> Served:
        """The same broker with directories of its own, which `place` will have."""
        place.mkdir()
        return Served(place, self.server, self.options)

    @property
    def where(self) -> tuple[str | Path, ...]:
        """Both directories, as the commands take them."""
        return ("--data", self.data, "--keys", self.keys)

    def init(self, name: str = "bridge.example", *, status: int = 0) -> BrokerRan:
        """`saphan-broker init`, its result as JSON."""
        words = ("init", *self.where, "--name", name, "--json", *self.options)
        return saphan_broker_here(*words, status=status)

    def run_once(self, *options: str | Path, status: int) -> BrokerRan:
        """A run that refuses to start."""
        listen = ("--listen", "127.0.0.1:0", "--plain")
        return saphan_broker("run", *self.where, *listen, *self.options, *options, status=status)


@contextmanager
def short_place() -> Iterator[Path]:
    """A folder whose sockets have short names."""
    place = Path(tempfile.mkdtemp(prefix="se", dir="/tmp"))
    try:
        yield place
    finally:
        shutil.rmtree(place)
