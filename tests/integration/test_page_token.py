"""A page whose officer's key lies half on a PKCS#11 token: the page asks for the PIN, once."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from saphan.desk.folder import DeskFolder, DeskId
from saphan.keys.keyfiles import new_token_key, write_sealed
from saphan.web.locking.typed_pin import TypedPin
from saphan_protocol.batch import sign_one
from saphan_schemas.errors import OperatorError
from support.bridge import KH, SECRET
from support.cheap import CHEAP
from support.desk_page import desk_page
from support.softhsm import Tokens, drawer

PASSPHRASE = SECRET.reveal().decode()


@pytest.fixture
def tokens(tmp_path: Path) -> Iterator[Tokens]:
    made = drawer(tmp_path / "tokens", "desk")
    with made.here():
        yield made


@pytest.fixture
def folder(tokens: Tokens, tmp_path: Path) -> DeskFolder:
    """A desk of kh.gpo's dao, half of whose key is on the token."""
    place = tmp_path / "desk"
    place.mkdir()
    folder = DeskFolder(place)
    key = new_token_key("dao", tokens.access("desk"))
    assert key.held is not None
    key.held.close()
    write_sealed(folder.key_file, key, SECRET, CHEAP)
    folder.write(DeskId(agency=KH, handle="dao", address="127.0.0.1:1", tls=bytes(32)))
    return folder


async def test_the_page_asks_for_the_pin_and_signs_with_the_token(
    tokens: Tokens, folder: DeskFolder
) -> None:
    pin = (await asyncio.to_thread(tokens.pin_file.read_text)).strip()
    async with desk_page(folder=folder, opened=False) as page:
        _, text = await page.get("/unlock")
        assert "PIN of the token desk" in text
        for given, code in (("", "pin_unavailable"), (f"{pin}1", "pkcs11_pin_wrong")):
            status, text = await page.post("/unlock", {"passphrase": PASSPHRASE, "pin": given})
            assert (status, code in text) == (403, True)
            assert page.place.open is None
        answer = await page.post("/unlock", {"passphrase": PASSPHRASE, "pin": pin}, follow=False)
        assert answer == (303, "/inbox")
        signed = await page.open.work(lambda desk: sign_one(desk.key, "a", b"b", os.urandom(32)))
        key = await page.open.work(lambda desk: desk.key.key_id)
        assert signed.item.key == key  # the token's half is checked as it is made


def test_a_pin_is_given_once_and_not_kept() -> None:
    source = TypedPin(typed=["1234"])
    assert "1234" not in repr(source)
    assert source.read("desk") == "1234"
    with pytest.raises(OperatorError, match="pin_unavailable"):
        source.read("desk")
