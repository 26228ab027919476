"""A real node asked as its OpenAPI document allows, and as it does not: no fault, no surprise.

Schemathesis makes the requests from the document. What it calls a wrong refusal is not asked about:
a document cannot say that a bulletin's id is one that the node has (docs/fuzzing.md).
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable
from saphan.node.service import NodeService
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from support.bridge import KH, LA, Bridge, agreed, opened
from support.servers import free_port

EXAMPLES: Final = 2
"""Of each operation, right and wrong ones."""
SEED: Final = 20_261_122
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
LEAST: Final = {GenerationMode.POSITIVE: 60, GenerationMode.NEGATIVE: 20}
"""Requests that must have been answered; what takes nothing cannot be asked wrongly."""
ENDLESS: Final = "/v1/events"
"""A stream that stays open: asked for in test_node_api.py."""


def asked(base: str, headers: dict[str, str], mode: GenerationMode) -> int:
    """Ask every operation a few times; how many requests were answered as the document says."""
    document = requests.get(f"{base}/v1/openapi.json", headers=headers, timeout=20).json()
    answered = 0
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        assert isinstance(found, Ok), found
        operation = found.ok()
        if operation.path != ENDLESS:
            answered += _cases(operation, base, headers, mode)
    return answered


def _cases(operation: Any, base: str, headers: dict[str, str], mode: GenerationMode) -> int:
    count = 0

    def one(case: Any) -> None:
        nonlocal count
        response = case.call(base_url=base, headers=headers, timeout=20)
        case.validate_response(response, checks=CHECKS)
        count += 1

    few: Any = settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    drawn: Any = given(operation.as_strategy(mode))
    decorated = drawn(one)
    seeded: Any = seed(SEED)
    # Nothing wrong can be asked of an operation that takes nothing.
    with suppress(*(() if mode is GenerationMode.POSITIVE else (Unsatisfiable,))):
        seeded(few(decorated))()
    return count


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
async def test_every_answer_is_one_that_the_document_has(
    bridge: Bridge, mode: GenerationMode
) -> None:
    async with bridge.broker_running():
        await bridge.enrol()
        place = ("127.0.0.1", free_port())
        async with (
            bridge.node_with_api(LA, listen=place) as la,
            bridge.node_with_api(KH) as kh,
        ):
            await agreed(la)
            await opened(kh)
            base, headers = "http://{}:{}".format(*place), _token(la)
            answered = await asyncio.to_thread(asked, base, headers, mode)
            assert answered > LEAST[mode]
            assert await asyncio.to_thread(_agency, base, headers) == LA


def _token(node: NodeService) -> dict[str, str]:
    return {"Authorization": f"Bearer {node.config.token_file.read_text().strip()}"}


def _agency(base: str, headers: dict[str, str]) -> str:
    """The node still answers a right question."""
    return str(requests.get(f"{base}/v1/identity", headers=headers, timeout=20).json()["agency"])
