"""Which tests run in one process, where several run side by side (pytest-xdist, `loadscope`).

Said here and not by the mark `xdist_group`: with pytest 9.2 xdist 3.8 does not see that mark.
"""

from __future__ import annotations

from typing import Final

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

BROWSER: Final = "tests/browser/"


class ByFile(LoadScopeScheduling):  # type: ignore[misc]  # no types
    """The tests of a file stay together; so do all in a browser: two browsers starve each other."""

    def _split_scope(self, nodeid: str) -> str:
        return BROWSER if nodeid.startswith(BROWSER) else nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile | None:
    """The scheduler of a run; None: the one that was asked for."""
    return ByFile(config, log) if config.getvalue("dist") == "loadscope" else None
