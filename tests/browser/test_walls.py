"""What a real browser makes of the page's walls: another port's page, frames, inline script."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from playwright.async_api import Page
from support.tabs import Visitor

TRIES = """
async ([own, wanted]) => {
  const found = {};
  const tried = async (name, what) => {
    try { found[name] = await what(); } catch (error) { found[name] = "refused"; }
  };
  await tried("fetch", async () => (await fetch(own + "/inbox", {credentials: "include"})).text());
  await tried("order", async () => (await fetch(own + "/language",
    {method: "POST", credentials: "include", body: new URLSearchParams({lang: wanted})})).status);
  await tried("blind", async () => (await fetch(own + "/language", {method: "POST", mode: "no-cors",
    credentials: "include", body: new URLSearchParams({lang: wanted})})).type);
  const loads = (element) => new Promise((done) => {
    element.onload = () => done("loaded");
    element.onerror = () => done("refused");
    document.body.append(element);
  });
  await tried("script", () => loads(Object.assign(document.createElement("script"),
    {src: own + "/static/keys.js"})));
  await tried("picture", () => loads(Object.assign(new Image(), {src: own + "/static/icon.svg"})));
  return found;
}
"""


@asynccontextmanager
async def neighbour() -> AsyncIterator[tuple[int, list[str]]]:
    """Another program of this machine that serves pages; its port, and the cookies it is given."""
    cookies: list[str] = []

    async def show(request: web.Request) -> web.Response:
        cookies.append(request.headers.get("Cookie", ""))
        return web.Response(text="<!doctype html><body>neighbour", content_type="text/html")

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", show)
    runner = web.AppRunner(app, shutdown_timeout=0.5)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield int(runner.addresses[0][1]), cookies
    finally:
        await runner.cleanup()


async def language(la: Visitor) -> str | None:
    page = await la.tab("/settings")
    try:
        return await page.locator("html").get_attribute("lang")
    finally:
        await page.close()


async def test_another_ports_page_gets_nothing_and_orders_nothing(la: Visitor) -> None:
    """In the officer's own browser, which has the cookie; by three names of this machine."""
    before = await language(la)
    wanted = "km" if before != "km" else "lo"
    async with neighbour() as (port, cookies):
        for name in ("127.0.0.1", "localhost", "zzzzzzzz.localhost"):
            page = await la.context.new_page()
            await page.goto(f"http://{name}:{port}/")
            found = await page.evaluate(TRIES, [la.origin, wanted])
            assert found == {
                "fetch": "refused",
                "order": "refused",
                "blind": "refused",
                "script": "refused",
                "picture": "refused",
            }, name
            await _form(page, la, wanted)
            await _frame(page, la)
            await page.close()
        assert cookies
        assert set(cookies) == {""}
    la.asked[:] = [one for one in la.asked if f":{port}/" not in one]
    assert await language(la) == before


async def _form(page: Page, la: Visitor, wanted: str) -> None:
    """A form that posts itself, as a link in a letter would lead to: the officer sees a refusal."""
    await page.evaluate(
        """([own, wanted]) => { const form = document.createElement("form");
        Object.assign(form, {method: "post", action: own + "/language"});
        form.innerHTML = `<input name="lang" value="${wanted}">`;
        document.body.append(form); form.submit(); }""",
        [la.origin, wanted],
    )
    await page.wait_for_url(la.origin + "/language")
    assert await page.locator("nav").count() == 0
    assert la.desk.handle not in await page.content()
    await page.go_back()


async def _frame(page: Page, la: Visitor) -> None:
    """What is in a frame can be clicked by whoever moves it under the pointer."""
    await page.evaluate(
        """(own) => new Promise((done) => { const frame = document.createElement("iframe");
        frame.onload = done; frame.src = own + "/inbox"; document.body.append(frame); })""",
        la.origin,
    )
    inner = page.frames[-1]
    assert inner != page.main_frame
    assert not inner.url.startswith(la.origin)


async def test_no_script_comes_into_a_page(la: Visitor) -> None:
    """Inline script, inline style, markup out of text, code out of text, another server's script:
    were an escape ever forgotten, this is what stands behind it."""
    page = await la.context.new_page()
    await page.goto(la.origin + "/inbox")
    found = await page.evaluate(
        """async () => {
        const found = {};
        const script = document.createElement("script");
        try { script.text = "window.ran = 1"; } catch { found.text = "refused"; }
        try { document.body.innerHTML += "<p id=made>"; } catch { found.markup = "refused"; }
        document.body.append(script);
        const far = document.createElement("script");
        try { far.src = "http://127.0.0.1:9/x.js"; } catch { found.far = "refused"; }
        const link = document.createElement("p");
        link.setAttribute("style", "color: rgb(1, 2, 3)");
        document.body.append(link);
        found.style = getComputedStyle(link).color;
        found.ran = window.ran === undefined;
        found.made = document.getElementById("made") === null;
        return found;
        }"""
    )
    assert found.pop("style") != "rgb(1, 2, 3)"
    assert found == {
        "text": "refused",
        "markup": "refused",
        "far": "refused",
        "ran": True,
        "made": True,
    }
    cookies = await page.evaluate("document.cookie")
    assert cookies == ""
    await page.close()
