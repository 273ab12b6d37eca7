"""psql, pg_dump, pg_restore, createdb and their kin: text in, text out, and the errors that stop a move of roles."""

from __future__ import annotations

import gzip
import re
from typing import TYPE_CHECKING, NoReturn

from runbook_tui.demo.sql import DatabaseError, Statement, split, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from runbook_tui.demo.database import Databases
    from runbook_tui.demo.database_session import Session
    from runbook_tui.demo.sql import Result
    from runbook_tui.demo.standins.call import Call, Command, Options

_CONNECT = "d:U:h:p:wW"
_CONNECT_LONG = "dbname= username= host= port= no-password verbose echo"
_ARCHIVE = b"PGDMP"
_SOCKET = {"freebsd": "/tmp/.s.PGSQL.5432", "debian": "/var/run/postgresql/.s.PGSQL.5432"}  # noqa: S108 -- where it is
_CONNECTION_LOST = {"psql": 2}
_SCRIPT_STOPPED = 3


def _server(call: Call, given: Options) -> Databases:
    """Log in as hba files do by default: FreeBSD's trusts, Debian's wants the system's user (peer)."""
    databases, system = call.machine.databases, call.machine.host.layout.system
    role = given.value("U") or given.value("username") or call.user
    trouble = ""
    if not databases.running:
        trouble = "No such file or directory\n\tIs the server running locally and accepting connections on that socket?"
    elif system == "debian" and role != call.user and not (given.value("h") or given.value("host")):
        trouble = f'FATAL:  Peer authentication failed for user "{role}"'
    elif role not in databases.roles:
        trouble = f'FATAL:  role "{role}" does not exist'
    if trouble:
        _lost(call, trouble)
    return databases


def _lost(call: Call, trouble: str) -> NoReturn:
    name = call.argv[0]
    where = f'connection to server on socket "{_SOCKET[call.machine.host.layout.system]}" failed'
    call.fail(f"{name}: error: {where}: {trouble}", _CONNECTION_LOST.get(name, 1))


def _open(call: Call, given: Options, name: str) -> Session:
    try:
        return _server(call, given).connect(name)
    except DatabaseError as error:
        _lost(call, f"FATAL:  {error}")


def _database(call: Call, given: Options) -> str:
    first = given.rest[0] if given.rest else given.value("U") or given.value("username") or call.user
    return given.value("d") or given.value("dbname") or first


def psql(call: Call) -> int:
    """Run SQL from -c, -f or standard input."""
    given = call.options(
        _CONNECT + "f:c:v:F:AtqX1l",
        long=_CONNECT_LONG + " file= command= set= variable= field-separator= no-align tuples-only quiet no-psqlrc"
        " single-transaction list",
    )
    if given.flags & {"l", "list"}:
        for name, owner in _server(call, given).owners.items():
            call.say(f"{name}|{owner}|UTF8" if "A" in given.flags else f" {name} | {owner} | UTF8")
        return 0
    settings = [word for name in ("v", "set", "variable") for word in given.values.get(name, ())]
    stop = any(re.fullmatch(r"ON_ERROR_STOP(=(1|on|true))?", word) for word in settings)
    with _open(call, given, _database(call, given)) as session:
        status = 0
        once = bool(given.flags & {"1", "single-transaction"})
        if once:
            session.execute(Statement("BEGIN"))
        for script, prefix, failed in _scripts(call, given):
            status = _run(call, session, script, given, prefix=prefix, stop=stop) and (
                _SCRIPT_STOPPED if stop else failed
            )
            if status and stop:
                break
        if once:
            session.execute(Statement("ROLLBACK" if status else "COMMIT"))
        return status


def _scripts(call: Call, given: Options) -> Iterator[tuple[str, str, int]]:
    """Give each script with the prefix of its errors and the status a failure gives when it does not stop."""
    commands = (*given.values.get("c", ()), *given.values.get("command", ()))
    files = (*given.values.get("f", ()), *given.values.get("file", ()))
    for text in commands:
        yield text, "", 1
    for name in files:
        text = call.stdin.read().decode() if name == "-" else call.file(name).read_text("utf-8")
        yield text, f"psql:{'<stdin>' if name == '-' else name}:{{line}}: ", 0
    if not commands and not files:
        yield call.stdin.read().decode(), "", 0


def _run(call: Call, session: Session, script: str, given: Options, *, prefix: str, stop: bool) -> bool:
    failed = False
    for statement in split(script):
        if statement.text.startswith("\\"):
            call.refuse(statement.text.split()[0])
        try:
            result = session.execute(statement)
        except DatabaseError as error:
            call.warn(f"{prefix.format(line=statement.line)}ERROR:  {error}")
            failed = True
            if stop:
                break
        else:
            _show(call, result, given)
    return failed


def _show(call: Call, result: Result, given: Options) -> None:
    if not result.columns:
        if not given.flags & {"q", "quiet"} and not given.flags & {"t", "tuples-only"}:
            call.say(result.tag)
        return
    rows = [["" if cell is None else str(cell) for cell in row] for row in result.rows]
    bare = bool(given.flags & {"t", "tuples-only"})
    count = f"({len(rows)} row{'' if len(rows) == 1 else 's'})"
    if given.flags & {"A", "no-align"}:
        between = given.value("F") or given.value("field-separator") or "|"
        for row in rows if bare else [list(result.columns), *rows, [count]]:
            call.say(between.join(row))
        return
    widths = [max(map(len, column)) for column in zip(result.columns, *rows, strict=True)]
    numbers = [all(isinstance(row[i], int) for row in result.rows) for i in range(len(widths))]
    if not bare:
        call.say("|".join(f" {name.center(width)} " for name, width in zip(result.columns, widths, strict=True)))
        call.say("+".join("-" * (width + 2) for width in widths))
    for row in rows:
        cells = (
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, numbers, strict=True)
        )  # fmt: skip
        call.say((" " + " | ".join(cells)).rstrip())
    call.say("" if bare else f"{count}\n")


def pg_dump(call: Call) -> None:
    """Write a database as SQL, or with -Fc as an archive for pg_restore."""
    given = call.options(
        _CONNECT + "f:F:E:OxZ:v",
        long=_CONNECT_LONG + " file= format= encoding= no-owner no-acl no-privileges compress= quote-all-identifiers",
    )
    form = (given.value("F") or given.value("format", "p"))[0]
    if form not in "pc":
        call.refuse(f"-F{form}")
    with _open(call, given, _database(call, given)) as session:
        statements = [one for one in session.dump() if not _left_out(one, given)]
    text = "\n".join(write(statements)) + "\n"
    content = text.encode() if form == "p" else _ARCHIVE + gzip.compress(text.encode())
    name = given.value("f") or given.value("file")
    if name and call.machine.host.full:
        call.fail(f"pg_dump: error: could not write to output file: {name}: No space left on device")
    if name:
        call.file(name).write_bytes(content)
    else:
        call.stdout.write(content.decode("utf-8", "surrogateescape"))


def _left_out(statement: Statement, given: Options) -> bool:
    no_owner = bool(given.flags & {"O", "no-owner"}) and " OWNER TO " in statement.text
    return no_owner or (bool(given.flags & {"x", "no-acl", "no-privileges"}) and statement.text.startswith("GRANT"))


def pg_restore(call: Call) -> int:
    """Read an archive of pg_dump -Fc into a database, or without -d write it as SQL."""
    given = call.options(
        _CONNECT + "f:Oxe1clCv",
        long=_CONNECT_LONG + " file= no-owner no-acl no-privileges exit-on-error single-transaction clean if-exists"
        " list role=",
    )
    content = call.file(given.rest[0]).read_bytes() if given.rest else call.stdin.read()
    if not content.startswith(_ARCHIVE):
        plain = content.lstrip().startswith(b"--")
        call.fail(
            "pg_restore: error: input file appears to be a text format dump. Please use psql."
            if plain
            else "pg_restore: error: input file does not appear to be a valid archive"
        )
    script = gzip.decompress(content.removeprefix(_ARCHIVE)).decode()
    statements = [one for one in split(script) if not _left_out(one, given)]
    if given.flags & {"l", "list"}:
        for number, one in enumerate(statements, 1):
            call.say(f"{number}; {' '.join(one.text.split()[:3])}")
        return 0
    target = given.value("d") or given.value("dbname")
    if not target:
        call.stdout.write("\n".join(write(statements)) + "\n")
        return 0
    return _restore(call, given, target, statements)


def _restore(call: Call, given: Options, target: str, statements: list[Statement]) -> int:
    errors = 0
    with _open(call, given, target) as session:
        if role := given.value("role"):
            call.machine.databases.require_role(role)
        if given.flags & {"c", "clean"}:
            for table in session.tables():
                session.execute(Statement(f"DROP TABLE {table}"))
        for one in statements:
            try:
                session.execute(one)
            except DatabaseError as error:
                errors += 1
                call.warn(f"pg_restore: error: could not execute query: ERROR:  {error}\nCommand was: {one.text};\n")
                if given.flags & {"e", "exit-on-error", "1", "single-transaction"}:
                    return 1
        if role:
            for table in session.tables():
                session.execute(Statement(f'ALTER TABLE {table} OWNER TO "{role}"'))
    if errors:
        call.warn(f"pg_restore: warning: errors ignored on restore: {errors}")
    return 1 if errors else 0


def _administer(call: Call, letters: str, words: str, doing: str) -> tuple[Databases, Options, str]:
    given = call.options(_CONNECT + letters, long=f"{_CONNECT_LONG} {words}")
    name = given.rest[0] if given.rest else call.fail(f"{call.argv[0]}: error: missing required argument {doing} name")
    return _server(call, given), given, name


def createdb(call: Call) -> None:
    """Make a database."""
    databases, given, name = _administer(
        call, "O:E:T:l:e", "owner= encoding= template= locale= lc-collate= lc-ctype=", "database"
    )
    owner = given.value("O") or given.value("owner") or given.value("U") or call.user
    _or_error(call, "database creation failed", lambda: databases.create(name, owner))


def dropdb(call: Call) -> None:
    """Remove a database."""
    databases, given, name = _administer(call, "fie", "if-exists force", "database")
    if "if-exists" in given.flags and name not in databases.owners:
        call.warn(f'NOTICE:  database "{name}" does not exist, skipping')
        return
    _or_error(call, "database removal failed", lambda: databases.drop(name))


def createuser(call: Call) -> None:
    """Add a role."""
    databases, _, name = _administer(
        call, "dDrRsSlLie", "createdb no-createdb createrole no-createrole superuser no-superuser login", "role"
    )
    if not databases.create_role(name):
        call.fail(f'createuser: error: creation of new role failed: ERROR:  role "{name}" already exists')


def dropuser(call: Call) -> None:
    """Remove a role."""
    databases, given, name = _administer(call, "ie", "if-exists", "role")
    if "if-exists" in given.flags and name not in databases.roles:
        return
    _or_error(call, f'removal of role "{name}" failed', lambda: databases.drop_role(name))


def pg_isready(call: Call) -> int:
    """Say whether the server accepts connections; 2 when it does not run."""
    call.options("d:U:h:p:qt:", long="dbname= username= host= port= quiet timeout=")
    where = _SOCKET[call.machine.host.layout.system].rpartition("/")[0] + ":5432"
    running = call.machine.databases.running
    call.say(f"{where} - {'accepting connections' if running else 'no response'}")
    return 0 if running else 2


def _or_error(call: Call, doing: str, work: Callable[[], None]) -> None:
    try:
        work()
    except DatabaseError as error:
        call.fail(f"{call.argv[0]}: error: {doing}: ERROR:  {error}")


COMMANDS: Mapping[str, Command] = {
    "psql": psql, "pg_dump": pg_dump, "pg_restore": pg_restore, "createdb": createdb, "dropdb": dropdb,
    "createuser": createuser, "dropuser": dropuser, "pg_isready": pg_isready,
}  # fmt: skip
