"""An agency's keys after its start: add, rotate, revoke, list.

The order matters: a key without an operation is a file to delete; an operation without its key
would enrol what nobody holds. So the key file comes first, durably, then the operation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from saphan_protocol.directory import KeyInfo
from saphan_schemas.directory_records import Change
from saphan_schemas.errors import InvalidInput, Refused
from saphan_schemas.records import Role

from saphan.agency import check_handle
from saphan.ceremony.concluding import check_none_waits
from saphan.ceremony.draft import open_draft, propose
from saphan.ceremony.roots import known_holders
from saphan.durable import make_folder
from saphan.key_places import place_for
from saphan.keys.keyfiles import (
    DEFAULT_COST,
    Argon2Cost,
    SecretKey,
    discarded_on_error,
    new_key,
    new_token_key,
)
from saphan.keys.passphrase import Passphrase
from saphan.keys.token_place import TokenAccess
from saphan.office import Office
from saphan.officer_request import OfficerRequest
from saphan.operations import Made, addition, complete, settle, sign_here, write_key


def add_key(
    office: Office,
    role: Role,
    root: Passphrase | None,
    *,
    now: int,
    handle: str | None = None,
    passphrase: Passphrase | None = None,
    cost: Argon2Cost = DEFAULT_COST,
    token: TokenAccess | None = None,
) -> Made:
    """Make one more key and the operation that enrols it.

    Where a key of the role is in use already, the new one waits beside it as `<name>.next.key`
    until `activate`; mailbox keys are used side by side.

    Args:
        role: any but root.
        root: passphrase of the root key; None leaves a draft for the root's holders.
        handle: the officer's, for role officer only.
        passphrase: of the new key, for orders and officers.
        token: for an officer's key, half of which is made on a PKCS#11 token.

    Raises:
        InvalidInput: `handle_malformed`. OperatorError: key file, passphrase and `pkcs11_*` codes.
    """
    if role is Role.ROOT or (role is Role.OFFICER) != (handle is not None):
        raise RuntimeError("a root is not added here; an officer, and nobody else, has a handle")
    if handle is not None:
        check_handle(handle)
    key = _new_key(role, handle, token)
    return _enrol(office, key, (), root, now, passphrase, cost)


def rotate_key(
    office: Office,
    role: Role,
    root: Passphrase | None,
    *,
    now: int,
    handle: str | None = None,
    passphrase: Passphrase | None = None,
    cost: Argon2Cost = DEFAULT_COST,
    token: TokenAccess | None = None,
) -> Made:
    """Make a key and one operation that enrols it and revokes the one in use.

    The new key waits as `<name>.next.key`; from the operation's place in the log on, only it
    counts, so `activate` follows as soon as the log has it.

    Args:
        role: order, node, officer or witness; weekly mailbox keys have their own schedule.
        root, handle, passphrase, token: as for `add_key`.

    Raises:
        Refused: `key_unknown` where no key of the role is in use. Others as `add_key`.
    """
    if role in (Role.ROOT, Role.MAILBOX):
        raise RuntimeError("roots change in a ceremony, and mailbox keys by their weeks")
    held = [
        key
        for key in list_keys(office)
        if (key.role, key.handle, key.revoked) == (role, handle, None)
    ]
    if not held:
        raise Refused(
            "key_unknown",
            f"no {role.value} key of {handle or 'this agency'} is in use",
            field="role",
            hint="make the first one: saphan keys add",
        )
    gone = tuple(Change("revoke", role, key.key_id, None, None, None) for key in held)
    return _enrol(office, _new_key(role, handle, token), gone, root, now, passphrase, cost)


def _new_key(role: Role, handle: str | None, token: TokenAccess | None) -> SecretKey:
    if token is None:
        return new_key(role, handle)
    if handle is None:
        raise RuntimeError("a token holds halves of officers' keys only")
    return new_token_key(handle, token)


def _enrol(
    office: Office,
    key: SecretKey,
    others: tuple[Change, ...],
    root: Passphrase | None,
    now: int,
    passphrase: Passphrase | None,
    cost: Argon2Cost,
) -> Made:
    """Write the key, then the operation or draft that adds it and makes the other changes."""
    with discarded_on_error(key):
        check_none_waits(office)
        changes = (addition(key, now), *others)
        draft = propose(office, changes, (key,), now, holders=known_holders(office))
        if root is not None:
            draft = sign_here(office, draft, root)
        path = place_for(office, key)
        make_folder(path.parent)
        write_key(path, key, passphrase, cost)
    # A crash here leaves a key that no operation enrols: `place_for` finds it the next time.
    return replace(settle(office, draft), key_file=path, key_id=key.key_id)


def enrol_request(office: Office, request: OfficerRequest, root: Passphrase | None) -> Made:
    """Make the operation that enrols an officer whose key was made at a desk.

    The operation is the desk's, signed by the new key; the root adds its own signature, or its
    holders do (`root` None).

    Raises:
        Refused: `request_foreign`, `request_stale`, `key_duplicate`, `operation_threshold`.
        InvalidInput: `signature_invalid`, `operation_possession`.
    """
    agency, operation = office.read_agency().agency, request.operation
    if operation.agency != agency:
        raise Refused(
            "request_foreign",
            f"the request is for {operation.agency}, this is {agency}",
            field="request",
        )
    version, last, threshold = office.replay().version(agency)
    found = (operation.version, operation.previous, operation.threshold)
    if found != (version + 1, last, threshold):
        raise Refused(
            "request_stale",
            f"the request follows operation {operation.version - 1}, this agency is at {version}",
            field="request",
            hint="invite the desk again: saphan desk invite --out FILE; there, saphan desk init "
            "DESK --invitation FILE makes a new request for the same key",
        )
    draft = open_draft(
        request.body,
        office.history(),
        keys=(request.signature,),
        holders=known_holders(office),
    )
    return replace(complete(office, draft, root), key_id=request.key_id)


def revoke_key(
    office: Office,
    key_id: bytes,
    root: Passphrase | None,
    *,
    now: int,
    also: Sequence[bytes] = (),
) -> Made:
    """Make the operation that revokes an active key; its file is left for the person to destroy.

    Args:
        root: passphrase of the root key; None leaves a draft for the root's holders.
        also: more key ids, in the same operation: one visit to the holders ends them all.

    Raises:
        Refused: `key_unknown`, `key_revoked`, `operation_threshold` (the last root).
    """
    directory = office.replay()
    changes = [_revocation(directory.find(name), name) for name in (key_id, *also)]
    return complete(office, propose(office, changes, (), now), root)


def _revocation(info: KeyInfo | None, name: bytes) -> Change:
    if info is None or info.revoked is not None:
        raise Refused(
            "key_unknown" if info is None else "key_revoked",
            f"no active key of this agency has the id {name.hex()[:16]}",
            field="key",
            hint="see the active ones: saphan keys list",
        )
    return Change("revoke", info.role, name, None, None, None)


def list_keys(office: Office) -> list[KeyInfo]:
    """Every key of the agency by its own operations, active and revoked, oldest first."""
    return office.replay().all_keys(office.read_agency().agency)


def find_key(office: Office, prefix: str) -> KeyInfo:
    """The one key whose id starts with these hexadecimal digits (8 or more).

    Raises:
        InvalidInput: `key_prefix`. Refused: `key_unknown`.
    """
    wanted = prefix.lower()
    if len(wanted) < 8 or any(digit not in "0123456789abcdef" for digit in wanted):
        raise InvalidInput(
            "key_prefix", "a key is named by at least 8 hexadecimal digits of its id", field="key"
        )
    found = [key for key in list_keys(office) if key.key_id.hex().startswith(wanted)]
    if len(found) != 1:
        raise Refused(
            "key_unknown",
            f"{len(found)} keys of this agency have an id that starts with {prefix[:64]}",
            field="key",
            hint="see all of them: saphan keys list",
        )
    return found[0]
