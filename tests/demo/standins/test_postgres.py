"""PostgreSQL's commands: the errors that stop a move of roles, and the way that works."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runbook_tui.demo.furniture import fill_databases
from runbook_tui.demo.sql import CopyData, Statement, split
from runbook_tui.demo.standins.postgres import COMMANDS

if TYPE_CHECKING:
    from runbook_tui.demo.machine import Machine
    from tests.demo.standins.conftest import BareWorld, Run


@pytest.fixture
async def old(world: BareWorld) -> Machine:
    """A server with the webmail's database."""
    await fill_databases(world.machines["old"].databases, "example.test")
    return world.machines["old"]


@pytest.fixture
async def new(world: BareWorld) -> Machine:
    """A server as Debian's package leaves it."""
    await world.machines["new"].databases.start()
    return world.machines["new"]


async def test_a_dump_moved_as_it_is_stops_at_the_role(old: Machine, new: Machine, run: Run) -> None:
    """The seed's own error: `role "pgsql" does not exist`, status 3 with ON_ERROR_STOP and 0 without."""
    dump = (await run(COMMANDS, old, "pg_dump", "roundcube", user="pgsql")).out.encode()
    assert b"ALTER TABLE public.contacts OWNER TO pgsql;" in dump
    assert (await run(COMMANDS, new, "createuser", "roundcube", user="postgres")).status == 0
    assert (await run(COMMANDS, new, "createdb", "-O", "roundcube", "roundcube", user="postgres")).status == 0
    done = await run(COMMANDS, new, "psql", "-v", "ON_ERROR_STOP=1", "-d", "roundcube", stdin=dump, user="postgres")
    assert (done.status, done.err) == (3, 'ERROR:  role "pgsql" does not exist\n')
    await run(COMMANDS, new, "dropdb", "roundcube", user="postgres")
    await run(COMMANDS, new, "createdb", "roundcube", user="postgres")
    done = await run(COMMANDS, new, "psql", "-q", "-d", "roundcube", stdin=dump, user="postgres")
    assert (done.status, done.err.count("ERROR")) == (0, 1)


async def test_an_archive_without_owners_arrives_whole(old: Machine, new: Machine, run: Run) -> None:
    """pg_dump -Fc --no-owner --no-acl, createdb, pg_restore --no-owner --role: every row, one owner."""
    words = ("-Fc", "--no-owner", "--no-acl", "-f", "/tmp/rc.dump", "roundcube")
    assert (await run(COMMANDS, old, "pg_dump", *words, user="pgsql")).status == 0
    archive = old.host.path("/tmp/rc.dump").read_bytes()
    assert archive.startswith(b"PGDMP")
    await run(COMMANDS, new, "createuser", "www-data", user="postgres")
    await run(
        COMMANDS, new, "createdb", "-O", "www-data", "-E", "UTF8", "-T", "template0", "roundcube", user="postgres"
    )
    restore = ("--no-owner", "--role=www-data", "--exit-on-error", "-d", "roundcube")
    done = await run(COMMANDS, new, "pg_restore", *restore, stdin=archive, user="postgres")
    assert (done.status, done.err) == (0, "")
    for table, rows in (("users", 3), ("identities", 4), ("contacts", 3), ("system", 1)):
        count = await run(
            COMMANDS, new, "psql", "-At", "-d", "roundcube", "-c", f"SELECT count(*) FROM {table}", user="postgres"
        )
        assert count.out == f"{rows}\n"
    name = await run(
        COMMANDS, new, "psql", "-Atc", "SELECT name FROM contacts WHERE contact_id = 3", "roundcube", user="postgres"
    )
    assert name.out == "Émile\n"
    again = await run(COMMANDS, new, "pg_dump", "roundcube", user="postgres")
    assert 'OWNER TO "www-data"' in again.out
    assert "pgsql-general@lists" in again.out


async def test_restoring_twice_says_what_is_there_already(old: Machine, new: Machine, run: Run) -> None:
    """Without --clean, a second restore fails for every table and says how often."""
    archive = (await run(COMMANDS, old, "pg_dump", "-Fc", "-O", "-x", "roundcube", user="pgsql")).out.encode(
        errors="surrogateescape"
    )
    await run(COMMANDS, new, "createdb", "roundcube", user="postgres")
    assert (await run(COMMANDS, new, "pg_restore", "-d", "roundcube", stdin=archive, user="postgres")).status == 0
    again = await run(COMMANDS, new, "pg_restore", "-d", "roundcube", stdin=archive, user="postgres")
    assert again.status == 1
    assert 'ERROR:  relation "users" already exists' in again.err
    assert "errors ignored on restore" in again.err
    clean = await run(COMMANDS, new, "pg_restore", "-c", "-d", "roundcube", stdin=archive, user="postgres")
    assert (clean.status, clean.err) == (0, "")
    text = await run(COMMANDS, new, "pg_restore", "-d", "roundcube", stdin=b"-- a dump\n", user="postgres")
    assert text.err == "pg_restore: error: input file appears to be a text format dump. Please use psql.\n"


async def test_a_transaction_is_all_or_nothing(old: Machine, run: Run) -> None:
    """An UPDATE that would make two rows equal leaves none changed, in PostgreSQL's words."""
    script = b"BEGIN; UPDATE users SET mail_host = 'localhost'; COMMIT;"
    done = await run(COMMANDS, old, "psql", "-v", "ON_ERROR_STOP=1", "-d", "roundcube", stdin=script, user="pgsql")
    assert (done.status, done.out) == (0, "BEGIN\nUPDATE 3\nCOMMIT\n")
    twice = b"BEGIN; INSERT INTO users VALUES (9, 'new', 'x', NULL, ''); UPDATE users SET username = 'plop'; COMMIT;"
    done = await run(COMMANDS, old, "psql", "-v", "ON_ERROR_STOP=1", "-d", "roundcube", stdin=twice, user="pgsql")
    assert done.status == 3
    assert "duplicate key value violates unique constraint" in done.err
    left = await run(
        COMMANDS, old, "psql", "-Atc", "SELECT count(*) FROM users WHERE user_id = 9", "roundcube", user="pgsql"
    )
    assert left.out == "0\n"


async def test_tables_look_as_psql_draws_them(old: Machine, run: Run) -> None:
    """Numbers to the right, text to the left, a count below."""
    done = await run(
        COMMANDS, old, "psql", "-d", "roundcube", "-c", "SELECT user_id, username FROM users", user="pgsql"
    )
    assert (
        done.out
        == " user_id | username \n---------+----------\n       1 | plop\n       2 | alice\n       3 | bob\n(3 rows)\n\n"
    )


async def test_logins_are_the_systems_own(old: Machine, new: Machine, run: Run) -> None:
    """Debian wants the system's user, FreeBSD trusts but has no role root; a stopped server is status 2."""
    peer = await run(COMMANDS, new, "psql", "-U", "postgres", "-c", "SELECT 1", user="root")
    assert (peer.status, "Peer authentication failed" in peer.err) == (2, True)
    role = await run(COMMANDS, old, "psql", "-d", "roundcube", "-c", "SELECT 1", user="root")
    assert 'FATAL:  role "root" does not exist' in role.err
    assert (await run(COMMANDS, old, "psql", "-U", "pgsql", "-d", "roundcube", "-c", "SELECT 1")).status == 0
    missing = await run(COMMANDS, new, "psql", "-d", "nope", "-c", "SELECT 1", user="postgres")
    assert 'FATAL:  database "nope" does not exist' in missing.err
    await new.databases.stop()
    assert (await run(COMMANDS, new, "pg_isready")).status == 2
    down = await run(COMMANDS, new, "psql", "-c", "SELECT 1", user="postgres")
    assert (down.status, "Is the server running locally" in down.err) == (2, True)


async def test_what_is_not_known_is_not_done(old: Machine, run: Run) -> None:
    """A meta-command, a format and an option of which nothing is known end with 64; broken SQL is an error."""
    assert (await run(COMMANDS, old, "psql", "-c", r"\dt", "roundcube", user="pgsql")).status == 64
    assert (await run(COMMANDS, old, "pg_dump", "-Fd", "roundcube", user="pgsql")).status == 64
    assert (await run(COMMANDS, old, "pg_dump", "--jobs=4", "roundcube", user="pgsql")).status == 64
    broken = await run(COMMANDS, old, "psql", "-c", "SELEC 1", "roundcube", user="pgsql")
    assert (broken.status, broken.err) == (1, 'ERROR:  syntax error at or near "SELEC"\n')


async def test_a_full_disk_takes_no_rows(old: Machine, run: Run) -> None:
    """With no room left a write fails and a look does not."""
    old.host.full = True
    done = await run(COMMANDS, old, "psql", "-c", "UPDATE users SET language = 'x'", "roundcube", user="pgsql")
    assert (done.status, "No space left on device" in done.err) == (1, True)
    assert (await run(COMMANDS, old, "psql", "-c", "SELECT 1", "roundcube", user="pgsql")).status == 0
    old.host.full = False
    assert (
        await run(COMMANDS, old, "psql", "-c", "UPDATE users SET language = 'x'", "roundcube", user="pgsql")
    ).status == 0


def test_a_script_is_taken_apart_where_postgres_would() -> None:
    """Quotes, dollar quotes and comments hide semicolons; COPY's data is no SQL."""
    script = (
        "-- a; b\nSELECT ';', $$;$$; /* ; */ INSERT INTO t VALUES ('it''s; so');\n"
        "COPY t (a, b) FROM stdin;\n1\t\\N\nx\\ty\tz;\n\\.\n\nSELECT 2"
    )
    assert list(split(script)) == [
        Statement("SELECT ';', $$;$$", None, 2),
        Statement("INSERT INTO t VALUES ('it''s; so')", None, 2),
        Statement("COPY t (a, b) FROM stdin", CopyData((("1", None), ("x\ty", "z;"))), 3),
        Statement("SELECT 2", None, 8),
    ]
