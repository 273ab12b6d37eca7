"""`mailrunbook secret set|list|delete`: passwords into the keyring and out of it; what is typed is never shown."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from runbook_tui.cli import shipped
from runbook_tui.cli.console import say
from runbook_tui.cli.wishes import pairs
from runbook_tui.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

app = typer.Typer(
    name="secret",
    help="Passwords in the operator's keyring: store, list, delete.",
    epilog="Example: mailrunbook secret set 'imap ada@example.org'",
    no_args_is_help=True,
)

LONGEST = 1 << 16
"""Bytes of a value: longer than any password, shorter than a file given by mistake."""

Name = Annotated[str, typer.Argument(metavar="NAME", help="The name, such as 'imap ada@example.org'.")]


@app.command("set", epilog="Example: mailrunbook secret set 'imap ada@example.org'")
def set_command(name: Name) -> None:
    """Store a password: typed twice without echo on a terminal, one line of standard input from a pipe."""
    from runbook_tui.adapters.keyring import Keyring  # noqa: PLC0415 -- what it needs is loaded when it runs
    from runbook_tui.adapters.secret_index import config_dir, remember  # noqa: PLC0415
    from runbook_tui.core.secret import Secret  # noqa: PLC0415
    from runbook_tui.core.secret_names import check_name  # noqa: PLC0415

    secret = Secret(check_name(name), _typed(name) if os.isatty(0) else _piped())
    keyring = Keyring()
    asyncio.run(keyring.set(secret))
    say(f"{name}: stored in {keyring.source}, and read back")
    remember(config_dir(), name)


@app.command("delete", epilog="Example: mailrunbook secret delete 'imap ada@example.org'")
def delete_command(name: Name) -> None:
    """Delete a password, and say whether there was one."""
    from runbook_tui.adapters.keyring import Keyring  # noqa: PLC0415 -- as above
    from runbook_tui.adapters.secret_index import config_dir, forget  # noqa: PLC0415
    from runbook_tui.core.secret_names import check_name  # noqa: PLC0415

    keyring = Keyring()
    found = asyncio.run(keyring.delete(check_name(name)))
    say(f"{name}: {'deleted from' if found else 'was not in'} {keyring.source}")
    forget(config_dir(), name)


@app.command("list", epilog="Example: mailrunbook secret list --runbook move.md --var user=ada")
def list_command(
    *,
    runbook: Annotated[str, typer.Option("--runbook", metavar="FILE", help="The names this runbook uses.")] = "",
    var: Annotated[list[str] | None, typer.Option("--var", metavar="NAME=VALUE", help="A variable's value.")] = None,
) -> None:
    """List names and whether each is stored: a runbook's, or those stored with this command; never a value."""
    from runbook_tui.adapters.secret_index import config_dir, known_names  # noqa: PLC0415 -- as above

    if var and not runbook:
        raise UsageError("--var goes with --runbook")
    unnamed: list[str] = []
    names = _names_of(runbook, var or (), unnamed) if runbook else known_names(config_dir())
    for name in unnamed:
        say(f"{name}: not looked up, a value is missing (--var)")
    if not names:
        if not unnamed:
            say("The runbook names no secret." if runbook else "No names are known. A runbook's: --runbook FILE.")
        return
    asyncio.run(_list(names))


async def _list(names: list[str]) -> None:
    from runbook_tui.adapters.keyring import Keyring  # noqa: PLC0415 -- as above

    keyring = Keyring()
    for name in names:
        stored = await keyring.get(name) is not None
        say(f"{name}: {'stored' if stored else 'not stored'} in {keyring.source}")


def _names_of(wanted: str, given: list[str] | tuple[str, ...], unnamed: list[str]) -> list[str]:
    """Give the runbook's names with values put in; names whose values are missing go to `unnamed`."""
    from runbook_tui.core.markdown import read  # noqa: PLC0415 -- as above
    from runbook_tui.core.secret_names import (  # noqa: PLC0415
        UnnamedSecretError,
        defaults_of,
        put_values,
        written_names,
    )

    path = shipped.find(wanted)
    book = read(shipped.read_bytes(path), name=path.name)
    values: Mapping[str, str] = {**defaults_of(book), **pairs(given, "--var")}
    names: list[str] = []
    for written in written_names(book):
        try:
            names.append(put_values(written, values))
        except UnnamedSecretError:
            unnamed.append(written)
    return list(dict.fromkeys(names))


def _typed(name: str) -> str:
    from getpass import getpass  # noqa: PLC0415 -- only on a terminal

    try:
        first, second = getpass(f"secret {name}: "), getpass("once more: ")
    except EOFError:
        raise UsageError("Nothing was typed", hint="Nothing was stored.") from None
    if first != second:
        raise UsageError("The two are not the same", hint="Nothing was stored.")
    return _usable(first)


def _piped() -> str:
    data = sys.stdin.buffer.readline(LONGEST + 1)
    if len(data) > LONGEST:
        raise UsageError(f"The line is longer than {LONGEST} bytes", hint="Nothing was stored.")
    try:
        return _usable(data.removesuffix(b"\n").removesuffix(b"\r").decode())
    except UnicodeDecodeError:
        raise UsageError("The line is not UTF-8", hint="Nothing was stored.") from None


def _usable(value: str) -> str:
    if not value:
        raise UsageError("An empty password is none", hint="Nothing was stored.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise UsageError("What was typed is not UTF-8", hint="Nothing was stored.") from None
    return value
