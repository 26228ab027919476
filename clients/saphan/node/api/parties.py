"""An agency as the directory log knows it: with whose roots an agreement with it is drafted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from saphan_schemas.errors import Refused
from saphan_schemas.records import Role

from saphan.base64_text import text_of

if TYPE_CHECKING:
    from saphan.node.service import NodeService


def party(service: NodeService, agency: str) -> dict[str, Any]:
    """{"agency", "threshold", "roots": public keys in base64} from the replayed directory.

    Raises:
        Refused: `agency_unknown`.
    """
    logs = service.logs
    with logs.lock:
        version, _last, threshold = logs.directory.version(agency)
        roots = [key.public for key in logs.directory.keys(agency, Role.ROOT)]
    if not version:
        raise Refused(
            "agency_unknown",
            f"no agency {agency[:64]!r} is in the directory that this node has replayed",
            field="agency",
            hint="check its name; if it is right, the broker's operator has not admitted it yet",
        )
    shown = [text_of(public) for public in roots]
    return {"agency": agency, "threshold": threshold, "roots": shown}
