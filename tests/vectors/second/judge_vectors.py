"""Every vector of a folder, judged with nothing but this folder, msgpack and cryptography.

python judge_vectors.py schemas/vectors        one JSON object: vector -> "valid" or the code
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from log import Key, read_head, read_proofs, read_vkey
from mp import Refuse, number, octets, read_content, read_record, refuse, words
from retention import read_leaf, read_log
from rules import check_rules
from schema import check_schema
from succession import read_succession
from suite import READERS, pae, same, sha256
from text import check_names, check_text

HEAD_REF = (words(r"[a-z0-9][a-z0-9./-]{0,120}"), number(), octets(32))


def verdict(read: Callable[[], object]) -> str:
    try:
        read()
    except Refuse as refused:
        return refused.code
    return "valid"


def codec(vector: dict[str, Any]) -> None:
    data = bytes.fromhex(vector["hex"])
    if vector["type"] == "content":
        read_content(data)
    else:
        read_record(data, *HEAD_REF)


def head(case: Any, log: list[Key], witnesses: list[list[Key]], facts: dict[str, Any]) -> None:
    if read_head(case["note"].encode(), log, witnesses) != facts:
        refuse("differs")


def change(vector: dict[str, Any], changes: list[list[Any]]) -> tuple[Any, Any]:
    """Content and header facts of a sample with a case's changes made."""
    whole = json.loads(json.dumps({**vector["content"], "header": vector["header"]}))
    for at, *value in changes:
        *steps, last = at.split("/")[1:]
        box = whole
        for step in steps:
            box = box[int(step)] if isinstance(box, list) else box[step]
        key = int(last) if isinstance(box, list) else last
        if value:
            box[key] = value[0]
        else:
            del box[key]
    return whole, whole.pop("header")


def body(bundle: dict[str, Any], content: Any, facts: Any) -> None:
    """content.md, Checking, steps 4 to 7."""
    check_text(content)
    check_schema(bundle["schema"], content)
    check_names(content["attachments"])
    check_rules(bundle["rules"], content, facts)


def bodies(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted((folder / "body").glob("*.json")):
        vector = json.loads(path.read_text(encoding="utf-8"))
        data = path.with_suffix(".bundle").read_bytes()
        bundle = read_content(data)
        same(sha256(pae("saphan/schema/1", data)), vector["digest"])
        for place, case in enumerate([{"change": []}, *vector["cases"]]):
            content, facts = change(vector, case["change"])
            judge = partial(body, bundle, content, facts)
            yield f"body/{path.stem}/{place}", verdict(judge)


def successions(folder: Path) -> Iterator[tuple[str, str]]:
    file = json.loads((folder / "log/succession.json").read_text(encoding="ascii"))
    for case in file["cases"]:

        def read(case: dict[str, Any] = case) -> None:
            if read_succession(case, file) != case["named"]:
                refuse("differs")

        yield f"log/succession/{case['name']}", verdict(read)


def destruction(folder: Path) -> Iterator[tuple[str, str]]:
    for case in json.loads((folder / "retention/leaves.json").read_text(encoding="ascii"))["cases"]:
        yield f"retention/leaves/{case['name']}", verdict(partial(read_leaf, case))
    for case in json.loads((folder / "retention/logs.json").read_text(encoding="ascii"))["cases"]:
        code, index = read_log(case)
        at = code if index is None else f"{code} at {index}"
        yield f"retention/logs/{case['name']}", at


def judged(folder: Path) -> Iterator[tuple[str, str]]:
    for family, read in {**READERS, "codec": codec}.items():
        for path in sorted((folder / family).glob("*.json")):
            vector = json.loads(path.read_text(encoding="utf-8"))
            yield f"{family}/{path.stem}", verdict(partial(read, vector))
    yield from bodies(folder)
    heads = json.loads((folder / "log/heads.json").read_text(encoding="utf-8"))
    log = [read_vkey(text) for text in heads["log_vkeys"]]
    witnesses = [[read_vkey(text) for text in pair] for pair in heads["witness_vkeys"]]
    for case in heads["cases"]:
        facts = {name: heads[name] for name in ("size", "root", "time")}
        facts["witnesses"] = case.get("witnesses")
        yield f"log/heads/{case['name']}", verdict(partial(head, case, log, witnesses, facts))
    yield from destruction(folder)
    yield from successions(folder)
    proofs = json.loads((folder / "log/proofs.json").read_text(encoding="utf-8"))
    yield "log/proofs", verdict(partial(read_proofs, proofs))


if __name__ == "__main__":
    print(json.dumps(dict(judged(Path(sys.argv[1])))))
