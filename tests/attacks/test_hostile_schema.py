"""A schema that is not what it was, or is made to hurt whoever uses it.

The first attacker runs the broker. The second has the roots of an agency that everybody knows, and
a broker that looks at nothing.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from saphan_broker.beside import Bundles
from saphan_schemas.codec import decode_content, encode_content
from saphan_schemas.limits import LIMITS
from support.bridge import KH, LA, Bridge, agreed, bridged, eventually, opened, states, wish
from support.corrupt import keeps_any_bundle
from support.own_bridge import has_it, packaged, register, report, rules
from support.own_types import BODY, bundle
from support.roster import alarmed

LAUGHS, EACH = 12, 16
"""Definitions, and how often each refers to the next one: 2**48 nodes written out."""


@pytest.fixture
async def bridge(tmp_path: Path) -> AsyncIterator[Bridge]:
    """Two agencies whose agreement names the own type."""
    async with bridged(tmp_path) as made:
        async with made.broker_running():
            await made.enrol(rules=rules())
        yield made


async def test_a_broker_that_gives_another_bundle_is_found_out(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that would let a negative number pass: it is thrown away, and a person hears of it."""
    laxer = BODY | {"properties": BODY["properties"] | {"patrols": {"type": "integer"}}}
    other = bundle(body=laxer)

    async def lies(*_: object) -> bytes:
        return other

    async with bridge.broker_running(), bridge.node(LA) as la:
        await agreed(la)
        await opened(la)
        await register(bridge, la, bundle())
        with monkeypatch.context() as lying:
            lying.setattr(Bundles, "read", lies)
            async with bridge.node(KH) as kh:
                sent = await la.send(report())
                await eventually(lambda: alarmed(kh, "schema_bundle_differs"))
                assert not has_it(kh)
                assert kh.db.rows("SELECT * FROM schemas") == []
                await eventually(lambda: states(la, sent) == ["handed_over"])
                await eventually(lambda: states(kh, sent) == ["handed_over"])
        async with bridge.node(KH) as kh:
            await eventually(lambda: states(la, sent) == ["accepted"])
            assert not alarmed(kh, "schema_bundle_differs")


@pytest.mark.parametrize(
    ("given", "code"), [(b"other", "schema_bundle_differs"), (None, "schema_missing")]
)
async def test_an_honest_answer_does_not_silence_the_alarm_about_another_schema(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, given: bytes | None, code: str
) -> None:
    read, data, second = Bundles.read, bundle(), "la.ospp/other/1"

    async def lies(self: Bundles, source: Any, index: int) -> bytes | None:
        found = await read(self, source, index)
        return given if found == data else found

    monkeypatch.setattr(Bundles, "read", lies)
    async with bridge.broker_running(), bridge.node(LA) as la:
        await opened(la)
        await la.line.register(schema=packaged(bridge, data))
        await eventually(lambda: alarmed(la, code))
        await la.line.register(schema=packaged(bridge, bundle(second), second))
        await eventually(lambda: second in la.own.types)
        assert alarmed(la, code)


def bomb() -> bytes:
    """Few bytes that unfold into more than any memory."""
    made = decode_content(bundle(), LIMITS.schema_bytes)
    defs: dict[str, Any] = made["schema"]["$defs"]
    for number in range(LAUGHS):
        below = {"$ref": f"#/$defs/laugh{number + 1}"}
        defs[f"laugh{number}"] = {
            "type": "object",
            "additionalProperties": False,
            "properties": {f"n{place}": below for place in range(EACH)},
        }
    defs[f"laugh{LAUGHS}"] = {"type": "string", "maxLength": 9}
    made["schema"]["properties"]["body"] = {"$ref": "#/$defs/laugh0"}
    return encode_content(made)


def slow_pattern() -> bytes:
    """A regular expression on which backtracking takes for ever."""
    text = {"type": "string", "maxLength": 400, "pattern": "^(a+)+$"}
    return bundle(body=BODY | {"properties": BODY["properties"] | {"remarks": text}})


@pytest.mark.parametrize(
    ("make", "code"), [(bomb, "schema_nodes"), (slow_pattern, "schema_pattern_nested")]
)
async def test_a_hostile_schema_is_compiled_by_nobody(
    bridge: Bridge, monkeypatch: pytest.MonkeyPatch, make: Any, code: str
) -> None:
    """The honest broker refuses it; one that does not look brings it to nodes that do."""
    data = make()
    async with bridge.broker_running(), bridge.node(LA) as la, bridge.node(KH) as kh:
        await agreed(la)
        await opened(la)
        await opened(kh)
        package = packaged(bridge, data)
        refused = await la.line.register(schema=package)
        assert refused.code == code, refused
        keeps_any_bundle(monkeypatch)
        taken = await la.line.register(schema=package)
        assert taken.code is None, taken
        for node in (la, kh):
            await eventually(lambda node=node: alarmed(node, "schema_unusable"))  # type: ignore[misc]
            assert not has_it(node)
        sent = await la.send(wish())  # and everything else goes on
        await eventually(lambda: states(la, sent) == ["accepted"])
