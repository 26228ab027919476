"""Other sites, other ports, other programs of the machine ask the officer's page for something.

The page is real and unlocked; whoever asks has what a browser would send for them, cookie included
where browsers would send it, and sometimes where they would not.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from http.cookies import SimpleCookie

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from saphan.web.app import ROOMS
from saphan.web.gate import COOKIE, SECURITY, secure
from support.desk_page import DeskPage, desk_page
from yarl import URL

PATHS = ("/inbox", "/settings", "/unlock", "/events", "/", "/nowhere", "/static/page.css")
ORIGINS = (
    "http://evil.example", "null", "", "http://127.0.0.1:{port}", "http://localhost:{port}",
    "https://{host}", "http://{host}:1",
)  # fmt: skip
ELSEWHERE = (
    "//evil.example", "/\\evil.example", "http://evil.example", "javascript:alert(1)",
    "/\r\nSet-Cookie: a=b", "\t//evil",
)  # fmt: skip
OTHER_FILES = (
    "/static/../app.py", "/static/%2e%2e/app.py", "/static/..%2fapp.py", "/static//etc/passwd",
    "/static/fonts/../../page.css", "/static/vendor/",
)  # fmt: skip


@pytest.fixture
async def page() -> AsyncIterator[DeskPage]:
    async with desk_page() as made:
        yield made


def port(page: DeskPage) -> str:
    return page.host.rpartition(":")[2]


async def asked(
    page: DeskPage, method: str, path: str, headers: dict[str, str], form: str | None = None
) -> tuple[int, str]:
    """Status and text, with exactly these headers."""
    async with page.http.request(
        method, page.url(path), headers=headers, data=form, allow_redirects=False
    ) as answer:
        return answer.status, await answer.text()


@pytest.mark.parametrize("path", PATHS)
async def test_a_rebound_name_is_answered_nothing(page: DeskPage, path: str) -> None:
    """DNS rebinding: evil.example now resolves to 127.0.0.1, and the browser believes it."""
    for name in (
        f"evil.example:{port(page)}",
        f"127.0.0.1:{port(page)}",
        f"localhost:{port(page)}",
        f"aaaaaaaa.localhost:{port(page)}",
        page.host.rpartition(":")[0],
        f"{page.host}.evil.example",
        f"{page.host}.",
        page.host.upper(),
        "",
    ):
        status, text = await asked(page, "GET", path, page.headers(Host=name))
        assert (status, text) == (421, "This is not the name of this page.\n"), name


@pytest.mark.parametrize("path", ["/inbox", "/settings", "/events", "/nowhere"])
async def test_a_navigation_from_another_site_shows_nothing(page: DeskPage, path: str) -> None:
    for site in ("cross-site", "same-site"):
        sent = page.headers() | {"Sec-Fetch-Site": site}
        status, text = await asked(page, "GET", path, sent)
        assert status == 403
        assert "dao" not in text


@pytest.mark.parametrize("origin", ORIGINS)
async def test_an_order_from_elsewhere_does_nothing(page: DeskPage, origin: str) -> None:
    """CSRF, with the cookie as if SameSite were not there."""
    from_there = origin.format(host=page.host, port=port(page))
    sent = page.headers(Origin=from_there) | {"Content-Type": "application/x-www-form-urlencoded"}
    for extra in ({}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "cross-site"}):
        status, _ = await asked(page, "POST", "/language", sent | extra, "lang=lo&next=/inbox")
        assert (status, page.place.lang) == (403, "en")


async def test_an_order_without_an_origin_does_nothing(page: DeskPage) -> None:
    status, _ = await asked(page, "POST", "/language", page.headers())
    assert status == 403


async def test_every_order_is_refused_from_elsewhere(page: DeskPage) -> None:
    """Each route that changes something, not only the ones that somebody thought of."""
    orders = [one for room in ROOMS for one in room.ROUTES if one.method not in ("GET", "HEAD")]
    assert len(orders) >= 20
    for one in orders:
        path = one.path.replace("{", "").replace("}", "")
        sent = page.headers(Origin="http://evil.example")
        status, text = await asked(page, one.method, path, sent)
        assert status == 403, one
        assert "dao" not in text


async def test_every_page_needs_the_cookie(page: DeskPage) -> None:
    """And says nothing of whose desk it is."""
    for room in ROOMS:
        for one in room.ROUTES:
            if one.path.startswith(("/launch", "/static")):
                continue
            path = one.path.replace("{", "").replace("}", "")
            for cookie in (None, "", "wrong", page.cookie[:-1], f"{page.cookie}x"):
                sent = page.headers(Origin=f"http://{page.host}")
                sent["Cookie"] = f"{COOKIE}={cookie}"
                if cookie is None:
                    del sent["Cookie"]
                method = "GET" if one.method == "*" else one.method
                status, text = await asked(page, method, path, sent)
                assert (status, "dao" in text) == (401, False), one


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/static/nowhere"), ("GET", "/static/../inbox"), ("GET", "/static/"),
     ("GET", "/launch/a/b"), ("GET", "/launch/../inbox"), ("GET", "/launch/"),
     ("POST", "/launch/a"), ("POST", "/static/page.css"), ("DELETE", "/launch/a")],
)  # fmt: skip
async def test_no_error_says_whose_desk_it_is(page: DeskPage, method: str, path: str) -> None:
    """Where no cookie is asked for, what is missing is answered without what is the desk's."""
    line, wanted = URL(page.url(path), encoded=True), {"Host": page.host}
    wanted["Origin"] = f"http://{page.host}"
    async with page.http.request(method, line, headers=wanted) as answer:
        assert answer.status in (404, 405)
        text = await answer.text()
    assert "dao" not in text
    assert "kh.gpo" not in text
    assert "<nav" not in text


async def test_looking_orders_nothing(page: DeskPage) -> None:
    """What GET answers changes nothing: a link in a letter signs, sends and locks nothing."""
    for path in ("/lock", "/alive", "/language?lang=km"):
        status, _ = await asked(page, "GET", path, page.headers())
        assert status == 405
    assert page.place.lang == "en"


async def test_the_cookie_stays_in_this_browser_and_with_this_name(page: DeskPage) -> None:
    token = page.place.sessions.launch()
    async with page.http.get(page.url(f"/launch/{token}"), headers={"Host": page.host}) as answer:
        given = SimpleCookie(answer.headers["Set-Cookie"])[COOKIE]
    assert given["httponly"]
    assert given["samesite"] == "Strict"
    # No Domain: it goes to this one host name, which no other port's page can have or guess.
    assert (given["domain"], given["max-age"], given["expires"]) == ("", "", "")


async def test_every_answer_carries_the_policy(page: DeskPage) -> None:
    """Pages, refusals, files, streams: no inline script or style, no frame, nothing sniffed."""
    sent = {"Host": page.host}
    for headers, path in [(page.headers(), one) for one in PATHS] + [
        (sent, "/inbox"), (sent, "/launch/x"), ({"Host": "x"}, "/inbox")]:  # fmt: skip
        async with page.http.get(page.url(path), headers=headers, allow_redirects=False) as answer:
            policy = answer.headers["Content-Security-Policy"]
            assert "default-src 'none'" in policy
            assert "frame-ancestors 'none'" in policy
            assert "unsafe" not in policy
            assert "http:" not in policy
            assert answer.headers["X-Frame-Options"] == "DENY"
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin"
            assert "Access-Control-Allow-Origin" not in answer.headers
            assert "Server" not in answer.headers
            if not path.startswith("/static/"):
                assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("wanted", ELSEWHERE)
async def test_no_order_leads_elsewhere(page: DeskPage, wanted: str) -> None:
    for path in ("/language", "/lock", "/unlock"):
        given = {"next": wanted, "lang": "en"}
        assert await page.post(path, given, follow=False) == (303, "/inbox")


async def test_a_path_leads_to_no_other_file(page: DeskPage) -> None:
    for path in OTHER_FILES:
        status, text = await asked(page, "GET", path, page.headers())
        assert status == 404
        assert "import" not in text


async def test_no_handler_weakens_the_policy() -> None:
    """What sets one of its own adds to the page's: a browser obeys both."""
    request = make_mocked_request("GET", "/")
    response = web.Response(
        headers={
            "Content-Security-Policy": "sandbox",
            "X-Frame-Options": "ALLOWALL",
            "X-Content-Type-Options": "",
        }
    )
    await secure(request, response)
    assert response.headers.getall("Content-Security-Policy") == [
        SECURITY["Content-Security-Policy"],
        "sandbox",
    ]
    assert response.headers.getall("X-Frame-Options") == ["DENY"]
    assert response.headers.getall("X-Content-Type-Options") == ["nosniff"]


async def test_no_form_is_spooled_to_the_disk(page: DeskPage) -> None:
    """What a file field brings would lie in a temporary file in clear: no form takes one."""
    for room in ROOMS:
        for one in room.ROUTES:
            if one.method != "POST":
                continue
            path = one.path.replace("{", "").replace("}", "")
            sent = page.headers(Origin=f"http://{page.host}")
            for kind in ("multipart/form-data; boundary=x", "multipart/mixed", "text/plain"):
                if path.endswith("/files") and kind.startswith("multipart/form-data"):
                    continue
                status, _ = await asked(page, "POST", path, sent | {"Content-Type": kind})
                assert status == 415, (path, kind)
