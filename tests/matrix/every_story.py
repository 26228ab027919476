"""All stories by their names."""

from __future__ import annotations

from matrix.desk_world import DESK_STORIES
from matrix.more_stories import MORE
from matrix.stories import STORIES

OF_NODES = STORIES | MORE
EVERY = OF_NODES | DESK_STORIES
