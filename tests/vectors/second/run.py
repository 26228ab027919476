"""Every vector of a folder, judged with nothing but this folder, msgpack and cryptography.

python run.py schemas/vectors        one JSON object: vector -> "valid" or the code
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
from suite import READERS

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


def judged(folder: Path) -> Iterator[tuple[str, str]]:
    for family, read in {**READERS, "codec": codec}.items():
        for path in sorted((folder / family).glob("*.json")):
            vector = json.loads(path.read_text(encoding="utf-8"))
            yield f"{family}/{path.stem}", verdict(partial(read, vector))
    heads = json.loads((folder / "log/heads.json").read_text(encoding="utf-8"))
    log = [read_vkey(text) for text in heads["log_vkeys"]]
    witnesses = [[read_vkey(text) for text in pair] for pair in heads["witness_vkeys"]]
    for case in heads["cases"]:
        facts = {name: heads[name] for name in ("size", "root", "time")}
        facts["witnesses"] = case.get("witnesses")
        yield f"log/heads/{case['name']}", verdict(partial(head, case, log, witnesses, facts))
    proofs = json.loads((folder / "log/proofs.json").read_text(encoding="utf-8"))
    yield "log/proofs", verdict(partial(read_proofs, proofs))


if __name__ == "__main__":
    print(json.dumps(dict(judged(Path(sys.argv[1])))))
