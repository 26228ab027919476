"""The page about the node names exactly the paths that the API has."""

from __future__ import annotations

import re

from saphan.node.api.openapi import PATHS
from support.rooms import ROOT

ROW = re.compile(r"^\| `(GET|POST|PUT|DELETE) (/[^`]*)` \| .* \| (\d{3}) \|$", re.MULTILINE)


def test_the_page_lists_every_path_with_its_status() -> None:
    page = (ROOT / "schemas/spec/node.md").read_text(encoding="utf-8")
    paths = [(method.upper(), path, str(status)) for method, path, _, _, status, _ in PATHS]
    assert ROW.findall(page) == paths
