"""What an agency may set at its node: node/settings.json, read at the start and at SIGHUP.

{"saphan": "settings/1", "desks": "0.0.0.0:8472", "budget_bytes_per_day": 20000000,
 "rules": [{"officers": ["dao"], "schemas": ["saphan/arrest_notice/1"], "from": ["la.ospp"],
            "tlp_ceiling": "amber"}],
 "sections": {"drugs": {"schemas": ["saphan/drug_seizure/1"], "from": ["la.ospp"]}},
 "officers": {"dao": {"clearance": "amber", "sections": ["drugs"], "languages": ["km", "en"]},
              "*": {"clearance": "green"}},
 "four_eyes": [{"tlp_from": "amber+strict", "by": ["chan", "sokha"]}],
 "notice": {"command": ["/usr/local/bin/page", "--saphan"],
            "escalate": [{"share": 0.5, "to": ["dao"]}]},
 "calendar": {"zones": {"th": "Asia/Bangkok"}, "holidays": {"kh": "/etc/saphan/kh.json"}},
 "recall": {"answer": "ask", "officers": ["dao"]}}

Every member may be left out, and so may the file. It names a program that the node runs: a file
that others can change is refused.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta
from saphan_schemas.errors import InvalidInput, OperatorError
from saphan_schemas.limits import LIMITS, MIB
from saphan_schemas.strict_json import parse_json

from saphan.durable import read_handle
from saphan.node.policy.calendar import CalendarSettings
from saphan.node.policy.four_eyes import FourEyes, KindList
from saphan.node.policy.recalls import WITHOUT_RECALLS, RecallSettings
from saphan.node.policy.retention import WITHOUT as WITHOUT_RETENTION
from saphan.node.policy.retention import RetentionSettings
from saphan.node.policy.rules import OfficerMap, Officers, RuleList, Rules, SectionMap
from saphan.zone import read_zone

SETTINGS_NAME: Final = "settings.json"
SETTINGS_BYTES: Final = 256 * 1024
"""256 rules of a few names each, and the clearances of an office of some hundreds."""
LEAST_BUDGET: Final = 2 * MIB
"""An idle line costs under 1 MB a day; a budget that it alone would spend is a mistake."""

Argument = Annotated[str, Meta(min_length=1, max_length=1024)]


class Step(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Who is told next when nobody has read.

    Args:
        share: of the time between arrival and deadline; above 0 and below 1.
        to: handles.
    """

    share: Annotated[float, Meta(gt=0, lt=1)]
    to: Officers


class NoticeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The program that is told of a bulletin, and who is named to it later.

    Args:
        command: program (an absolute path) and its arguments; no shell reads them.
    """

    command: Annotated[tuple[Argument, ...], Meta(min_length=1, max_length=32)]
    escalate: Annotated[tuple[Step, ...], Meta(max_length=LIMITS.escalation_steps)] = ()


class NodeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A node's settings.

    Args:
        desks: HOST:PORT at which officers' desks are served; None: at none.
        budget_bytes_per_day: of the line to the broker, both ways, per UTC day; None: no bound.
        rules: what officers are shown; None: everything, but for what their sections leave out.
        sections: desks of the office, by name: types and corridors.
        officers: clearance, sections and languages by handle, "*" for those not named; None:
            everybody is cleared for everything.
        four_eyes: what leaves with two officers' signatures only; None: nothing.
        notice: None: nobody is told.
        calendar: zones and holidays by which answers are owed; None: those that are built in.
        retention: periods of types, where they are other ones than those that are shipped.
        recall: how what others recall is answered, and which officers see to recalls.
    """

    saphan: Literal["settings/1"]
    desks: Annotated[str, Meta(max_length=300)] | None = None
    budget_bytes_per_day: Annotated[int, Meta(ge=LEAST_BUDGET, le=2**53)] | None = None
    rules: RuleList | None = None
    sections: SectionMap | None = None
    officers: OfficerMap | None = None
    four_eyes: KindList | None = None
    notice: NoticeSettings | None = None
    calendar: CalendarSettings | None = None
    retention: RetentionSettings = WITHOUT_RETENTION
    recall: RecallSettings = WITHOUT_RECALLS

    @property
    def shown(self) -> Rules:
        """Rules, sections and clearances, ready to be asked."""
        return Rules(self.rules, self.officers, self.sections)

    @property
    def two(self) -> FourEyes:
        """The kinds that need a second officer, ready to be asked."""
        return FourEyes(self.four_eyes)

    @property
    def desks_at(self) -> tuple[str, int] | None:
        """(host, port) for the desks."""
        return None if self.desks is None else parse_endpoint(self.desks, "desks")


WITHOUT: Final = NodeSettings(saphan="settings/1")
"""Of a node that has no file."""


def read_settings(path: Path) -> NodeSettings:
    """Settings from a file; those of a node without one where there is none.

    Raises:
        InvalidInput: `settings_malformed`, `address_malformed`, `too_large`.
        OperatorError: `settings_exposed` (others can change it), `file_unreadable`.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return WITHOUT
    except OSError as error:
        raise _unreadable(path, error) from None
    try:
        _check_mode(handle, path)
        return parse_settings(read_handle(handle, SETTINGS_BYTES, path, "settings"))
    except OSError as error:
        raise _unreadable(path, error) from None
    finally:
        os.close(handle)


def parse_settings(data: bytes) -> NodeSettings:
    """Settings from JSON.

    Raises:
        InvalidInput: `settings_malformed`, `address_malformed`.
    """
    try:
        settings = parse_json(NodeSettings, data)
    except ValueError as error:
        raise _malformed(str(error)) from None
    if settings.notice is not None:
        _check_notice(settings.notice)
    _check_sections(settings)
    for place, zone in ({} if settings.calendar is None else settings.calendar.zones).items():
        if read_zone(zone) is None:
            raise _malformed(f"calendar.zones.{place}: this machine knows no zone {zone!r}")
    if settings.desks is not None:
        parse_endpoint(settings.desks, "desks")
    return settings


def parse_endpoint(text: str, field: str) -> tuple[str, int]:
    """(host, port) from HOST:PORT or [HOST]:PORT.

    Raises:
        InvalidInput: `address_malformed`.
    """
    host, colon, port = text.rpartition(":")
    plain = colon and host and port.isascii() and port.isdecimal() and len(port) <= 5
    if not plain or int(port) > 65_535:
        raise InvalidInput(
            "address_malformed",
            f"{text[:80]!r} is not HOST:PORT",
            field=field,
            hint="write 127.0.0.1:8471",
        )
    return host.strip("[]"), int(port)


def _check_notice(notice: NoticeSettings) -> None:
    program = notice.command[0]
    if not program.startswith("/"):
        raise _malformed(f"notice.command: {program[:80]!r} is no absolute path")
    if any("\0" in argument for argument in notice.command):
        raise _malformed("notice.command holds a zero byte")
    shares = [step.share for step in notice.escalate]
    if shares != sorted(set(shares)):
        raise _malformed("notice.escalate: the shares do not grow from step to step")


def _check_sections(settings: NodeSettings) -> None:
    known = set(settings.sections or ())
    for handle, officer in (settings.officers or {}).items():
        for name in officer.sections or ():
            if name not in known:
                raise _malformed(f"officers.{handle}: there is no section {name}")


def _check_mode(handle: int, path: Path) -> None:
    found = os.fstat(handle)
    if not stat.S_ISREG(found.st_mode):
        raise OperatorError(
            "file_unreadable", f"{path} cannot be read: it is not a regular file", field="settings"
        )
    if stat.S_IMODE(found.st_mode) & 0o022:
        raise OperatorError(
            "settings_exposed",
            f"{path} can be changed by others (mode {stat.S_IMODE(found.st_mode):04o}), so it is "
            "not used",
            field="settings",
            hint=f"look at what it says, then: chmod 600 {path}",
        )


def _malformed(why: str) -> InvalidInput:
    return InvalidInput(
        "settings_malformed",
        f"the settings do not parse: {why}",
        field="settings",
        hint="docs/node-settings.md has an example of every member",
    )


def _unreadable(path: Path, error: OSError) -> OperatorError:
    return OperatorError(
        "file_unreadable", f"{path} cannot be read: {error.strerror}", field="settings"
    )
