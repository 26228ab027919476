"""Agencies' own types at this node: the bundles it holds, and which of them it lacks.

The directory log says which schema is registered under which digest, the store keeps bundles by
their digest. A type is known here when both are there. What a bundle is for is looked at before it
is kept: one outside the profile is never compiled, and what is written in it waits for a person.
"""

from __future__ import annotations

import threading
from functools import partial
from typing import Final

from saphan_protocol.registrations import (
    Registered,
    check_bundle,
    parse_registration,
    parse_schema_package,
)
from saphan_schemas.bodies import digest_of
from saphan_schemas.body_types import BUILT_IN, BodyType, BodyTypes
from saphan_schemas.directory_records import SchemaPackage, SchemaRegistration
from saphan_schemas.errors import InvalidInput, OperatorError, SaphanError, Unavailable
from saphan_schemas.profile import open_bundle
from saphan_schemas.rules import RuleSet
from saphan_schemas.schema_check import compile_schema

from saphan.node.alarms import Alarms
from saphan.node.logs import Logs
from saphan.node.rows.db import Database

DIFFERS: Final = "schema_bundle_differs"
UNUSABLE: Final = "schema_unusable"
FOREIGN: Final = "schema_foreign"


class OwnSchemas:
    """Asked from every thread; `types` never changes under whoever holds it."""

    def __init__(self, agency: str, db: Database, logs: Logs, alarms: Alarms) -> None:
        self._agency = agency
        self._db = db
        self._logs = logs
        self._alarms = alarms
        self._lock = threading.Lock()
        self._held = self._whole()
        self._unusable: frozenset[bytes] = frozenset()
        """Digests of bundles that this program cannot use; an upgrade may."""
        self._differing: frozenset[bytes] = frozenset()
        """Digests for which the broker has given something else."""
        self._made: tuple[int, frozenset[bytes]] | None = None
        self._types = BUILT_IN

    @property
    def types(self) -> BodyTypes:
        """Every type that content can be written in and judged by here; blocking."""
        if self._made == (len(self._logs.directory.own_schemas), self._held):
            return self._types  # asked for every bulletin
        registered = self.registered()  # some ask while they hold the logs' lock: it comes first
        with self._lock:
            made = (len(registered), self._held)
            if self._made != made:
                own = {
                    one.record.name: BodyType(
                        one.record.name, partial(self._read, one.record.digest)
                    )
                    for one in registered
                    if one.record.digest in self._held
                }
                self._types = BodyTypes({one.name: one for one in BUILT_IN} | own)
                self._made = made
            return self._types

    def _whole(self) -> frozenset[bytes]:
        """Digests of the bundles here; what the disk has changed is dropped, and comes again."""
        found = [digest for (digest,) in self._db.rows("SELECT digest FROM schemas")]
        damaged = {digest for digest in found if digest_of(self._stored(digest)) != digest}
        if damaged:
            with self._db.transaction() as tx:
                tx.executemany(
                    "DELETE FROM schemas WHERE digest = ?", [(digest,) for digest in damaged]
                )
        return frozenset(found) - damaged

    def _stored(self, digest: bytes) -> bytes:
        row = self._db.row("SELECT bundle FROM schemas WHERE digest = ?", (digest,))
        return b"" if row is None else bytes(row[0])

    def _read(self, digest: bytes) -> bytes:
        bundle = self._stored(digest)
        if digest_of(bundle) != digest:
            raise OperatorError(
                "store_damaged",
                "a schema in this node's store is not the one that was kept",
                field="data",
                hint="start the node again: it fetches the schema anew; and look after its disk",
            )
        return bundle

    def registered(self) -> list[Registered]:
        """What agencies have registered, in the order of the log."""
        with self._logs.lock:
            return list(self._logs.directory.own_schemas)

    def wanted(self) -> list[Registered]:
        """What is not here and concerns this agency: its own, and what its agreements name."""
        with self._logs.lock:
            directory = self._logs.directory
            named = {
                name
                for agreed in directory.agreements_of(self._agency)
                for rule in agreed.text.rules
                for name in rule.schemas
            }
            return [
                one
                for one in directory.own_schemas
                if one.record.digest not in self._held | self._unusable
                and (one.record.agency == self._agency or one.record.name in named)
            ]

    def check_package(self, package: bytes) -> SchemaPackage:
        """Judge a registration and its bundle before the broker is asked to log it.

        Raises:
            InvalidInput, Refused: as `parse_schema_package`, `profile.open_bundle` and
                `Registrations.check`; not because it is logged already.
        """
        record, given = parse_schema_package(package)
        open_bundle(record.name, given.bundle)
        with self._logs.lock:
            known = self._logs.directory.own_schemas.find(record.name)
            if known is None or known.record != record:
                self._logs.directory.check_schema(given.registration)
        return given

    def handed_in(self, package: SchemaPackage) -> None:
        """Note that this node's people know a registration, before the broker is told of it.

        Raises:
            OperatorError: the disk.
        """
        record, _signed = parse_registration(package.registration)
        with self._db.transaction() as tx:
            fact = (_fact(record), record.digest)
            tx.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", fact)

    def look_foreign(self) -> None:
        """Alarm about schemas in this agency's name that were not handed in here: whoever signed
        them has the root."""
        foreign = [
            one.record.name
            for one in self.registered()
            if one.record.agency == self._agency
            and self._db.row(
                "SELECT 1 FROM facts WHERE name = ? AND value = ?",
                (_fact(one.record), one.record.digest),
            )
            is None
        ]
        if not foreign:
            self._alarms.clear(FOREIGN)
            return
        self._alarms.sound(
            OperatorError(
                FOREIGN,
                f"in the name of {self._agency} the directory holds schemas that were not handed "
                f"in here: {', '.join(foreign[:8])}",
                hint="ask every root holder at once: if nobody signed it, the root is in other "
                "hands; if it is yours: saphan keys submit FILE",
            )
        )

    def _came(self, digest: bytes) -> None:
        """Another type that comes whole does not make the broker honest about this one."""
        self._differing -= {digest}
        if not self._differing:
            self._alarms.clear(DIFFERS)

    def keep(self, bundle: bytes) -> None:
        """Keep what was handed in here; it counts once the log registers it.

        Raises:
            OperatorError: the disk.
        """
        digest = digest_of(bundle)
        with self._db.transaction() as tx:
            tx.execute("INSERT INTO schemas VALUES (?, ?) ON CONFLICT DO NOTHING", (digest, bundle))
        with self._lock:
            self._held |= {digest}
        self._came(digest)

    def take(self, registered: Registered, bundle: bytes) -> bool:
        """Keep what a broker has given for a registration, if it is that; whether it is.

        Raises:
            OperatorError: the disk.
        """
        record = registered.record
        try:
            check_bundle(record, bundle)
        except InvalidInput:
            self._differing |= {record.digest}
            self._alarms.sound(
                OperatorError(
                    DIFFERS,
                    f"the broker gives another schema for {record.name} than was registered",
                    hint="nothing of it was kept; tell the operator; or get the signed file from "
                    "its agency, then: saphan keys submit FILE",
                )
            )
            return False
        self._came(record.digest)
        try:
            parts = open_bundle(record.name, bundle)
            compile_schema(parts["schema"])
            RuleSet(parts["rules"])
        except SaphanError as error:
            self._unusable |= {record.digest}
            self._alarms.sound(
                OperatorError(
                    UNUSABLE,
                    f"this program cannot use {record.name}: {error.message}",
                    hint="upgrade Saphan; what comes in this type waits for it and is not rejected",
                )
            )
            return False
        self.keep(bundle)
        return True

    def bundle(self, name: str) -> bytes:
        """Canonical bytes of a type's bundle.

        Raises:
            InvalidInput: `schema_unknown`; Unavailable: `schema_coming`; OperatorError: the store.
        """
        types = self.types
        if name not in types:
            with self._logs.lock:
                known = self._logs.directory.own_schemas.find(name)
            if known is not None:
                raise Unavailable(
                    "schema_coming",
                    f"{name} is registered, and has not come from the broker yet",
                    field="schema",
                    hint="try again when the line to the broker has been up for a while",
                    retry_after_ms=2_000,
                )
        return types.get(name).data


def _fact(record: SchemaRegistration) -> str:
    return f"schema {record.name}"
