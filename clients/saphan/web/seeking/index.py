"""What can be found at this desk."""

from __future__ import annotations

from saphan.desk.desk import Desk


class SearchIndex:
    """In memory while the desk is open."""

    def load(self, desk: Desk) -> None:
        """Read it; blocking, in the thread that owns `desk`."""
