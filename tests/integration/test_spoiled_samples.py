"""What a sender's program lets pass, the recipient's node refuses: signed, and why it is sealed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from saphan.agreements.terms import RuleTerms
from saphan.compose import Wish
from saphan.node.service import NodeService
from saphan_schemas.bodies import NAMES
from saphan_schemas.records import Marking
from saphan_schemas.samples import files, sample, schema_of, wish
from support.attaching import upload
from support.bridge import KH, LA, Bridge, agreed, eventually, states
from support.mutations import Spoiled, spoil

UNSENDABLE = frozenset({"lone surrogate", "a float"})
"""What cannot be encoded at all, so no program can send it."""
CODES = frozenset({"schema_invalid", "rule_broken", "text_forbidden"})
SENT = tuple(name.split("/")[1] for name in NAMES)


def chosen() -> Iterator[tuple[str, Spoiled]]:
    """Every kind of fault for each type; not in attachments."""
    for name in SENT:
        whole = sample(name)
        spoiled = spoil(schema_of(name), whole)
        found = [one for one in spoiled if one.content["attachments"] == whole["attachments"]]
        for kind in sorted({one.kind for one in found} - UNSENDABLE):
            same = [one for one in found if one.kind == kind]
            yield name, same[len(same) // 2]


def written(node: NodeService, name: str, one: Spoiled) -> Wish:
    """The wish for it, its files brought to the node."""
    given = wish(name)
    kinds = [each["media_type"] for each in given.get("attachments", ())]
    return Wish(
        attachments=tuple(
            replace(upload(node, data, file), role=role, media_type=kind)
            for (role, file, data), kind in zip(files(name), kinds, strict=True)
        ),
        to=(KH,),
        schema=given["schema"],
        about=one.content["about"],
        body=one.content["body"],
        marking=Marking(given["marking"]["tlp"], tuple(given["marking"]["codes"])),
        urgency=given["urgency"],
        exercise=True,
    )


async def test_every_kind_of_fault_is_rejected_by_the_recipient(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """la.ospp's program checks nothing; kh.gpo's does, and only la.ospp can read what was wrong."""
    monkeypatch.setattr("saphan.compose.validate_content", lambda *_: None)
    monkeypatch.setattr("saphan.node.threads.book._words", lambda _: None)
    async with bridge.broker_running():
        await bridge.enrol(rules=(RuleTerms(sender=LA, recipient=KH, tlp_ceiling="red"),))
        async with bridge.node(LA) as la, bridge.node(KH) as kh:
            await agreed(la)
            sent = [(await la.send(written(la, name, one)), name, one) for name, one in chosen()]
            assert len({one.kind for _, _, one in sent}) >= 20
            assert len({name for _, name, _ in sent}) == len(NAMES)
            ids = [bulletin for bulletin, _, _ in sent]
            await eventually(lambda: all(states(la, each) == ["rejected"] for each in ids))
            wrong: list[str] = []
            for bulletin, name, one in sent:
                event = la.bulletins.status(bulletin)["timeline"][-1]
                if event["code"] not in CODES or not any(
                    f"[{pointer}]" in event["detail"] for pointer in one.pointers
                ):
                    wrong.append(f"{name}, {one}: {event['code']} {event['detail']}")
            assert wrong == []
            assert kh.bulletins.inbox(0, 9) == []
            said = kh.db.rows("SELECT body FROM statements WHERE event = 'rejected'")
            assert len(said) == len(sent)
            assert not any(b"/body" in body or b"/about" in body for (body,) in said)
