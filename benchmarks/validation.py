"""How long content is checked: characters, schema and rules of every sample, and of large bodies.

`python -m benchmarks.validation` takes a minute and writes RESULTS-validation.md; with `--toy` it
looks at everything once and only prints. One process, one core, nothing else: each figure is the
least of many short blocks, because a neighbour only ever adds to it.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
from saphan_schemas.body_types import BUILT_IN, BodyType
from saphan_schemas.codec import encode_content
from saphan_schemas.codes import codes
from saphan_schemas.errors import InvalidInput
from saphan_schemas.records import Header, Marking
from saphan_schemas.samples import sample
from saphan_schemas.schema_check import compile_schema, is_valid
from saphan_schemas.text import check_texts
from saphan_schemas.validation import validate_content

from benchmarks.machine import Others, described

ALWAYS_RED: Final = "saphan/controlled_delivery/1"
TARGET_US: Final = 15
TARGET_LARGE_MS: Final = 10
LARGE: Final = 1 << 20
PROSE: Final = {"lo": "ສະບາຍດີ ", "km": "សួស្តី ", "en": "Good day "}
CELLS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Timed:
    """Microseconds for one content; the last three are floors of the same minute."""

    name: str
    size: int
    rules: int
    all: float
    decode: float
    valid: float
    texts: float


def headed(kind: BodyType) -> Header:
    """A header that the type's sample goes with."""
    return Header(
        suite=1,
        nonce=bytes(16),
        sender="la.ospp",
        recipients=("kh.gpo",),
        schema=kind.name,
        schema_digest=kind.digest,
        marking=Marking("red" if kind.name == ALWAYS_RED else "amber", ("H1", "H2")),
        urgency="immediate",
        exercise=True,
        created=0,
        expires=1,
        answer_by=None,
        retain_until=1,
    )


def least(work: Callable[[], object], seconds: float, block: int) -> float:
    """Microseconds of one call: the least of blocks of `block` calls within `seconds`."""
    found, end = float("inf"), time.perf_counter() + seconds
    while True:
        begin = time.perf_counter()
        for _ in range(block):
            work()
        now = time.perf_counter()
        found = min(found, (now - begin) / block)
        if now > end:
            return found * 1e6


def timed(kind: BodyType, name: str, content: dict[str, Any], seconds: float) -> Timed:
    """One content, with what it costs merely to decode it and to run the published schema."""
    header, data = headed(kind), encode_content(content)
    validate_content(header, content)
    published = compile_schema(kind.bundle["schema"])
    block = max(1, 50_000 // len(data))
    return Timed(
        name,
        len(data),
        len(kind.bundle["rules"]),
        least(lambda: validate_content(header, content), seconds, block),
        least(lambda: msgspec.msgpack.decode(data), seconds, block),
        least(lambda: is_valid(published, content), seconds, block),
        least(lambda: check_texts(content), seconds, block),
    )


def prose_maps(node: Any) -> Iterator[dict[str, str]]:
    """Every text by language that may have paragraphs."""
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        if isinstance(value, dict) and value.keys() & PROSE.keys() and key not in ("title", "name"):
            yield value
        elif isinstance(value, (dict, list)):
            yield from prose_maps(value)


def grown(kind: BodyType, content: dict[str, Any]) -> dict[str, Any]:
    """A content of about 1 MiB: long texts in three languages, longer lists, as far as valid."""
    header = headed(kind)
    for texts in list(prose_maps(content["body"])):
        before = dict(texts)
        texts.update({lang: (word * 4_000)[:4_000] for lang, word in PROSE.items()})
        try:
            validate_content(header, content)
        except InvalidInput:
            texts.clear()
            texts.update(before)
    for entries in [one for one in content["body"].values() if isinstance(one, list) and one]:
        while len(encode_content(content)) < LARGE:
            entries.append(numbered(entries))
            try:
                validate_content(header, content)
            except InvalidInput:
                entries.pop()
                break
    return content


def numbered(entries: list[Any]) -> Any:
    """A further entry, with a number of its own where entries have one."""
    entry = copy.deepcopy(entries[-1])
    for key in ("no", "seq"):
        if isinstance(entry, dict) and isinstance(entry.get(key), int):
            entry[key] += 1
    return entry


def many_cells() -> dict[str, Any]:
    """Statistics with as many cells as a body may have, each of another group of people."""
    content = sample("case_statistics")
    body = content["body"]
    first = body["cells"][0]
    groups = itertools.product(codes("country"), codes("sex"), codes("age_band"))
    body["cells"] = [
        {**first, "nationality": country, "sex": sex, "age_band": age, "value": "1"}
        for country, sex, age in itertools.islice(groups, CELLS)
    ]
    body["totals_check"] = [{"measure": first["measure"], "value": str(CELLS)}]
    return content


def measured(seconds: float) -> list[Timed]:
    """All samples, then the large ones."""
    found = []
    for kind in BUILT_IN:
        name = kind.name.split("/")[1]
        found.append(timed(kind, name, sample(name), seconds))
    large = BUILT_IN.get("saphan/mla_request/1")
    found.append(
        timed(BUILT_IN.get("saphan/case_statistics/1"), "2,000 cells", many_cells(), seconds)
    )
    found.append(timed(large, "1 MiB", grown(large, sample("mla_request")), seconds))
    return found


def met(reached: bool) -> str:
    """In words, so that nobody has to compare."""
    return "met" if reached else "**not met**"


def page(found: list[Timed], others: float) -> str:
    """The results in Markdown."""
    rows = "".join(
        f"| {one.name} | {one.size:,} | {one.rules} | {one.all:,.1f} | {one.decode:,.1f} |"
        f" {one.valid:,.1f} | {one.texts:,.1f} |\n"
        for one in found
    )
    *samples, _, large = found
    middle = sorted(one.all for one in samples)[len(samples) // 2]
    machine = ", ".join(f"{name} {value}" for name, value in described().items())
    return (
        "# Results: checking content\n\n"
        f"Measured {datetime.now(UTC):%d %B %Y, %H:%M} UTC by `python -m benchmarks.validation`; "
        f"others used {others:.2f} of the cores.\nEach figure is the least of many short blocks, "
        "in microseconds.\n\n"
        "| aim | measured | |\n| --- | --- | --- |\n"
        f"| typical trilingual body, all rules, under {TARGET_US} us | {samples[0].name} to "
        f"{samples[-1].name}: {min(one.all for one in samples):.1f} to "
        f"{max(one.all for one in samples):.1f}, middle {middle:.1f} us | "
        f"{met(middle <= TARGET_US)} |\n"
        f"| 1 MiB body under {TARGET_LARGE_MS} ms | {large.all / 1000:.2f} ms | "
        f"{met(large.all <= TARGET_LARGE_MS * 1000)} |\n\n"
        "| content | bytes | rules | all checks | floor: decode | floor: published schema alone |"
        " floor: characters alone |\n| --- | --- | --- | --- | --- | --- | --- |\n"
        f"{rows}\nThe machine: {machine}.\n"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="benchmarks.validation", description="measure checking")
    parser.add_argument("--toy", action="store_true", help="everything once; figures mean nothing")
    toy = parser.parse_args().toy
    begun = Others()
    text = page(measured(0.0 if toy else 1.0), begun.cores())
    print(text)
    if not toy:
        Path(__file__).with_name("RESULTS-validation.md").write_text(text, encoding="utf-8")
