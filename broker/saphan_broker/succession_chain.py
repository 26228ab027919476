"""Every succession of this broker's logs so far, for nodes that come late.

    KEYS/succession.chain    a `Succession`, MessagePack, mode 0600

It lies beside the keys because it must outlive the data: a second loss must not cut off who has
been away since before the first. There is nothing secret in it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from saphan_schemas.codec import decode, encode
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.succession_frames import Step, Succession

from saphan_broker import private_files

CHAIN_NAME: Final = "succession.chain"


def read_chain(keys: Path) -> tuple[Step, ...]:
    """All successions, the oldest first; none for a broker that has lost nothing.

    Raises:
        OperatorError: `key_file_exposed`, `key_file_malformed`.
    """
    path = keys / CHAIN_NAME
    if not path.exists():
        return ()
    private_files.check_private(path)
    with path.open("rb") as file:
        data = file.read(LIMITS.frame_bytes + 1)
    try:
        return decode(Succession, data, LIMITS.frame_bytes, "succession").steps
    except InvalidInput as error:
        raise private_files.malformed(path, error.message) from None


def extend_chain(keys: Path, step: Step) -> None:
    """Add a succession, unless it is there; durable when it returns.

    Raises:
        OperatorError: `key_file_unwritable`, and as `read_chain`.
    """
    steps = read_chain(keys)
    if any(known.evidence == step.evidence for known in steps):
        return
    private_files.replace(keys / CHAIN_NAME, encode(Succession((*steps, step))))
