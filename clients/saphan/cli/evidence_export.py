"""`saphan evidence export`: ask the node for what is lacking, then read its store into a file.

1. Refuse what cannot be written, before anything is given away.
2. With --disclose the person confirms; the node records the disclosure, durably, and gives the key.
   Its statement is waited for, so that the bundle shows it in the log.
3. The node, if it runs, fetches what the store lacks; without it the store is taken as it is.
4. The export is recorded at the node, and in the log by its commitment.
5. The bundle is written, then checked as a stranger would check it.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import asdict
from functools import partial
from typing import Any, Final

from saphan_protocol.bundle.report import Verdict
from saphan_schemas.bundles import BundleDisclosure
from saphan_schemas.codec import decode
from saphan_schemas.errors import SaphanError
from saphan_schemas.exports import BUNDLED
from saphan_schemas.records import Signature

from saphan.base64_text import bytes_of
from saphan.cli.options import local_node, now_ms, office_of
from saphan.cli.progress import PATIENCE_S, Progress
from saphan.cli.speech import confirm, language, note, say, show
from saphan.evidence.checking import check_bundle
from saphan.evidence.exporting import NodeStore, export_bundle
from saphan.evidence.gather import Gathered
from saphan.evidence.sentences import remark_sentence
from saphan.exports_noted import record_export
from saphan.item_file import require_new
from saphan.local_api import LocalNode

LOGGED_S: Final = 30.0
"""How long the log is given to show a disclosure; the bundle is good without, with a gap."""
LOOK_S: Final = 0.2
SIGNATURE_BYTES: Final = 8 * 1024


def export(args: argparse.Namespace) -> int:
    """The command; its status is 0 for every bundle that was written: its own check is shown."""
    require_new(args.out)
    office = office_of(args)
    pins, agency = office.read_pins(), office.read_agency().agency
    store = NodeStore(office.node / "data", agency, pins)
    bulletin, node = store.find(args.id), local_node(args)
    disclosure = _disclosed(node, bulletin, args) if args.disclose else None
    _fetch_lacking(node, bulletin)
    with Progress("note.evidence_progress") as progress:
        gathered = export_bundle(
            store,
            bulletin,
            args.out,
            now_ms(),
            attachments=args.attachments,
            disclosure=disclosure,
            log=args.log,
            progress=progress,
            record=partial(record_export, office, node, bulletin, BUNDLED, now_ms()),
        )
    verdict = check_bundle(args.out, pins)
    show(_json(args, gathered, verdict), _page(args, gathered, verdict), as_json=args.json)
    return 0


def _fetch_lacking(node: LocalNode, bulletin: bytes) -> None:
    """Step 3. What the node cannot fetch now becomes a gap of the bundle, which names it."""
    try:
        node.post(f"/v1/bulletins/{bulletin.hex()}/evidence", {})
    except SaphanError as error:
        note(say("note.evidence_unfetched", why=error.message))


def _disclosed(node: LocalNode, bulletin: bytes, args: argparse.Namespace) -> BundleDisclosure:
    """Step 2.

    Raises:
        OperatorError: `not_confirmed`; SaphanError: what the node refuses it for.
    """
    short = bulletin.hex()[:16]
    confirm(say("prompt.evidence_disclose", id=short, to=args.to), yes=args.yes)
    where = f"/v1/bulletins/{bulletin.hex()}"
    asked = {"to": args.to, "reason": args.reason, "handle": args.officer}
    given = node.post(f"{where}/disclosure", asked)
    disclosure = bytes_of(given["disclosure"])
    _until_logged(node, where, args)
    return BundleDisclosure(
        bytes_of(given["content_key"]),
        disclosure,
        decode(Signature, bytes_of(given["signature"]), SIGNATURE_BYTES, "signature"),
        bytes_of(given["salt"]),
    )


def _until_logged(node: LocalNode, where: str, args: argparse.Namespace) -> None:
    """Until the log shows it. Others' witnesses hear of it with their next head, which may be in an
    hour: it concerns this agency alone, and nobody is woken for it."""
    began, told = time.monotonic(), False
    while (waited := time.monotonic() - began) < LOGGED_S:
        rows = node.get(f"{where}/disclosures")["disclosures"]
        if any(row["index"] is not None for row in rows if _same(row, args)):
            return
        if waited > PATIENCE_S and not told:
            told = True
            note(say("note.evidence_waits", seconds=int(LOGGED_S)))
        time.sleep(LOOK_S)
    note(say("note.evidence_not_logged"))


def _same(row: dict[str, Any], args: argparse.Namespace) -> bool:
    return (row["to"], row["reason"], row["handle"]) == (args.to, args.reason, args.officer)


def _json(args: argparse.Namespace, gathered: Gathered, verdict: Verdict) -> dict[str, object]:
    return asdict(gathered) | {
        "file": str(args.out),
        "id": verdict.bulletin_id.hex(),
        "verdict": verdict.outcome.value,
        "gaps": [gap.code for gap in verdict.gaps],
        "finding": None if verdict.finding is None else verdict.finding.code,
    }


def _page(args: argparse.Namespace, gathered: Gathered, verdict: Verdict) -> list[str]:
    lines = [say("note.evidence_written", path=args.out, bytes=f"{gathered.bytes:,}")]
    if gathered.left_out:
        lines.append(say("note.evidence_left_out", count=gathered.left_out))
    if gathered.absent:
        lines.append(say("note.evidence_absent"))
    outcome = say(f"verdict.{verdict.outcome.value}")
    lines.append(say("note.evidence_checked", verdict=outcome))
    lines += [f"  - {remark_sentence(gap, 'gap', language())}" for gap in verdict.gaps]
    if verdict.finding is not None:
        lines.append(f"  - {verdict.finding.message} ({verdict.finding.code})")
    if args.disclose:
        lines.append(say("note.evidence_open"))
    return lines
