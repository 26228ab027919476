"""What a node is started with: its agency's folder, the broker's address, where its API listens."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from saphan_protocol.pins import Pins
from saphan_schemas.errors import InvalidInput

from saphan.api_answer import SOCKET_NAME, TOKEN_NAME
from saphan.node.policy.settings import SETTINGS_NAME
from saphan.office import Office

BundleMaker = Callable[[Path, str, Pins, bytes, Path, int, bool], int]
"""(data, agency, pins, bulletin, out, now, attachments) to how many entries are left out: evidence
is read out of a node's store by a part that knows the node; whoever starts one gives it."""
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def system_clock() -> int:
    """This machine's clock, ms UTC."""
    return time.time_ns() // 1_000_000


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        named = bool(parts.hostname) and parts.port != 0  # a port that is none raises here
    except ValueError:
        return False
    return named and parts.scheme in ("ws", "wss", "http", "https")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeConfig:
    """One node's options.

    Args:
        folder: the agency's folder; the node writes below `node/` only.
        broker: wss:// or https:// address of the broker; ws:// or http:// on loopback only.
        pin: SHA-256 of the broker's TLS key; None: an ordinary authority vouches for its name.
        listen: (host, port) of the local API, loopback only; None: the Unix socket node/api.sock.
        desks: (host, port) at which officers' desks are served; None: at none.
        clock: ms UTC.
        bundles: makes evidence for desks; None: this node makes none.

    Raises:
        InvalidInput: `address_malformed`, `not_loopback`, `line_in_clear`.
    """

    folder: Path
    broker: str
    pin: bytes | None = None
    listen: tuple[str, int] | None = None
    desks: tuple[str, int] | None = None
    clock: Callable[[], int] = system_clock
    bundles: BundleMaker | None = None

    def __post_init__(self) -> None:
        if not _is_address(self.broker):
            raise InvalidInput(
                "address_malformed",
                f"{self.broker[:200]} is no address of a broker",
                field="broker",
                hint="write wss://bridge.example:8470 or ws://127.0.0.1:8470",
            )
        parts = urlsplit(self.broker)
        if parts.scheme in ("ws", "http") and parts.hostname not in LOOPBACK:
            raise InvalidInput(
                "line_in_clear",
                f"the line to {parts.hostname} would be in clear",
                field="broker",
                hint=f"write wss://{parts.netloc}; a broker on another machine speaks TLS",
            )
        if self.listen is not None and self.listen[0] not in LOOPBACK:
            raise InvalidInput(
                "not_loopback",
                f"the local API does not listen on {self.listen[0]}",
                field="listen",
                hint="use 127.0.0.1:PORT, or leave --listen out for the Unix socket",
            )

    @property
    def office(self) -> Office:
        """The agency's folder."""
        return Office(self.folder)

    @property
    def data(self) -> Path:
        """Store, witness state, archive keys."""
        return self.folder / "node" / "data"

    @property
    def blobs(self) -> Path:
        """Attachments: sealed ones, and what clients upload."""
        return self.data / "blobs"

    @property
    def settings_file(self) -> Path:
        """What the agency has set; it may be missing."""
        return self.folder / "node" / SETTINGS_NAME

    @property
    def socket(self) -> Path:
        """Unix socket of the local API."""
        return self.folder / "node" / SOCKET_NAME

    @property
    def token_file(self) -> Path:
        """The local API's bearer token, 0600."""
        return self.folder / "node" / TOKEN_NAME
