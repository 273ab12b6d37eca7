"""PostgreSQL as far as a migration looks at it: databases, roles and owners on disk, SQL done by SQLite underneath.

Statements that only PostgreSQL has (owners, grants, COPY, constraints added later) are understood here; everything
else is SQLite's to do. What neither knows fails, it is never passed over.
"""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from runbook_tui.demo.sql import CopyData, Statement, unqualified

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from runbook_tui.demo.host import Host

_DATA = {"freebsd": "/usr/local/pgsql/data", "debian": "/var/lib/postgresql/15/main"}
SUPERUSER = {"freebsd": "pgsql", "debian": "postgres"}
"""The role that is there from the start: the reason for the role errors of a dump moved as it is."""


class DatabaseError(Exception):
    """What the server answers: the text after `ERROR:` or `FATAL:`."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a statement gave: its command tag (`UPDATE 2`), or columns and rows when it has any."""

    tag: str
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[object, ...], ...] = ()


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


_NAME = r'"?(?P<name>[\w-]+)"?'
_CONSTRAINT = re.compile(
    r"ALTER TABLE(?: ONLY)? (?P<table>\w+)\s+ADD CONSTRAINT (?P<name>\w+)"
    r" (?:PRIMARY KEY|UNIQUE) (?P<columns>\(.*\))",
    re.IGNORECASE | re.DOTALL,
)
_QUERY = re.compile(r"(SELECT|WITH|VALUES|INSERT|UPDATE|DELETE)\b", re.IGNORECASE)
_WORDS: Sequence[tuple[str, str]] = (
    (r"no such table: (?:main\.)?(\w+)", r'relation "\1" does not exist'),
    (r"table (\w+) already exists", r'relation "\1" already exists'),
    (r"no such column: (.*)", r'column "\1" does not exist'),
    (r"UNIQUE constraint failed: (\w+)\..*", r'duplicate key value violates unique constraint of "\1"'),
    (r'near "(.*)": syntax error', r'syntax error at or near "\1"'),
)
"""SQLite's words and PostgreSQL's for the same trouble."""


class Session:
    """A connection to one database."""

    def __init__(self, server: Databases, connection: sqlite3.Connection) -> None:
        self._server = server
        self._sql = connection
        self._sql.execute("CREATE TABLE IF NOT EXISTS mrb_notes (kind TEXT, subject TEXT, text TEXT)")
        self._views()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sql.close()

    def tables(self) -> tuple[str, ...]:
        """Name the tables."""
        found = self._sql.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'mrb_notes' ORDER BY rowid"
        )
        return tuple(name for (name,) in found)

    def execute(self, statement: Statement) -> Result:
        """Do one statement.

        Raises:
            DatabaseError: with PostgreSQL's words.
        """
        if self._server.full() and not re.match("SELECT|SET|SHOW", statement.text, re.IGNORECASE):
            raise DatabaseError("could not extend file: No space left on device")
        text = unqualified(statement.text)
        if statement.data is not None:
            return self._copy(text, statement.data)
        for pattern, act in _ACTIONS:
            if found := re.match(pattern, text, re.IGNORECASE | re.DOTALL):
                return act(self, found)
        if re.match("SET|COMMENT|REVOKE|(CREATE|ALTER) SEQUENCE", text, re.IGNORECASE):
            return Result(" ".join(text.split()[: 1 if text[:3].upper() in {"SET", "COM", "REV"} else 2]).upper())
        return self._query(text)

    def _query(self, text: str) -> Result:
        try:
            with closing(self._sql.execute(re.sub(r"::\w+", "", text))) as cursor:
                rows = tuple(cursor.fetchall())
                columns = tuple(column[0] for column in cursor.description or ())
                count = cursor.rowcount
        except sqlite3.Error as error:
            raise DatabaseError(_said(str(error))) from error
        verb = text.split(None, 1)[0].upper()
        if columns:
            return Result("", tuple("count" if name.startswith("count(") else name for name in columns), rows)
        if _QUERY.match(text):
            return Result(f"INSERT 0 {count}" if verb == "INSERT" else f"{verb} {count}")
        return Result(" ".join(text.split()[:2]).upper() if verb in {"CREATE", "ALTER", "DROP"} else verb)

    def _copy(self, text: str, data: CopyData) -> Result:
        found = re.match(r"COPY (\w+) (\(.*?\))", text, re.IGNORECASE | re.DOTALL)
        if found is None:
            raise DatabaseError(f'syntax error at or near "{text[:20]}"')
        marks = ", ".join("?" * (found[2].count(",") + 1))
        try:
            self._sql.execute("SAVEPOINT copy")
            self._sql.executemany(f"INSERT INTO {found[1]} {found[2]} VALUES ({marks})", data.rows)  # noqa: S608
        except sqlite3.Error as error:
            self._sql.execute("ROLLBACK TO copy")
            raise DatabaseError(_said(str(error))) from error
        finally:
            self._sql.execute("RELEASE copy")
        return Result(f"COPY {len(data.rows)}")

    def note(self, kind: str, subject: str, text: str) -> None:
        """Keep what SQLite has no place for."""
        self._sql.execute("INSERT INTO mrb_notes VALUES (?, ?, ?)", (kind, subject, text))

    def notes(self, kind: str, subject: str | None = None) -> list[str]:
        """Give what was kept, newest last."""
        found = self._sql.execute("SELECT subject, text FROM mrb_notes WHERE kind = ? ORDER BY rowid", (kind,))
        return [text for about, text in found if subject in {None, about}]

    def own(self, found: re.Match[str]) -> Result:
        """Give a table or database to a role that must exist."""
        self._server.require_role(found["role"])
        if found["what"].upper() == "DATABASE":
            self._server.give(found["name"], found["role"])
        else:
            self.note("owner", found["name"], found["role"])
        return Result(f"ALTER {found['what'].upper()}")

    def grant(self, found: re.Match[str]) -> Result:
        """Grant to a role that must exist."""
        self._server.require_role(found["role"])
        self.note("grant", "", found[0])
        return Result("GRANT")

    def constrain(self, found: re.Match[str]) -> Result:
        """Add a key; SQLite makes it as an index of the same name."""
        given = _CONSTRAINT.match(found[0])
        if given is None:
            self.note("constraint", "", found[0])
            return Result("ALTER TABLE")
        self._query(f"CREATE UNIQUE INDEX {given['name']} ON {given['table']} {given['columns']}")
        self.note("constraint", given["table"], found[0])
        return Result("ALTER TABLE")

    def create_role(self, found: re.Match[str]) -> Result:
        """CREATE ROLE and CREATE USER."""
        if not self._server.create_role(found["name"]):
            raise DatabaseError(f'role "{found["name"]}" already exists')
        return Result("CREATE ROLE")

    def alter_role(self, found: re.Match[str]) -> Result:
        """ALTER ROLE: a password is taken and not kept, nobody logs in with it."""
        self._server.require_role(found["name"])
        return Result("ALTER ROLE")

    def create_database(self, found: re.Match[str]) -> Result:
        """CREATE DATABASE."""
        self._server.create(found["name"], found["owner"] or self._server.superuser)
        return Result("CREATE DATABASE")

    def drop_database(self, found: re.Match[str]) -> Result:
        """DROP DATABASE."""
        if found["name"] in self._server.owners or not found["lenient"]:
            self._server.drop(found["name"])
        return Result("DROP DATABASE")

    def show(self, found: re.Match[str]) -> Result:
        """SHOW: the two settings a migration asks for."""
        values = {"server_encoding": "UTF8", "server_version": "15.8"}
        if found["name"] not in values:
            raise DatabaseError(f'unrecognized configuration parameter "{found["name"]}"')
        return Result("", (found["name"],), ((values[found["name"]],),))

    def configure(self, found: re.Match[str]) -> Result:
        """Settings that a dump makes by SELECT."""
        return Result("", (found["name"],), (("",),))

    def _views(self) -> None:
        tables: dict[str, tuple[str, list[tuple[str, ...]]]] = {
            "pg_roles": ("rolname", [(role,) for role in self._server.roles]),
            "pg_database": ("datname", [(name,) for name in self._server.owners]),
            "pg_tables": ("schemaname, tablename", [("public", table) for table in self.tables()]),
        }
        for name, (columns, rows) in tables.items():
            self._sql.execute(f"CREATE TEMP TABLE {name} ({columns})")
            self._sql.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * (columns.count(',') + 1))})", rows)  # noqa: S608

    def dump(self) -> Iterator[Statement]:
        """Give the statements that make this database again, in pg_dump's order."""
        for table in self.tables():
            (made,) = self._sql.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table,)).fetchone()
            yield Statement(re.sub(r"^CREATE TABLE ", "CREATE TABLE public.", made))
            for role in self.notes("owner", table)[-1:]:
                yield Statement(f"ALTER TABLE public.{table} OWNER TO {_quoted(role)}")
        for table in self.tables():
            cursor = self._sql.execute(f"SELECT * FROM {table}")  # noqa: S608
            columns = ", ".join(column[0] for column in cursor.description)
            yield Statement(f"COPY public.{table} ({columns}) FROM stdin", CopyData(tuple(cursor.fetchall())))
        for text in (*self.notes("constraint"), *self.notes("grant")):
            yield Statement(re.sub(r"\b(ONLY|ON TABLE|REFERENCES) (\w+)", r"\1 public.\2", text))


def _quoted(name: str) -> str:
    return name if re.fullmatch("[a-z_][a-z0-9_]*", name) else f'"{name}"'


def _said(words: str) -> str:
    for pattern, replacement in _WORDS:
        if re.fullmatch(pattern, words, re.DOTALL):
            return re.sub(pattern, replacement, words, flags=re.DOTALL)
    return words


_ACTIONS: Sequence[tuple[str, Callable[[Session, re.Match[str]], Result]]] = (
    (rf"ALTER (?P<what>TABLE|SEQUENCE|DATABASE) {_NAME} OWNER TO \"?(?P<role>[\w-]+)\"?$", Session.own),
    (r"GRANT .* TO \"?(?P<role>[\w-]+)\"?$", Session.grant),
    (r"ALTER TABLE.*ADD CONSTRAINT .*", Session.constrain),
    (rf"CREATE (?:ROLE|USER) {_NAME}", Session.create_role),
    (rf"ALTER (?:ROLE|USER) {_NAME}", Session.alter_role),
    (rf"CREATE DATABASE {_NAME}(?:.*OWNER\s*=?\s*\"?(?P<owner>[\w-]+)\"?)?", Session.create_database),
    (rf"DROP DATABASE (?P<lenient>IF EXISTS )?{_NAME}", Session.drop_database),
    (rf"SHOW {_NAME}", Session.show),
    (r"SELECT pg_catalog\.(?P<name>set_config|setval)\(", Session.configure),
)
"""Statements that are done here, first match first; a pattern sees text without schema names."""
