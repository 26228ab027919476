"""A correction reaches every recipient of the original: three agencies, one broker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from saphan.compose import Wish
from saphan.node.service import NodeService
from saphan.node.threads.book import ThreadBook
from saphan_schemas.errors import Refused
from support.bridge import KH, LA, VN, agreed, bridged
from support.threads import accepted, letter, related


def correcting(to: tuple[str, ...], bulletin: bytes) -> Wish:
    """A training notice that corrects another one."""
    return letter(
        "training_notice", to, about_message_kind="correction",
        about_relations=[related("corrects", bulletin)],
    )  # fmt: skip


def relations(node: NodeService, bulletin: bytes) -> list[dict[str, Any]]:
    found = node.bulletins.status(bulletin)["relations"]
    assert isinstance(found, list)
    return found


def replaced(node: NodeService, bulletin: bytes) -> list[str]:
    found = node.bulletins.status(bulletin)["replaced_by"]
    assert isinstance(found, list)
    return found


async def test_a_correction_reaches_all_or_is_refused_naming_who_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with bridged(tmp_path, LA, KH, VN) as bridge, bridge.broker_running():
        await bridge.enrol()
        async with bridge.node(LA) as la, bridge.node(KH) as kh, bridge.node(VN) as vn:
            await agreed(la)
            original = await accepted(la, letter("training_notice", (KH, VN)))
            with pytest.raises(Refused) as refused:
                await la.send(correcting((KH,), original))
            assert (refused.value.code, refused.value.field) == (
                "correction_misses",
                "header.recipients",
            )
            assert VN in refused.value.message
            assert KH not in refused.value.message.partition(" had ")[0]

            better = await accepted(la, correcting((KH, VN), original))
            (holds,) = relations(la, better)
            assert holds == {"kind": "corrects", "id": original.hex(), "stands": "holds"}
            for node in (la, kh, vn):
                assert replaced(node, original) == [better.hex()]

            # A careless node lets one out: who gets it is told that somebody else does not.
            monkeypatch.setattr(ThreadBook, "check", lambda *_: None)
            careless = await accepted(la, correcting((KH,), original))
            assert [one["stands"] for one in relations(kh, careless)] == ["misses"]
            unknown = await accepted(vn, correcting((KH,), bytes(32)))
            assert [one["stands"] for one in relations(kh, unknown)] == ["not_held"]
