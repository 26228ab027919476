"""The second reader of threads.md, which imports nothing of Saphan."""

from __future__ import annotations

import importlib.util
from types import ModuleType

from support.rooms import ROOT


def _load() -> ModuleType:
    path = ROOT / "tests/vectors/second/threads.py"
    spec = importlib.util.spec_from_file_location("second_threads", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SECOND = _load()
