"""python -m benchmarks.seeded FOLDER --records N: seeds logs, pins and packs for an audit.

    FOLDER/logs/directory, FOLDER/logs/evidence    both logs as C2SP tiles
    FOLDER/pins.json                               what the heads are believed by
    FOLDER/1.pack, FOLDER/2.pack, ...              the broker's packs, one stretch of the log each

Signatures, commitments and heads are real; ciphertexts and stanzas, which no log and no pack holds,
are random digests. The same seed makes the same story; ML-DSA's signatures differ.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks.seeded.making import make


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.seeded")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--records", type=int, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--batch", type=int, default=8, help="items a node signs at once, about")
    parser.add_argument("--packs", type=int, default=4)
    args = parser.parse_args()
    made = make(args.folder, args.records, seed=args.seed, batch=args.batch, packs=args.packs)
    sys.stdout.write(f"{made}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
