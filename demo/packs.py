"""Record packs: having them written by their holders, and reading what the broker's one says."""

from __future__ import annotations

from pathlib import Path

from houses import Bridge
from saphan.audit.packfile import read_pack
from saphan_protocol.pack import PackReader
from saphan_schemas.codec import decode
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import Consignment, Header
from stage import BROKER, DemoFailed


def export_broker(bridge: Bridge, file: Path) -> int:
    """The broker's pack, written beside the running broker; gives its entries."""
    house = bridge.stage.house(BROKER)
    made = bridge.stage.run(
        BROKER, "saphan-broker", "records", "export", "--data", house / "data",
        "--keys", house / "keys", "--out", file,
    )  # fmt: skip
    return int(made["entries"])


def export_node(bridge: Bridge, agency: str, file: Path) -> int:
    """An agency's own pack; gives its entries."""
    return int(bridge.saphan(agency, "records", "export", "--out", file)["entries"])


def broker_header(bridge: Bridge, bulletin: str) -> Header:
    """A bulletin's header out of the broker's own records: all that it can read of it."""
    file = bridge.stage.house(BROKER) / f"records-{bulletin[:8]}.pack"
    export_broker(bridge, file)
    reader = PackReader(file.name, read_pack(file))
    while (entry := reader.next_entry()) is not None:
        if entry.header is None:
            continue
        consignment = decode(Consignment, entry.statement, LIMITS.consignment_bytes, "consignment")
        if consignment.bulletin.hex() == bulletin:
            return decode(Header, entry.header, LIMITS.header_bytes, "header")
    raise DemoFailed("the broker's records do not show the bulletin that it carried")
