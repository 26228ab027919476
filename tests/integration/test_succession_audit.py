"""Both sides of a succession, exported from the broker and audited: the gap is a number."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest
from saphan_protocol.pins import format_pins
from support.broker_command import BrokerRan, saphan_broker_here
from support.brokers import World
from support.command import saphan_here
from support.lost_logs import Lived, live, renamed
from support.succeeding import exchange, reporters, signed_last, succeeding


@dataclass(frozen=True)
class Succeeded:
    """A broker on its second log; of the first one an older store is left, set aside."""

    world: World
    first: Lived
    signed: int

    def broker(self, *words: str | Path, status: int = 0) -> BrokerRan:
        """A command on its data, with its keys where it takes them."""
        keys = () if words[0] == "log" else ("--keys", self.world.keys)
        return saphan_broker_here(*words, "--data", self.world.data, *keys, status=status)

    def exported(self, place: Path, number: int | None = None) -> list[str | Path]:
        """Logs and pack of one number: words for `audit verify`."""
        log = () if number is None else ("--log", str(number))
        self.broker("log", "export", "--out", place / "logs", *log)
        self.broker("records", "export", "--out", place / "pack", *log)
        pins = self.first.world.pins if number == 1 else self.world.pins
        (place / "pins.json").write_bytes(format_pins(pins))
        return [place / "logs", "--pack", place / "pack", "--pins", place / "pins.json"]


@pytest.fixture(scope="module")
def succeeded(tmp_path_factory: pytest.TempPathFactory) -> Succeeded:
    lived = live(tmp_path_factory.mktemp("lived"))
    world = lived.again(tmp_path_factory.mktemp("succeeded"))
    signed = signed_last(world)["evidence"].size
    lived.put_back(world, "data")

    async def scenario() -> None:
        async with succeeding(world) as command:
            url = await command.url()
            for reporter in reporters(world, lived.late).values():
                await reporter.report(url)
            await command.made
        async with renamed(world).running():
            first, second = world.agencies.values()
            await exchange(world, first, second)

    asyncio.run(scenario())
    return Succeeded(world, lived, signed)


def test_each_log_is_exported_and_audited_under_its_own_number(
    succeeded: Succeeded, tmp_path: Path
) -> None:
    for number, place in ((1, tmp_path / "1"), (2, tmp_path / "2"), (None, tmp_path / "now")):
        words = succeeded.exported(place, number)
        shown = saphan_here("audit", "verify", *words, "--json").json
        head = shown["coverage"]["heads"][1]
        assert head["origin"] == f"bridge.example/evidence/{number or 2}"
        evidence = shown["coverage"]["evidence"]
        assert (evidence["opened"], evidence["types"]["submitted"]["opened"]) == (3, 3)
        # Under the pins of the other number nothing of it is believed.
        other = format_pins(succeeded.world.pins if number == 1 else succeeded.first.world.pins)
        (place / "other.json").write_bytes(other)
        wrong = saphan_here(
            "audit", "verify", *words[:-1], place / "other.json", "--json", status=3
        )
        assert wrong.json["finding"]["code"] in ("pack_origin", "head_origin")


def test_the_gap_between_the_two_is_a_number(succeeded: Succeeded, tmp_path: Path) -> None:
    succeeded.exported(tmp_path / "old", 1)
    words = succeeded.exported(tmp_path / "new")
    shown = saphan_here(
        "audit", "verify", *words, "--old", tmp_path / "old/logs", "--json"
    ).json["coverage"]["evidence"]["successor"]  # fmt: skip
    here = shown["head"]["size"]
    assert shown["origin"] == "bridge.example/evidence/1"
    assert (shown["size"], shown["gap"]) == (succeeded.signed, succeeded.signed - here)
    assert shown["gap"] > 3, "three bulletins, an anchor"
    assert (shown["heads_compared"], shown["named_head_signed"]) == (1, False)


def test_fsck_looks_at_either_log(succeeded: Succeeded) -> None:
    shown = succeeded.broker("fsck", "--json").json
    assert (shown["ok"], shown["behind_signer"]) == (True, {})
    successor = shown["coverage"]["evidence"]["successor"]
    assert (successor["origin"], successor["size"]) == (
        "bridge.example/evidence/1", succeeded.signed
    )  # fmt: skip
    assert "it follows bridge.example/evidence/1" in succeeded.broker("fsck").out
    shown = succeeded.broker("fsck", "--log", "1", "--json").json
    assert (shown["ok"], shown["coverage"]["evidence"]["successor"]) == (True, None)
    assert shown["coverage"]["heads"][1]["origin"] == "bridge.example/evidence/1"


def test_a_log_that_there_is_not_is_said_so(succeeded: Succeeded, tmp_path: Path) -> None:
    for words in (("log", "export"), ("records", "export")):
        ran = succeeded.broker(*words, "--out", tmp_path / words[0], "--log", "3", status=2)
        assert ran.code == "log_unknown"


def test_what_has_ended_is_not_taken_for_the_present_log(succeeded: Succeeded) -> None:
    ended = succeeded.world.data / "ended/1"
    words = ("fsck", "--data", ended, "--keys", succeeded.world.keys, "--json")
    ran = saphan_broker_here(*words, status=3)
    assert ran.json["finding"]["code"] == "pack_origin"
