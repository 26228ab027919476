"""Who reports to `saphan-broker succeed` may lie: what is not signed counts for nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from msgspec.structs import replace
from saphan_broker.keys import load_log_keys
from saphan_broker.succession.gathering import AT_ONCE, SENT_AHEAD
from saphan_broker.succession.succeeding import View
from saphan_protocol.checkpoint import format_checkpoint, log_lines
from saphan_schemas.codec import encode
from saphan_schemas.errors import OperatorError
from saphan_schemas.frames import Ping
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import HeadRef
from saphan_schemas.succession_frames import AskSuccession, Report
from support.log_keys import signer
from support.lost_logs import KH, LA, Lived, live
from support.reporting import Copy, Reporter
from support.succeeding import lose_data, reporters, signed_last, succeeding

EVIDENCE, DIRECTORY = "bridge.example/evidence/1", "bridge.example/directory/1"
HUGE = 900_000
ROOT = bytes(32)
OTHER = bytes(range(32))


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Lived:
    return live(tmp_path_factory.mktemp("lived"))


def _forged(origin: str, size: int) -> bytes:
    """A head by other keys than the broker's."""
    return log_lines(*signer("a forger"), origin, format_checkpoint(origin, size, ROOT), 1)


def _unsigned(note: bytes) -> bytes:
    """The same text without the log's line of type 06."""
    text, _, lines = note.partition(b"\n\n")
    return text + b"\n\n" + lines.splitlines(keepends=True)[0]


Lie = Callable[[Reporter], list[bytes]]


def _with(**changes: object) -> Lie:
    def frames(node: Reporter) -> list[bytes]:
        copy = node.copy
        honest = Report(copy.directory, copy.evidence, 0, tuple(copy.leaves), True)
        return [encode(replace(honest, **changes))]

    return frames


def _swapped(node: Reporter) -> list[bytes]:
    leaves = (*node.copy.leaves[:-1], node.copy.leaves[0])
    return _with(leaves=leaves)(node)


def _endless(node: Reporter) -> list[bytes]:
    """Never the last one, and nothing in it."""
    copy = node.copy
    first = Report(copy.directory, copy.evidence, 0, tuple(copy.leaves), False)
    return [encode(first), encode(Report(b"", b"", len(copy.leaves), (), False))]


LIES: dict[str, tuple[Lie, str]] = {
    "a head that other keys have signed": (
        _with(evidence=_forged(EVIDENCE, HUGE)),
        "head_signature",
    ),
    "a directory head that other keys have signed": (
        _with(directory=_forged(DIRECTORY, HUGE)),
        "head_signature",
    ),
    "a head with half of its signatures": (
        lambda node: _with(evidence=_unsigned(node.copy.evidence))(node),
        "head_signature",
    ),
    "a head of the other log": (
        lambda node: _with(evidence=node.copy.directory)(node),
        "head_origin",
    ),
    "another broker's head": (
        _with(evidence=_forged("brigde.example/evidence/1", HUGE)),
        "head_origin",
    ),
    "a leaf in the place of another": (_swapped, "report_differs"),
    "fewer leaves than the head has": (
        lambda node: _with(leaves=tuple(node.copy.leaves[:-1]))(node),
        "report_differs",
    ),
    "more leaves than the head has": (
        lambda node: _with(leaves=(*node.copy.leaves, b"one more"))(node),
        "report_malformed",
    ),
    "leaves under no head": (_with(directory=b""), "report_malformed"),
    "leaves from the middle": (_with(start=2), "report_malformed"),
    "a report without an end": (_endless, "too_large"),
    "frames of another kind": (lambda node: [encode(Ping(1))] * SENT_AHEAD, "report_malformed"),
    "bytes that mean nothing": (lambda node: [b"\xc1" * 100], "malformed"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_lie_is_refused_and_counts_for_nothing(lie: str, lived: Lived, tmp_path: Path) -> None:
    frames, code = LIES[lie]

    async def scenario() -> None:
        world = lived.again(tmp_path)
        before = signed_last(world)["evidence"]
        lose_data(world)
        nodes = reporters(world, lived.late)
        async with succeeding(world) as command:
            url = await command.url()
            assert (await nodes[KH].report(url, frames(nodes[KH]))).code == code
            assert command.views[-1].decided.lost.head == before
            assert command.views[-1].decided.known.size == 0
            assert not command.views[-1].complete
            for node in nodes.values():  # who told the truth is heard all the same
                assert (await node.report(url)).code == "log_lost"
            assert (await command.made).plan.lost == before

    asyncio.run(scenario())


def test_a_head_of_any_size_counts_only_with_the_log_s_own_signature(
    lived: Lived, tmp_path: Path
) -> None:
    """The keys themselves have signed more than the signer's file knows: an old copy of it."""

    async def scenario() -> None:
        world = lived.again(tmp_path)
        keys = load_log_keys(world.keys, "evidence")
        truth = keys.sign_head(HUGE, ROOT, 2_000_000_000).note
        lose_data(world)
        copy = Copy(lived.late.directory, truth, lived.late.leaves)
        async with succeeding(world) as command:
            url = await command.url()
            for node in reporters(world, copy).values():
                assert (await node.report(url)).code == "log_lost"
            assert (await command.made).plan.lost == HeadRef(EVIDENCE, HUGE, ROOT)

    asyncio.run(scenario())


def test_strangers_are_not_counted_as_an_agency(lived: Lived, tmp_path: Path) -> None:
    async def scenario() -> None:
        world = lived.again(tmp_path)
        lose_data(world)
        node, other = world.agencies[LA], world.agencies[KH]
        stolen = {"agency": LA, "key": node.node.key_id}
        liars = {
            "key_mismatch": Reporter(other, lived.late, world.clock, change=stolen),
            "signature_invalid": Reporter(node, lived.late, world.clock, change={"nonce": OTHER}),
            "key_foreign": Reporter(other, lived.late, world.clock, change={"agency": LA}),
            "agency_unknown": Reporter(other, lived.late, world.clock, change={"agency": "vn.vks"}),
            "clock_skew": Reporter(other, lived.late, world.clock, change={"clock": 1}),
            "tls_differs": Reporter(other, lived.late, world.clock, change={"tls": bytes(32)}),
        }
        async with succeeding(world) as command:
            url = await command.url()
            for code, liar in liars.items():
                assert (await liar.report(url)).code == code, code
                assert all(row.state != "reported" for row in command.views[-1].rows), code
            # A copy that makes a signed root is believed, whoever has brought it.
            assert command.views[-1].decided.known.size == len(lived.late.leaves)
            assert {row.state for row in command.views[-1].rows} == {"refused"}

    asyncio.run(scenario())


def test_two_roots_of_a_size_that_is_not_the_largest_stop_the_making(
    lived: Lived, tmp_path: Path
) -> None:
    async def scenario() -> None:
        world = lived.again(tmp_path)
        keys = load_log_keys(world.keys, "evidence")
        small, large = (
            Copy(
                lived.late.directory,
                keys.sign_head(size, root, 2_000_000_000).note,
                lived.late.leaves,
            )
            for size, root in ((1, OTHER), (HUGE, ROOT))
        )
        other = Copy(small.directory, keys.sign_head(1, ROOT, 2_000_000_000).note, small.leaves)
        lose_data(world)
        async with succeeding(world) as command:
            url = await command.url()
            for agency, copy in ((LA, small), (LA, large), (LA, other)):
                node = Reporter(world.agencies[agency], copy, world.clock)
                assert (await node.report(url)).code == "log_lost"
            with pytest.raises(OperatorError, match="reports_contradict"):
                await command.made

    asyncio.run(scenario())


def test_a_stranger_does_not_take_back_what_the_operator_agreed_to(
    lived: Lived, tmp_path: Path
) -> None:
    """One comes while the operator reads the question: nothing of what is agreed to changes."""

    async def scenario() -> None:
        world = lived.again(tmp_path)
        lose_data(world)
        stranger = Reporter(
            world.agencies[KH], lived.late, world.clock, change={"agency": "vn.vks"}
        )
        asked = list[View]()
        url: list[str] = []

        async def agreed(view: View) -> bool:
            asked.append(view)
            assert (await stranger.report(url[0])).code == "agency_unknown"
            return True

        async with succeeding(world, agreed=agreed) as command:
            url.append(await command.url())
            for node in reporters(world, lived.late).values():
                assert (await node.report(url[0])).code == "log_lost"
            await command.made
        assert len(asked) == 1

    asyncio.run(scenario())


def test_who_is_known_waits_for_no_stranger(lived: Lived, tmp_path: Path) -> None:
    """As many as are taken at a time log in under a name that nobody has, and say nothing more."""

    async def scenario() -> None:
        world = lived.again(tmp_path)
        lose_data(world)
        nodes = reporters(world, lived.late)
        change = {"agency": "vn.vks"}
        stranger = Reporter(world.agencies[KH], lived.late, world.clock, change=change)
        async with succeeding(world) as command, AsyncExitStack() as stack:
            url = await command.url()
            assert (await nodes[LA].report(url)).code == "log_lost"
            for _ in range(AT_ONCE):
                await stack.enter_async_context(stranger.silent(url))
            assert (await nodes[KH].report(url)).code == "log_lost"
            await command.made

    asyncio.run(scenario())


def test_a_smaller_head_that_the_old_store_does_not_continue_stops_the_making(
    lived: Lived, tmp_path: Path
) -> None:
    """The store that is left is behind; a head is smaller still, and of another history."""

    async def scenario() -> None:
        world = lived.again(tmp_path)
        keys = load_log_keys(world.keys, "evidence")
        forked = keys.sign_head(1, ROOT, 2_000_000_000).note
        lived.put_back(world, "data")
        async with succeeding(world) as command:
            url = await command.url()
            copy = Copy(lived.late.directory, forked, lived.late.leaves)
            closing = await Reporter(world.agencies[LA], copy, world.clock).report(url)
            assert closing.code == "log_lost"
            with pytest.raises(OperatorError, match="reports_contradict"):
                await command.made

    asyncio.run(scenario())


def test_two_histories_stop_the_making(lived: Lived, tmp_path: Path) -> None:
    async def scenario() -> None:
        world = lived.again(tmp_path)
        last = signed_last(world)["evidence"]
        keys = load_log_keys(world.keys, "evidence")
        forked = keys.sign_head(last.size, ROOT, 2_000_000_000).note
        lose_data(world)
        async with succeeding(world) as command:
            url = await command.url()
            copy = Copy(lived.late.directory, forked, lived.late.leaves)
            closing = await Reporter(world.agencies[LA], copy, world.clock).report(url)
            assert closing.code == "log_lost"  # what the operator reads is not the node's
            with pytest.raises(OperatorError, match="reports_contradict"):
                await command.made
        assert not (world.keys / "succession").exists()
        assert signed_last(world)["evidence"] == last

    asyncio.run(scenario())


def test_a_line_is_bounded_before_it_has_shown_anything(lived: Lived, tmp_path: Path) -> None:
    async def scenario() -> None:
        world = lived.again(tmp_path)
        lose_data(world)
        async with succeeding(world) as command:
            url = await command.url()
            node = reporters(world, lived.late)[LA]
            node.change = {"heads": tuple(HeadRef(EVIDENCE, n, ROOT) for n in (1, 2))}
            assert (await node.report(url)).code == "heads_malformed"
            node.change = {}
            for first, code in (
                (encode(AskSuccession()) * 2, "malformed"),
                (b"\x00" * (LIMITS.login_bytes + 1), "too_large"),
                (encode(Report(b"", b"", 0, (), True)), "login_expected"),
            ):
                assert (await node.begin(url, first)).code == code

    asyncio.run(scenario())


def test_a_copy_in_many_parts_is_put_together(lived: Lived, tmp_path: Path) -> None:
    async def scenario() -> None:
        world = lived.again(tmp_path)
        lose_data(world)
        nodes: dict[str, Reporter] = reporters(world, lived.late)
        async with succeeding(world) as command:
            url = await command.url()
            for node in nodes.values():
                node.part = 1
                assert (await node.report(url)).code == "log_lost"
            assert (await command.made).plan.known.size == len(lived.late.leaves)

    asyncio.run(scenario())
