"""The stream of events: a browser that goes away at any moment is no trouble."""

from __future__ import annotations

import asyncio
import logging
import socket
import struct

import pytest
from support.desk_page import DeskPage, desk_page


def leave_at_once(page: DeskPage) -> None:
    """Ask for the stream, and reset the connection; blocking."""
    head = "".join(f"{name}: {value}\r\n" for name, value in page.headers().items())
    with socket.create_connection(("127.0.0.1", page.port)) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        made.sendall(f"GET /events HTTP/1.1\r\n{head}\r\n".encode())


async def test_who_leaves_before_the_stream_begins_leaves_no_trace(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with desk_page() as page:
        for _ in range(50):
            leave_at_once(page)  # no turn of the loop between asking and leaving
        while page.place.topics._heard:
            page.place.topics.publish("line")
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.2)
        assert (await page.get("/inbox"))[0] == 200
    assert [one for one in caplog.records if one.levelno >= logging.WARNING] == []
