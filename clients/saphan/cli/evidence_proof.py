"""`saphan evidence proof`: C2SP tlog-proofs of one bulletin's entries, for other people's tools."""

from __future__ import annotations

import argparse
from pathlib import Path

from saphan.audit.kept_logs import kept_log, log_of_bulletin
from saphan.cli.options import office_of
from saphan.cli.speech import say, show
from saphan.durable import create_file, make_folder
from saphan.evidence.exporting import NodeStore
from saphan.evidence.placing import Placing
from saphan.evidence.story import Story, find_bulletin
from saphan.evidence.tlog import leaf_proofs, proof_policy


def proofs(args: argparse.Namespace) -> int:
    """Write `policy`, and for each entry `<index>-<event>.leaf` and `.tlog-proof`."""
    office = office_of(args)
    pins, agency = office.read_pins(), office.read_agency().agency
    out: Path = args.out
    with NodeStore(office.node / "data", agency, pins).reading() as db:
        bulletin = find_bulletin(db, args.id)
        number = log_of_bulletin(db, bulletin) if args.log is None else args.log
        kept = kept_log(db, pins, number)
        story = Story(db, kept, bulletin)
        found = list(leaf_proofs(story, Placing(db, kept.pins.evidence.origin)))
        policy = proof_policy(db, story, agency, kept.pins)
    make_folder(out)
    create_file(out / "policy", policy)
    for one in found:
        name = f"{one.index}-{one.event}"
        create_file(out / f"{name}.leaf", one.leaf)
        create_file(out / f"{name}.tlog-proof", one.proof)
    value = {"id": story.bulletin.hex(), "folder": str(out), "proofs": len(found)}
    show(value, [say("note.evidence_proofs", count=len(found), path=out)], as_json=args.json)
    return 0
