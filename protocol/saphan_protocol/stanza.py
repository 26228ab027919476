"""Stanzas: a bulletin's content key for one recipient's mailbox (design section 3), 1168 bytes."""

from __future__ import annotations

from typing import Final

from saphan_schemas.errors import InvalidInput

from saphan_protocol.identity import pae_array
from saphan_protocol.kdf import KEY_BYTES
from saphan_protocol.mailbox import OVERHEAD_BYTES, MailboxKey, seal

STANZA_TYPE: Final = "saphan/stanza/1"
STANZA_BYTES: Final = KEY_BYTES + OVERHEAD_BYTES


def _info(bulletin_id: bytes, agency: str, mailbox_key_id: bytes) -> bytes:
    return pae_array(STANZA_TYPE, [bulletin_id, agency, mailbox_key_id])


def seal_stanza(
    content_key: bytes,
    bulletin_id: bytes,
    agency: str,
    mailbox_key_id: bytes,
    mailbox_public: bytes,
) -> bytes:
    """Seal the 32-byte content key to one mailbox of `agency`, bound to this bulletin: 1168 bytes.

    Raises:
        InvalidInput: `key_malformed`, `key_weak`.
    """
    if len(content_key) != KEY_BYTES:
        raise RuntimeError(f"a content key of {len(content_key)} bytes was passed, not {KEY_BYTES}")
    return seal(mailbox_public, content_key, _info(bulletin_id, agency, mailbox_key_id))


def open_stanza(stanza: bytes, key: MailboxKey, bulletin_id: bytes, agency: str) -> bytes:
    """The 32-byte content key from a stanza for `agency` and this bulletin.

    Raises:
        InvalidInput: `stanza_unopenable` (another key, bulletin or agency; damaged; wrong length).
    """
    # Length before the key is used: a stanza that opens to something else is no content key
    # (partitioning oracles, specs.md section 1.5).
    if len(stanza) != STANZA_BYTES:
        raise InvalidInput(
            "stanza_unopenable",
            f"the stanza has {len(stanza)} bytes, not {STANZA_BYTES}",
            field="stanza",
            hint="report it as unopened: the sender's node consigns the bulletin anew",
        )
    return key.open(stanza, _info(bulletin_id, agency, key.key_id))
