"""A passphrase's cost for tests: keys that open at once, and protect nothing."""

from __future__ import annotations

from typing import Final

from saphan.keys.keyfiles import Argon2Cost

CHEAP: Final = Argon2Cost(memory_kib=64, iterations=1, lanes=1)
