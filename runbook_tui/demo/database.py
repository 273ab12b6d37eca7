"""PostgreSQL as far as a migration looks at it: databases, roles and owners on disk, SQLite underneath."""

from __future__ import annotations

import json
import re
import sqlite3
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbook_tui.demo.database_session import Session
from runbook_tui.demo.sql import DatabaseError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runbook_tui.demo.host import Host

_DATA = {"freebsd": "/usr/local/pgsql/data", "debian": "/var/lib/postgresql/15/main"}
SUPERUSER = {"freebsd": "pgsql", "debian": "postgres"}
"""The role that is there from the start: the reason for the role errors of a dump moved as it is."""


@dataclass(slots=True)
class _Catalogue:
    roles: list[str] = field(default_factory=list)
    owners: dict[str, str] = field(default_factory=dict)


class Databases:
    """A host's database server; also its `machine.Service`. Nothing but `start` needs it to run: callers look."""

    def __init__(self, host: Host) -> None:
        self.running = False
        self.full: Callable[[], bool] = lambda: host.full
        self.superuser = SUPERUSER[host.layout.system]
        self._folder = host.path(_DATA[host.layout.system])

    async def start(self) -> None:
        """Run; the superuser exists from the first start on."""
        self.running = True
        self.create_role(self.superuser)

    async def stop(self) -> None:
        """Do not run."""
        self.running = False

    async def reload(self) -> None:
        """Have nothing to read."""

    @property
    def roles(self) -> tuple[str, ...]:
        """Every role."""
        return tuple(self._catalogue().roles)

    @property
    def owners(self) -> dict[str, str]:
        """Every database and its owner."""
        return self._catalogue().owners

    def create_role(self, name: str) -> bool:
        """Add a role; give False when it is there already."""
        known = self._catalogue()
        if name in known.roles:
            return False
        known.roles.append(name)
        self._keep(known)
        return True

    def drop_role(self, name: str) -> None:
        """Remove a role.

        Raises:
            DatabaseError: there is none, or it owns a database.
        """
        known = self._catalogue()
        if name not in known.roles:
            raise DatabaseError(f'role "{name}" does not exist')
        if name in known.owners.values():
            raise DatabaseError(f'role "{name}" cannot be dropped because some objects depend on it')
        known.roles.remove(name)
        self._keep(known)

    def create(self, name: str, owner: str) -> None:
        """Make an empty database.

        Raises:
            DatabaseError: it exists, or the owner does not.
        """
        known = self._catalogue()
        if name in known.owners:
            raise DatabaseError(f'database "{name}" already exists')
        self.require_role(owner)
        self._keep(_Catalogue(known.roles, {**known.owners, name: owner}))
        self._file(name).touch()

    def drop(self, name: str) -> None:
        """Remove a database with all that is in it.

        Raises:
            DatabaseError: there is none.
        """
        known = self._catalogue()
        if known.owners.pop(name, None) is None:
            raise DatabaseError(f'database "{name}" does not exist')
        self._keep(known)
        self._file(name).unlink()

    def give(self, name: str, owner: str) -> None:
        """Make a role that is there the owner of a database.

        Raises:
            DatabaseError: there is no such database.
        """
        known = self._catalogue()
        if name not in known.owners:
            raise DatabaseError(f'database "{name}" does not exist')
        self._keep(_Catalogue(known.roles, {**known.owners, name: owner}))

    def require_role(self, name: str) -> None:
        """Make sure that a role is there.

        Raises:
            DatabaseError: it is not.
        """
        if name.strip('"') not in self.roles:
            raise DatabaseError(f'role "{name}" does not exist')

    def connect(self, name: str) -> Session:
        """Open a database; `postgres` and `template1` are always there and empty.

        Raises:
            DatabaseError: there is none.
        """
        if name in {"postgres", "template1"}:
            return Session(self, sqlite3.connect(":memory:", isolation_level=None))
        if name not in self.owners:
            raise DatabaseError(f'database "{name}" does not exist')
        return Session(self, sqlite3.connect(self._file(name), isolation_level=None))

    def _file(self, name: str) -> Path:
        return self._folder / f"{re.sub('[^A-Za-z0-9_-]', '_', name)}.sqlite"

    def _catalogue(self) -> _Catalogue:
        try:
            return _Catalogue(**json.loads((self._folder / "catalogue.json").read_text("utf-8")))
        except FileNotFoundError:
            return _Catalogue()

    def _keep(self, known: _Catalogue) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / "catalogue.json").write_text(
            json.dumps({"roles": known.roles, "owners": known.owners}), encoding="utf-8"
        )
