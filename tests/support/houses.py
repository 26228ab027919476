"""Where a broker's store may live in a test: a new folder, or that and a server."""

from __future__ import annotations

from pathlib import Path

from saphan_broker.moving.house import House
from saphan_broker.opening import SQLITE, BlobPlace, StoreChoice

from support.servers import Server


def empty_house(place: Path, choice: StoreChoice = SQLITE) -> House:
    """One in a new folder, without a store."""
    place.mkdir(mode=0o700)
    return House(place, choice)


def house_on(server: Server, place: Path, name: str = "there") -> House:
    """An empty one on the server, under a name of this test's, its objects beside it."""
    blobs = BlobPlace(str(place / f"{name}-objects"))
    address = server.address(name=f"{place.name}-{name}")
    return empty_house(place / name, StoreChoice(redis=address, blobs=blobs))
