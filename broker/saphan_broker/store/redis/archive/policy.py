"""How much stays in the server's memory although it could leave."""

from __future__ import annotations

from typing import Final

import msgspec
from saphan_schemas.limits import LIMITS


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """What the mover leaves alone, and how much it takes at once.

    Args:
        keep_blocks: full blocks of each log, the newest.
        keep_bulletins: finished ones, those that finished last.
        keep_box: entries of each mailbox, the newest; at least 1, which says where it ends.
        least_bulletins: worth a pack.
        least_box: entries worth an object.
        unsigned: also what lies above the newest signed head; for tests. Below it nothing is ever
            written another way again, so two processes that archive it write the same bytes.
    """

    keep_blocks: int = LIMITS.archive_keep_blocks
    keep_bulletins: int = LIMITS.archive_keep_bulletins
    keep_box: int = LIMITS.archive_box_items
    least_bulletins: int = LIMITS.archive_pack_items
    least_box: int = LIMITS.archive_box_items
    unsigned: bool = False


EAGER: Final = Policy(
    keep_blocks=0, keep_bulletins=0, keep_box=1, least_bulletins=1, least_box=1, unsigned=True
)
"""Everything that can leave leaves at once; for tests."""
