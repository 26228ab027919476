"""A town for each drill: a broker that runs, and two offices whose nodes have worked together."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.drill_pages import OFFICES, OPERATOR, RUN_BROKER, Open, Town, furnish, town
from support.rooms import ROOT


@pytest.fixture
def open_town() -> Iterator[Open]:
    """Call it with the names of further places; unless told, both nodes run and are connected."""
    # Unix sockets have short names only, and pytest's folders have long ones.
    top = Path(tempfile.mkdtemp(prefix="dr", dir="/tmp"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, top)

        def make(*more: str, nodes: bool = True) -> Town:
            made = stack.enter_context(town(top, *more))
            asyncio.run(furnish(made))
            made.terminals[OPERATOR].type(RUN_BROKER.format(port=made.port))
            for place in OFFICES:
                shutil.copy(ROOT / "demo/figures.json", made.folder(place))
                if nodes:
                    made.started(place)
            return made

        yield make
