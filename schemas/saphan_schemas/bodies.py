"""The body types of this package: their files, bundled, and the digest over each bundle.

A type's name is `saphan/<type>/<version>`. `bodies/<type>.json` is the schema of its body and
`bodies/<type>.rules.json` its rules; `bodies/shared/` holds the types that several use and their
rules. A new type is these files, a line in `NAMES`, samples, labels and codes.
"""

from __future__ import annotations

import functools
import hashlib
import json
from importlib import resources
from typing import Any, Final

from saphan_schemas.bundling import make_bundle
from saphan_schemas.codec import encode_content
from saphan_schemas.directory_records import TypeName
from saphan_schemas.errors import InvalidInput
from saphan_schemas.pae import pae

SCHEMA_TYPE: Final = "saphan/schema/1"
"""PAE type of a bundle's canonical bytes."""

NAMES: Final[tuple[str, ...]] = (
    "saphan/asset_lead/1",
    "saphan/case_statistics/1",
    "saphan/controlled_delivery/1",
    "saphan/drug_disposal/1",
    "saphan/drug_seizure/1",
    "saphan/info_reply/1",
    "saphan/info_request/1",
    "saphan/mla_request/1",
    "saphan/precursor_incident/1",
    "saphan/subject_notice/1",
    "saphan/trafficking_alert/1",
    "saphan/training_notice/1",
)
"""Every type this package has, sorted."""

_RULES: Final = ".rules.json"


def bundle(name: str) -> dict[str, Any]:
    """The map {"rules", "schema"} of a type: everything its digest covers.

    Args:
        name: one of `NAMES`.

    Raises:
        InvalidInput: `schema_unknown`.
    """
    stem = _stem(name)
    defs, def_rules = shared_types()
    return make_bundle(name, _read(f"{stem}.json"), _read(f"{stem}{_RULES}"), defs, def_rules)


@functools.cache
def bundle_bytes(name: str) -> bytes:
    """Canonical content bytes of `bundle(name)`."""
    return encode_content(bundle(name))


@functools.cache
def digest(name: str) -> bytes:
    """`digest_of` the bundle, 32 bytes: `Header.schema_digest`."""
    return digest_of(bundle_bytes(name))


def digest_of(data: bytes) -> bytes:
    """SHA-256(PAE("saphan/schema/1", canonical bytes of a bundle))."""
    return hashlib.sha256(pae(SCHEMA_TYPE, data)).digest()


@functools.cache
def known_types() -> tuple[TypeName, ...]:
    """Name and digest of every type, sorted by name: what the `types` operation registers."""
    return tuple(TypeName(name=name, digest=digest(name)) for name in NAMES)


@functools.cache
def shared_types() -> tuple[dict[str, Any], dict[str, Any]]:
    """All shared types and the rules of those that have some, by name; not to be changed.

    Raises:
        ValueError: two files have a type of one name; a bug.
    """
    types: dict[str, Any] = {}
    rules: dict[str, Any] = {}
    folder = resources.files("saphan_schemas").joinpath("bodies", "shared")
    for file in sorted(folder.iterdir(), key=lambda file: file.name):
        if file.name.endswith(".json"):
            found = json.loads(file.read_text(encoding="utf-8"))
            merged = rules if file.name.endswith(_RULES) else types
            if merged.keys() & found.keys():
                raise ValueError(f"bodies/shared/{file.name}: a name stands in two files")
            merged.update(found)
    return types, rules


def _stem(name: str) -> str:
    if name not in NAMES:
        raise InvalidInput(
            "schema_unknown",
            f"this program has no type named {name[:80]!r}",
            field="header.schema",
            hint="update Saphan, or ask the sender to use one of: " + ", ".join(NAMES),
        )
    return name.split("/")[1]


def _read(file: str) -> Any:
    path = resources.files("saphan_schemas").joinpath("bodies", file)
    return json.loads(path.read_text(encoding="utf-8"))
