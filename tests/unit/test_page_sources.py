"""What the page is made of: nothing inline, nothing from elsewhere, nothing marked safe, and no
way from the page into a node or a command."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from saphan.web.static_files import static_path
from support import source_rules
from support.rooms import PACKAGES, modules

WEB = PACKAGES["saphan"] / "web"
TEMPLATES = sorted((WEB / "templates").rglob("*.html"))
SCRIPTS = sorted((WEB / "static").glob("*.js"))
STYLES = sorted((WEB / "static").glob("*.css"))
MADE_MARKUP = {"rendering/times.py", "figures/drawings.py", "reading/happened.py"}
"""Times by `Markup.format`, which escapes; drawings by `svg.write_svg`, which escapes."""
FORBIDDEN = {
    "a filter that trusts": re.compile(r"\|\s*safe\b|autoescape\s+false|Markup\("),
    "an inline handler": re.compile(r"<[^>]*\son[a-z]+\s*=(?!=)", re.IGNORECASE),
    "an inline style": re.compile(r"<style\b|<[^>{]*\sstyle\s*=", re.IGNORECASE),
    "an inline script": re.compile(r"<script(?![^>]*\ssrc=)|javascript:", re.IGNORECASE),
    "an address elsewhere": re.compile(r"""(?:src|href|action)\s*=\s*["'](?:https?:)?//"""),
}
MAKES_MARKUP = re.compile(
    r"innerHTML|outerHTML\s*=|insertAdjacentHTML|document\.write|DOMParser|\beval\(|new Function"
    r"|createContextualFragment|https?://|\bimport\s+[^;]*from\s+[\"'](?!\./)"
)


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.relative_to(WEB).as_posix())
def test_templates_have_nothing_inline_and_trust_nothing(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert [name for name, found in FORBIDDEN.items() if found.search(text)] == []


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.name)
def test_scripts_make_no_markup_out_of_text(path: Path) -> None:
    """The policy forbids it, too (trusted-types 'none'); here one reads why a page would stand."""
    assert MAKES_MARKUP.findall(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", STYLES, ids=lambda path: path.name)
def test_styles_take_nothing_from_elsewhere(path: Path) -> None:
    assert re.findall(r"https?:|@import|url\([\"']?//", path.read_text(encoding="utf-8")) == []


def test_the_rules_catch_what_they_are_for() -> None:
    for name, bad in {
        "a filter that trusts": "{{ title|safe }}",
        "an inline handler": "<p class=x onclick='a()'>",
        "an inline style": '<p style="color: red">',
        "an inline script": "<script>a()</script>",
        "an address elsewhere": '<img src="https://evil.example/x">',
    }.items():
        assert FORBIDDEN[name].search(bad)
    assert MAKES_MARKUP.search("one.innerHTML = text")
    assert MAKES_MARKUP.search('import x from "https://cdn.example/x.js";')


def test_the_page_knows_no_node_and_no_command() -> None:
    """It has a desk; what the node knows it asks over the line, as the command does."""
    found = [
        f"{module} imports {name}"
        for module, path in modules("saphan").items()
        if module.startswith("saphan.web")
        for _line, name in source_rules.imported_modules(
            ast.parse(path.read_text(encoding="utf-8"))
        )
        if name.startswith(("saphan.node", "saphan.cli"))
    ]
    assert found == []


def test_only_known_modules_make_markup() -> None:
    """Everything else is escaped by the templates; each of these escapes what it is given."""
    made = {
        path.relative_to(WEB).as_posix()
        for path in WEB.rglob("*.py")
        if re.search(r"\bMarkup\(", path.read_text(encoding="utf-8"))
    }
    assert made == MADE_MARKUP


def test_an_address_of_a_file_changes_with_its_bytes() -> None:
    assert re.fullmatch(r"/static/page\.css\?v=[0-9a-f]{12}", static_path("page.css"))
    with pytest.raises(KeyError):
        static_path("../app.py")
