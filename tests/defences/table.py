"""Every defence that is taken out."""

from __future__ import annotations

from typing import Final

from defences.beyond_them import BEYOND
from defences.of_the_eighteen import EIGHTEEN
from defences.removal import Removal

REMOVALS: Final[tuple[Removal, ...]] = (*EIGHTEEN, *BEYOND)
