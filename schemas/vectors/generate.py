"""Write the vectors of the suite: one file, one case, negatives with one defect and its layer.

    python schemas/vectors/generate.py [folder]

Seeds and bodies are fixed. HPKE, ML-DSA and Cobblestone draw their own randomness inside, so
what they made once stands in frozen.json and is taken from there; a name that is missing there is
made anew and added. Everything else follows from it, byte for byte.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from cases_attachments import attachment
from cases_batch import batch
from cases_content import content
from cases_custody import custody
from cases_identity import bulletin_id, dsse
from cases_seals import detail, stanza
from vector_kit import Cases, Frozen

HERE: Final = Path(__file__).resolve().parent
FROZEN: Final = HERE / "frozen.json"

FAMILIES: Final[dict[str, Callable[[Frozen], Cases]]] = {
    "dsse": dsse,
    "batch": batch,
    "stanza": stanza,
    "custody": custody,
    "detail": detail,
    "content": content,
    "attachment": attachment,
    "bulletin_id": bulletin_id,
}


def main(folder: Path) -> None:
    """Write all families into `folder`."""
    frozen = Frozen(FROZEN)
    for family, cases in FAMILIES.items():
        (folder / family).mkdir(parents=True, exist_ok=True)
        for name, vector in cases(frozen):
            text = json.dumps({"name": name} | vector, indent=1, ensure_ascii=False) + "\n"
            (folder / family / f"{name}.json").write_text(text, encoding="utf-8")
    frozen.save()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
