"""Which agreement a command is about: a file, or one that is kept in the agency's folder."""

from __future__ import annotations

import argparse
import base64
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

from saphan_protocol.agreement import AGREEMENT_TYPE, parse_agreement
from saphan_protocol.identity import identity
from saphan_protocol.operation import parse_agreement_package
from saphan_schemas.errors import InvalidInput, OperatorError, SaphanError, Unavailable

from saphan.agency_file import AGENCY_FILE_BYTES, AgencyFile, parse_agency
from saphan.agreements.draft import DRAFT_BYTES, parse_draft
from saphan.cli.options import local_node, office_of
from saphan.durable import read_bounded


def files_of(paths: Iterable[Path]) -> list[AgencyFile]:
    """The agencies of these public files; raises as `parse_agency`."""
    return [parse_agency(read_bounded(path, AGENCY_FILE_BYTES, "agency.json")) for path in paths]


def agreement_text(args: argparse.Namespace, named: str) -> bytes:
    """Exact text of the agreement that a person names.

    Args:
        named: a file (finished or draft); else the reference, or the beginning of the identity, of
            one that is kept in the folder of --dir, or that its node has from the log.

    Raises:
        InvalidInput: `agreement_unnamed`: none, or several, are meant; parser codes for a file.
        Unavailable: `node_unreachable`: none here is meant, and the node does not run.
    """
    if Path(named).is_file():
        return _of_file(Path(named))
    texts, silent = list(_kept(args)), None
    try:
        texts += _of_node(args)
    except OperatorError:
        pass
    except Unavailable as error:
        silent = error
    found = {identity(AGREEMENT_TYPE, text): text for text in texts}
    meant = [
        text
        for name, text in found.items()
        if (len(named) >= 8 and name.hex().startswith(named.lower()))
        or parse_agreement(text).reference == named
    ]
    if silent is not None and not meant:
        raise silent  # it has the agreements of which this side keeps no file
    if len(meant) != 1:
        count = "no" if not meant else str(len(meant))
        raise InvalidInput(
            "agreement_unnamed",
            f"{count} agreements in {office_of(args).folder} or at its node go by {named[:80]!r}",
            field="agreement",
            hint="name its file, its reference or the beginning of its identity: "
            "saphan agreement list",
        )
    return meant[0]


def node_agreements(args: argparse.Namespace) -> list[dict[str, Any]]:
    """This agency's agreements as its node has them from the log, with their standing.

    Raises:
        Unavailable: `node_unreachable`; what the node answers.
    """
    found: list[dict[str, Any]] = local_node(args).get("/v1/agreements")["agreements"]
    return found


def _of_node(args: argparse.Namespace) -> Iterable[bytes]:
    """Texts that the log brought: this side may have signed first and have kept no finished one."""
    for one in node_agreements(args):
        text = local_node(args).get(f"/v1/agreements/{one['identity']}")["text"]
        yield base64.b64decode(text)


def _of_file(path: Path) -> bytes:
    data = read_bounded(path, DRAFT_BYTES, "agreement")
    if data.lstrip()[:1] == b"{":
        return parse_draft(data).text
    text = parse_agreement_package(data).agreement
    parse_agreement(text)
    return text


def _kept(args: argparse.Namespace) -> Iterable[bytes]:
    folder = office_of(args).agreement_file("any").parent
    for path in sorted(folder.glob("*.saphan")):
        with suppress(SaphanError):  # orders stand beside them, and what is damaged
            yield _of_file(path)
