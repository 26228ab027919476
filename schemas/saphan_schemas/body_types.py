"""The types that a program knows: its own, and those that agencies have registered."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from saphan_schemas import bodies
from saphan_schemas.attachments import check_list
from saphan_schemas.codec import decode_content
from saphan_schemas.errors import InvalidInput
from saphan_schemas.faults import Fault
from saphan_schemas.header_facts import FACTS
from saphan_schemas.limits import LIMITS
from saphan_schemas.quick_schema import quick_schema
from saphan_schemas.rules import RuleSet
from saphan_schemas.schema_check import check_schema, compile_schema, is_valid
from saphan_schemas.text import check_texts

if TYPE_CHECKING:
    from jsonschema_rs import Draft202012Validator as Validator


class BodyType:
    """One type: its bundle, and how content is checked against it.

    Args:
        name: such as "saphan/drug_seizure/1".
        read: gives the bundle's canonical bytes, once they are needed.
    """

    def __init__(self, name: str, read: Callable[[], bytes]) -> None:
        self.name = name
        self._read = read

    @functools.cached_property
    def data(self) -> bytes:
        """Canonical bytes of the bundle."""
        return self._read()

    @functools.cached_property
    def digest(self) -> bytes:
        """32 bytes: what `Header.schema_digest` says."""
        return bodies.digest_of(self.data)

    @functools.cached_property
    def bundle(self) -> dict[str, Any]:
        """The map {"rules", "schema"}; not to be changed.

        Raises:
            InvalidInput: codec codes: these bytes are no bundle.
        """
        return decode_content(self.data, LIMITS.schema_bytes)

    def check(self, content: dict[str, Any], facts: dict[str, Any]) -> None:
        """Characters, schema, names of attachments, rules, in this order.

        Args:
            content: the decoded map {about, attachments, body}.
            facts: of the header (`header_facts`).

        Raises:
            InvalidInput: `text_forbidden`, `schema_invalid`, `attachment_name`, `rule_broken`;
                `schema_malformed` or `rule_malformed` if the bundle itself cannot be used.
        """
        quick, exact, rules = self._compiled
        try:
            if quick is None or not is_valid(quick, content):
                check_texts(content)
                check_schema(exact, content)
            check_list(content["attachments"])
            rules.check({**content, "header": facts})
        except InvalidInput as error:
            fault = error.fault or Fault(error.code, error.field or "")
            error.fault = replace(fault, schema=self.name)
            raise

    @functools.cached_property
    def header_facts(self) -> frozenset[str]:
        """Which facts of a header its rules look at; all that `check` needs.

        Raises:
            InvalidInput: `schema_malformed`, `rule_malformed`.
        """
        named = self._compiled[2].header_facts
        return frozenset(FACTS) if "" in named else named & FACTS.keys()

    @functools.cached_property
    def _compiled(self) -> tuple[Validator | None, Validator, RuleSet]:
        parts = self.bundle
        if parts.keys() != {"rules", "schema"}:
            raise InvalidInput("schema_malformed", "a bundle has rules and a schema", field="")
        quick = quick_schema(parts["schema"])
        return (
            None if quick is None else compile_schema(quick),
            compile_schema(parts["schema"]),
            RuleSet(parts["rules"]),
        )


class BodyTypes:
    """Types by name; a set of them is never changed, `with_own` makes a larger one."""

    def __init__(self, types: dict[str, BodyType]) -> None:
        self._types = types

    def __iter__(self) -> Iterator[BodyType]:
        """All types, sorted by name."""
        return iter(self._types[name] for name in sorted(self._types))

    def __contains__(self, name: str) -> bool:
        return name in self._types

    def get(self, name: str) -> BodyType:
        """A type by its name.

        Raises:
            InvalidInput: `schema_unknown`.
        """
        found = self._types.get(name)
        if found is None:
            raise unknown(name, self._types)
        return found

    def with_own(self, name: str, data: bytes) -> BodyTypes:
        """These types and one that an agency registered.

        Args:
            name: in the agency's own namespace; data: the bundle's canonical bytes, already
                compared with the digest in the directory log.
        """
        if name.startswith("saphan/"):
            raise ValueError("a type of Saphan's own comes with the package")
        return BodyTypes({**self._types, name: BodyType(name, lambda: data)})


def unknown(name: str, known: dict[str, BodyType]) -> InvalidInput:
    """`schema_unknown`, for a type that is not there or has another digest."""
    shown = json.dumps(name[:80], ensure_ascii=True)
    return InvalidInput(
        "schema_unknown",
        f"this program has no type named {shown}",
        field="header.schema",
        hint="update Saphan, or ask the sender to use one of: " + ", ".join(sorted(known)),
    )


def _built_in(name: str) -> BodyType:
    return BodyType(name, lambda: bodies.bundle_bytes(name))


BUILT_IN: Final = BodyTypes({name: _built_in(name) for name in bodies.NAMES})
"""The types that this package brings."""
