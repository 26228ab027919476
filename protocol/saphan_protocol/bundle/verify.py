"""The check of an evidence bundle, step by step (schemas/spec/evidence.md)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from saphan_schemas.bundles import BundleItem

from saphan_protocol.bundle.report import Verdict
from saphan_protocol.pins import Pins

AttachmentSink = Callable[[int, bytes], None]
"""sink(number from 0, bytes): pieces of an opened attachment; nothing counts before the verdict."""


def verify_bundle(
    items: Iterable[BundleItem],
    known_types: Mapping[str, bytes],
    pins: Pins | None = None,
    sink: AttachmentSink | None = None,
) -> Verdict:
    """Check a bundle; needs no network, account or key.

    Args:
        items: as they are read (`reading.parse_bundle_item`); errors of kind InvalidInput in
            reading them are findings at V1, others pass through.
        known_types: schemas of this program, name to digest (`bodies.known_types`).
        pins: the reader's own, if there are any: which logs, signed by which keys.
        sink: where the bytes of opened attachments go.

    Raises:
        InvalidInput: `bundle_foreign`: it does not begin as a bundle of this format.
    """
    raise NotImplementedError
