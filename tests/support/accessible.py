"""What a page is judged by and nobody sees at a glance: axe-core, languages, room on the screen."""

from __future__ import annotations

from importlib import resources
from typing import Any, Final

from playwright.async_api import Page

AXE: Final = (
    resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
)
"""axe-core (MPL-2.0), as the development package carries it; it runs in the test's browser only."""

RUN_AXE: Final = """async () => {
  const how = { resultTypes: ["violations"], preload: false, iframes: false };
  const found = await axe.run(document, how);
  return found.violations.map((one) => ({
    rule: one.id, impact: one.impact, where: one.nodes.slice(0, 4).map((node) => node.html),
  }));
}"""

FOREIGN: Final = """() => {
  const scripts = { lo: /[\\u0e80-\\u0eff]/g, km: /[\\u1780-\\u17ff]/g };
  const walker = document.createTreeWalker(document.documentElement, NodeFilter.SHOW_TEXT);
  const found = [];
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const element = node.parentElement;
    if (element.closest("script, style")) continue;
    const lang = element.closest("[lang]").lang.slice(0, 2);
    for (const [own, letters] of Object.entries(scripts)) {
      // a word quoted inside a sentence is part of it: what most letters are decides
      const count = (node.data.match(letters) || []).length;
      if (lang !== own && 2 * count > (node.data.match(/\\p{L}|\\p{M}/gu) || []).length)
        found.push([lang, node.data.slice(0, 60)]);
    }
  }
  return found.slice(0, 10);
}"""

UNNAMED: Final = """() => [...document.querySelectorAll(
  "a[href], button, input:not([type=hidden]), select, textarea, summary")]
  .filter((one) => !(one.labels?.length || one.textContent.trim() || one.ariaLabel ||
    one.getAttribute("aria-labelledby")))
  .map((one) => one.outerHTML.slice(0, 120))"""


async def serious(page: Page) -> list[dict[str, Any]]:
    """What axe-core calls serious or critical on the page as it stands."""
    return [one for one in await violations(page) if one["impact"] in ("serious", "critical")]


async def violations(page: Page) -> list[dict[str, Any]]:
    """Everything that axe-core finds, with the first elements that it is about."""
    # a string evaluated by the driver is not bound by the page's policy, which allows no script
    await page.evaluate(AXE)
    found: list[dict[str, Any]] = await page.evaluate(RUN_AXE)
    return found


async def foreign_letters(page: Page) -> list[list[str]]:
    """Lao or Khmer letters in elements that do not say so: read aloud and broken as another."""
    found: list[list[str]] = await page.evaluate(FOREIGN)
    return found


async def unnamed(page: Page) -> list[str]:
    """Controls that a screen reader cannot name."""
    found: list[str] = await page.evaluate(UNNAMED)
    return found


async def too_wide(page: Page) -> int:
    """By how many pixels the page is wider than the screen."""
    wide: int = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return max(0, wide)
