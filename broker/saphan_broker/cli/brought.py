"""What `copy`, `backup` and `restore` say alike, of the attachments that they brought."""

from __future__ import annotations

import sys
from collections.abc import Mapping

from saphan_schemas.messages import text
from saphan_schemas.terminal import print_json, print_line

from saphan_broker.moving.attachments import Brought


def print_brought_json(value: Mapping[str, object], brought: Brought) -> None:
    """Print `value` as one JSON object together with what came of the attachments."""
    attachments = {"attachments": brought.there, "lost": brought.lost, "named": brought.named}
    print_json(sys.stdout, {**value, **attachments})


def print_brought(note: str, brought: Brought, **values: object) -> None:
    """Print a note of the catalogue, and warn of attachments that the source had lost."""
    print_line(sys.stdout, text(note, "en", attachments=brought.there, **values))
    if brought.lost:
        names = ", ".join(brought.named)
        if brought.lost > len(brought.named):
            names += ", ..."
        lost = text("note.broker_attachments_lost", lost=brought.lost, names=names)
        print_line(sys.stdout, lost)
