"""A connection to a database: what only PostgreSQL has is understood here, everything else is SQLite's to do.

Owners, grants, COPY and constraints added later are the first kind. What neither knows fails, it is never passed over.
"""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from typing import TYPE_CHECKING, Self

from runbook_tui.demo.sql import CopyData, DatabaseError, Result, Statement, unqualified

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from runbook_tui.demo.database import Databases

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
