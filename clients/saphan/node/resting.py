"""Work that nobody waits for: a fifth of a core at most, what comes and goes is first."""

from __future__ import annotations

import asyncio
from typing import Final

SHARE: Final = 5


async def rest(begun: float, least_s: float) -> None:
    """Wait after a portion of such work: four times as long as it took, `least_s` at least.

    On a busy machine a portion takes longer, and so does the rest; what is left grows meanwhile,
    and is worked off when there is time, or when somebody asks for it.

    Args:
        begun: when the portion began, by the event loop's clock.
    """
    took = asyncio.get_running_loop().time() - begun
    await asyncio.sleep(max(least_s, (SHARE - 1) * took))
