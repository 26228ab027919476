"""`saphan retention report --about REF`: what this agency has on a person or a thing.

Exit status 0 also when there is nothing: that is an answer.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from saphan_schemas.errors import InvalidInput

from saphan.cli.options import Parser, Subparsers, add_command, local_node, now_ms
from saphan.cli.page_files import add_page_options, refuse_pages, write_page_files
from saphan.cli.report_lines import report_lines
from saphan.cli.speech import language, note, say, show

if TYPE_CHECKING:
    from saphan.pages.blocks import Page

Json = dict[str, Any]


def add_report(group: Subparsers[Parser]) -> None:
    """Register `saphan retention report`."""
    report = add_command(group, "report", "retention_report", _report)
    report.add_argument("--about", metavar="REF", help=say("help.report_about"))
    report.add_argument("--skip", type=int, default=0, metavar="N", help=say("help.report_skip"))
    report.add_argument("--exports", metavar="ID", help=say("help.report_exports"))
    add_page_options(report)


def _report(args: argparse.Namespace) -> int:
    refuse_pages(args)
    if (args.about is None) == (args.exports is None):
        args.asked.error(say("note.report_usage"))
    if args.exports is not None:
        return _exports(args)
    if not args.about.strip():
        raise InvalidInput("about_empty", "a report is about somebody or something", field="about")
    found = local_node(args).post("/v1/retention/report", {"about": args.about, "skip": args.skip})
    show(found, report_lines(found), as_json=args.json)
    if args.page is not None or args.pdf is not None:
        for path in write_page_files(_page(args, found), args.page, args.pdf):
            note(say("note.report_page", path=path))
    return 0


def _page(args: argparse.Namespace, found: Json) -> Page:
    from saphan.cli.options import office_of
    from saphan.subjects.page import report_page

    return report_page(found, office_of(args).read_agency().agency, language(), now_ms())


def _exports(args: argparse.Namespace) -> int:
    from saphan.cli.officer import bulletin_id
    from saphan.cli.report_lines import export_lines

    found = local_node(args).get(f"/v1/bulletins/{bulletin_id(args.exports)}/exports")
    lines = export_lines(found["exports"]) or [say("note.report_no_exports")]
    show(found, lines, as_json=args.json)
    return 0
