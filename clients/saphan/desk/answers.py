"""What a node's answers have to be: checked before a desk keeps or shows a word of them.

A node of another version, or one that somebody else has taken over, may say anything. Members that
this version does not know are left in; what is missing or of another kind refuses the answer.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta
from saphan_schemas.attachments import check_name
from saphan_schemas.decoders import convert
from saphan_schemas.errors import InvalidInput
from saphan_schemas.limits import LIMITS
from saphan_schemas.records import AgencyId, Day, HandlingCode, Index, Millis, Tlp, Urgency
from saphan_schemas.retention import Keep

from saphan.corridors import MOST_DAYS
from saphan.desk.thread_answers import Few, Named, Near, Owed
from saphan.desk_errors import malformed

Json = dict[str, Any]
Hex = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Word = Annotated[str, Meta(pattern=r"\A[a-z_]{1,32}\Z")]
Place = Annotated[int, Meta(ge=1, le=2**53)]
Number = Annotated[int, Meta(ge=1, le=LIMITS.attachments)]


class Marking(msgspec.Struct):
    """As the header has it."""

    tlp: Tlp
    codes: list[str]


class Shown(msgspec.Struct):
    """A header in JSON."""

    sender: AgencyId
    recipients: list[AgencyId]
    schema: Annotated[str, Meta(pattern="/")]
    marking: Marking
    urgency: Urgency
    exercise: bool
    created: Millis
    expires: Millis
    answer_by: Millis | None
    retain_until: Day


class Row(Shown):
    """One row of the inbox."""

    seq: Place
    id: Hex
    author: str | None
    received: Millis
    read: bool
    recalled: Word | None = None
    erased: Word | None = None
    suppressed: bool = False
    replaced_by: Annotated[list[Hex], Few] = []


class Page(msgspec.Struct):
    """Answers `AskInbox`."""

    bulletins: Annotated[list[Row], Meta(max_length=LIMITS.desk_page_items)]
    next: Index
    more: bool
    rules: Annotated[str, Meta(max_length=64)]
    waiting: Index = 0
    changed: Annotated[list[Row], Meta(max_length=LIMITS.desk_page_items)] = []


class Recipient(msgspec.Struct):
    """How one recipient of a recalled bulletin stands."""

    recipient: AgencyId
    state: Word
    until: Millis | None
    answered: Millis | None
    code: Word | None
    late: bool
    erased: Millis | None


class Answered(msgspec.Struct):
    """How this agency has answered a recall."""

    id: Hex
    time: Millis
    until: Millis | None
    code: Word
    answer: Word | None
    reason: Word | None
    by: Annotated[str, Meta(max_length=200)] | None
    answered: Millis | None


class Recall(msgspec.Struct):
    """Answers `AskRecall`."""

    id: Hex
    recalled: bool
    code: Word | None
    by: Annotated[str, Meta(max_length=200)] | None
    time: Millis | None
    recipients: Annotated[list[Recipient], Few]
    here: Answered | None
    may_answer: bool = False


class Delivery(msgspec.Struct):
    """Where one recipient's delivery stands."""

    recipient: AgencyId
    state: Word
    code: str | None


class Happened(msgspec.Struct):
    """One signed event; `log` is the number of the log that holds it."""

    index: Index
    time: Millis
    event: Word
    issuer: str
    code: str | None
    witnesses: list[str]
    detail: str | None = None
    log: Index = 1


class Sealed(msgspec.Struct):
    """A sealed attachment."""

    number: Number
    length: Index
    here: bool


class Warned(msgspec.Struct):
    """A warning before a deadline that was told."""

    recipient: AgencyId
    deadline: Literal["expires", "answer_by", "reply", "review", "recall"]
    share: Annotated[int, Meta(ge=0, le=100)]
    told: Millis


class Life(msgspec.Struct):
    """Answers `AskStatus`."""

    id: Hex
    direction: Literal["sent", "received"]
    author: str | None
    header: Shown
    deliveries: list[Delivery]
    attachments: list[Sealed]
    timeline: list[Happened]
    warnings: list[Warned] = []
    relations: Annotated[list[Named], Few] = []
    replaced_by: Annotated[list[Hex], Few] = []
    owed: Annotated[list[Owed], Few] = []
    thread: Annotated[list[Near], Few] = []


class File(msgspec.Struct):
    """An attachment of an opened bulletin."""

    number: Number
    name: str
    media_type: str
    role: str
    length: Annotated[int, Meta(ge=1, le=LIMITS.attachment_bytes)]
    sha256: Hex

    def __post_init__(self) -> None:
        """A file is saved under this name."""
        try:
            check_name(self.name, self.media_type)
        except (InvalidInput, KeyError) as error:
            raise ValueError(f"the name of attachment {self.number}: {error}") from None


class Said(msgspec.Struct):
    """What a bulletin says; its schema was judged by the node."""

    about: Json
    body: Json


class Author(msgspec.Struct):
    """One whose signature was checked; without a handle, a node."""

    handle: Annotated[str, Meta(max_length=64)] | None


class Content(msgspec.Struct):
    """Answers `AskRead`."""

    id: Hex
    header: Shown
    author: str | None
    content: Said
    attachments: Annotated[list[File], Meta(max_length=LIMITS.attachments)]
    authors: Annotated[list[Author], Meta(max_length=2)] = []
    languages: Annotated[list[str], Meta(max_length=16)] = []


class Rule(msgspec.Struct):
    """What an agreement allows in one direction."""

    sender: AgencyId
    recipient: AgencyId
    schemas: list[str]
    retain_days: Annotated[int, Meta(ge=0, le=MOST_DAYS)]


class Agreement(msgspec.Struct):
    """One memorandum."""

    rules: list[Rule]
    default_handling: list[HandlingCode] = []
    condition: str = "in_force"
    valid_from: int = 0
    valid_until: int = 2**53


class Stopped(msgspec.Struct):
    """Why the node does not speak with its broker any more."""

    code: Word
    message: Annotated[str, Meta(max_length=2_000)]
    since: Millis


class Corridors(msgspec.Struct):
    """Answers `AskIdentity`; without a member when the desk has it already."""

    agreements: list[Agreement] = []
    stopped: Stopped | None = None
    keep_months: Annotated[dict[str, Keep], Meta(max_length=LIMITS.rules)] = {}


class TypeTold(msgspec.Struct):
    """Answers `AskType`: `exact` is the bundle in base64."""

    name: Annotated[str, Meta(max_length=128)]
    digest: Hex
    exact: Annotated[str, Meta(max_length=LIMITS.desk_answer_bytes)]


class Sent(msgspec.Struct):
    """Answers `AskSend`; without an id while a second officer has to sign."""

    id: Hex | None
    draft: Hex | None = None


class Second(msgspec.Struct):
    """Answers `AskSecond`."""

    id: Hex


class Ended(msgspec.Struct):
    """Answers `AskRefuse`."""

    state: Word


class Draft(Shown):
    """A bulletin that waits for a second officer."""

    id: Hex
    author: str
    state: Word
    stored: Millis
    may_sign: bool


class Waiting(msgspec.Struct):
    """Answers `AskWaiting`."""

    drafts: Annotated[list[Draft], Meta(max_length=LIMITS.countersigning)]


class ExactBytes(msgspec.Struct):
    """What is signed, in base64."""

    header: str
    inner: str
    content: str


class Exact(msgspec.Struct):
    """Answers `AskDraft`; what is shown of it is made of the exact bytes."""

    id: Hex
    author: str
    exact: ExactBytes


class Evidence(msgspec.Struct):
    """Answers `AskEvidence`; `left_out`: entries of the log that cannot be placed any more."""

    id: Hex
    length: Annotated[int, Meta(ge=1, le=2**40)]
    sha256: Hex
    left_out: Index = 0


def checked(kind: type[msgspec.Struct], value: Json) -> Json:
    """The answer as it came, if it is one.

    Raises:
        OperatorError: `node_answer`.
    """
    try:
        convert(value, kind)
    except (msgspec.ValidationError, ValueError) as error:
        raise malformed(f"an answer of the node is none: {error}") from None
    return value


def checked_of(kind: type[msgspec.Struct], value: Json, asked: str) -> Json:
    """The same, for a bulletin whose id begins with `asked`; raises the same."""
    if not str(checked(kind, value)["id"]).startswith(asked):
        raise malformed("the node answered with another bulletin than was asked for")
    return value
