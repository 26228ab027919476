"""Whether a store of objects is the one that belongs to a shared store.

When the store is made an object is put that names it. A process that does not find it was given
another place than the others: what it would put there they would miss, and it would miss theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from saphan_schemas.errors import OperatorError

from saphan_broker.objects.base import Objects

if TYPE_CHECKING:
    from saphan_broker.store.redis.address import RedisAddress

FOLDER: Final = "home"
CONTENT: Final = b"a broker's store of objects\n"


async def settle_home(objects: Objects, address: RedisAddress) -> None:
    """Say in these objects which store they belong to; the store is new. Idempotent.

    Raises:
        OperatorError: `blobs_unusable`, and those of `identify`; Unavailable.
    """
    await objects.put(await _name(address), CONTENT)


async def check_home(objects: Objects, address: RedisAddress) -> None:
    """Refuse objects that are not the store's.

    Raises:
        OperatorError: `objects_elsewhere`, and as `settle_home`; Unavailable.
    """
    if not await objects.exists(await _name(address)):
        raise OperatorError(
            "objects_elsewhere",
            "this broker keeps attachments and long ciphertexts in another place than --blobs "
            "names, or than this data directory where it is not given",
            field="blobs",
            hint="give every process, on every host, the --blobs that the broker was made with; "
            "without one it has run with a single data directory: copy the folder objects in it "
            "to the shared place",
        )


async def _name(address: RedisAddress) -> str:
    from saphan_broker.store.redis.creating import identify  # loads the client of the server

    return f"{FOLDER}/{(await identify(address)).hex()}"
