"""Is this content what its header's schema says: characters, then schema, then rules."""

from __future__ import annotations

from typing import Any

from saphan_schemas.body_types import BUILT_IN, BodyTypes
from saphan_schemas.errors import InvalidInput
from saphan_schemas.header_facts import header_facts
from saphan_schemas.records import Header


def validate_content(header: Header, content: dict[str, Any], types: BodyTypes = BUILT_IN) -> None:
    """Check content against its type, as schemas/spec/content.md numbers the steps.

    Args:
        header: decoded; it names the type and its digest, and rules see its facts.
        content: the decoded map {about, attachments, body} (`codec.decode_content` made it).
        types: those that this program knows.

    Raises:
        InvalidInput: `schema_unknown`, `text_forbidden`, `schema_invalid`, `attachment_name` or
            `rule_broken`; `field` is the JSON pointer of the offending value, `fault` says what
            would be right there.
    """
    kind = types.get(header.schema)
    if kind.digest != header.schema_digest:
        raise InvalidInput(
            "schema_unknown",
            f"this program has another {kind.name} than the one that the header names",
            field="header.schema_digest",
            hint="update Saphan on the older side",
        )
    kind.check(content, header_facts(header, kind.header_facts))
