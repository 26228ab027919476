"""la.ospp has signed; before kh.gpo signs, somebody changes the text in its favour."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest
from saphan.agreements.draft import Draft, format_draft
from saphan_schemas.directory_records import Agreement, CorridorRule
from saphan_schemas.limits import DAY_MS
from support.bridge import KH, LA, Bridge, agreed, eventually
from support.command import saphan_here
from support.corrupt import takes_any_agreement
from support.memoranda import edited, package, proposed, signature, signed_by
from support.roster import alarmed


def rules(text: Agreement, **fields: Any) -> tuple[CorridorRule, ...]:
    return tuple(msgspec.structs.replace(rule, **fields) for rule in text.rules)


EDITS: dict[str, Callable[[Agreement], dict[str, Any]]] = {
    "another marking": lambda text: {"rules": rules(text, tlp_ceiling="green")},
    "a longer retention": lambda text: {"rules": rules(text, retain_days=36_500)},
    "one direction less": lambda text: {"rules": text.rules[:1]},
    "onward to anybody": lambda text: {"onward": "named"},
    "a later end": lambda text: {"valid_until": text.valid_until + 365 * DAY_MS},
    "another default handling": lambda text: {"default_handling": ("H0",)},
    "stop instead of deliver": lambda text: {"in_flight": "stop"},
}


@pytest.mark.parametrize("edit", list(EDITS))
async def test_the_draft_is_edited_on_its_way(bridge: Bridge, edit: str) -> None:
    """Neither command takes the file: `show` shows nothing of it, `sign` asks for no passphrase."""
    draft = await asyncio.to_thread(lambda: signed_by(bridge, proposed(bridge), LA))
    text = edited(draft.agreement, **EDITS[edit](draft.agreement))
    assert text != draft.text
    file = bridge.place / "draft.json"
    await asyncio.to_thread(file.write_bytes, tampered(draft, text))
    before = await asyncio.to_thread(file.read_bytes)
    for words in (("show", file), ("sign", file, "--dir", bridge.place / KH, "--yes")):
        ran = await asyncio.to_thread(partial(saphan_here, "agreement", *words, status=2))
        assert ran.code == "signature_invalid"
    assert await asyncio.to_thread(file.read_bytes) == before


def tampered(draft: Draft, text: bytes) -> bytes:
    fields = json.loads(format_draft(draft))
    return json.dumps(fields | {"agreement": base64.b64encode(text).decode()}).encode()


@pytest.mark.parametrize("broker", ("honest", "corrupt"))
async def test_kh_signs_the_edited_text_and_both_signatures_are_put_together(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, broker: str
) -> None:
    """kh.gpo is in it: it signs what la.ospp never saw, and hands in both signatures. The broker
    refuses; if the broker is in it too, la.ospp's node uses no such agreement."""
    finished = await asyncio.to_thread(put_together, bridge)
    async with bridge.broker_running() as running, bridge.node(LA) as la:
        await agreed(la)
        if broker == "corrupt":
            takes_any_agreement(running, monkeypatch)
        async with bridge.node(KH) as kh:
            await agreed(kh)
            result = await kh.line.register(None, finished)
        if broker == "honest":
            assert result.code == "signature_invalid"
            return
        assert result.code is None
        await eventually(partial(alarmed, la, "signature_invalid"))
        (one,) = la.logs.directory.agreements(LA, KH)
        assert one.text.reference != "second"
        assert la.line.state.state == "open"  # it is no contradiction, only worth nothing


def put_together(bridge: Bridge) -> bytes:
    draft = signed_by(bridge, proposed(bridge), LA)
    text = edited(draft.agreement, **EDITS["another marking"](draft.agreement))
    return package(text, *draft.signatures, signature(bridge, KH, text))
