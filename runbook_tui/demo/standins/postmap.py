"""postmap(1), postalias(1) and newaliases(1): tables beside their sources, where the daemon finds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.demo.postfix.maps import (
    COMPILED,
    STALE_AFTER,
    TableError,
    Tables,
    compile_aliases,
    compile_table,
    read_compiled,
    write_compiled,
)
from runbook_tui.demo.postfix.settings import ConfigurationError, Settings
from runbook_tui.demo.standins.postconf import own_paths

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runbook_tui.demo.standins.call import Call


def postmap(call: Call) -> int | None:
    """Compile tables (postmap, postalias), or look into them: -q key, -s for all of it."""
    options = call.options("c:q:ors")
    tables = [_table(call, word) for word in options.rest]
    if not tables:
        call.refuse("no table named")
    if "q" in options.values:
        return _query(call, tables, options.value("q"))
    for kind, name in tables:
        if kind not in COMPILED:
            call.refuse(f"{kind}:{name}")
        if "s" in options.flags:
            _show_table(call, name)
        else:
            _compile(call, name)
    return None


def newaliases(call: Call) -> None:
    """Compile every alias_database."""
    call.options("")
    for spec in settings_of(call).words("alias_database"):
        _compile(call, _table(call, spec)[1])


def _table(call: Call, word: str) -> tuple[str, str]:
    word = own_paths(call, word)
    kind, colon, name = word.partition(":")
    return (kind, name) if colon else (settings_of(call).get("default_database_type"), word)


def settings_of(call: Call) -> Settings:
    """Read the host's main.cf; end the command when it is broken."""
    try:
        return Settings.read(call.machine.host)
    except ConfigurationError as error:
        call.fail(f"{call.argv[0]}: fatal: {error}")


def _compile(call: Call, name: str) -> None:
    program = "postalias" if call.argv[0] == "newaliases" else call.argv[0]
    source = call.file(name)
    try:
        text = source.read_text(encoding="utf-8")
        compiled = compile_table(text) if program == "postmap" else compile_aliases(text)
        write_compiled(source, compiled.rows)
    except OSError as error:
        call.fail(f"{program}: fatal: open {name}: {error.strerror}")
    for number, sentence in compiled.warnings:
        where = f"{name}, line {number}" if number else f"{name}.db"
        call.warn(f"{program}: warning: {where}: {sentence}")


def _show_table(call: Call, name: str) -> None:
    try:
        rows = read_compiled(call.file(name), name)
    except TableError as error:
        call.fail(f"{call.argv[0]}: fatal: {error}")
    colon = "" if call.argv[0] == "postmap" else ":"
    for key, value in rows.items():
        call.say(f"{key}{colon}\t{value}")


def _query(call: Call, tables: Sequence[tuple[str, str]], key: str) -> int:
    program = call.argv[0]
    keys = call.stdin.read().decode().splitlines() if key == "-" else [key]
    look = Tables(call.machine.host.path, lambda text: call.warn(f"{program}: warning: {text}"), STALE_AFTER)
    found = False
    for one in keys:
        for kind, name in tables:
            path = name if kind in {"static", "inline"} else own_paths(call, str(call.file(name)))
            try:
                value = look.lookup(f"{kind}:{path}", one)
            except TableError as error:
                call.fail(f"{program}: fatal: {error}")
            if value is not None:
                call.say(f"{one}\t{value}" if key == "-" else value)
                found = True
                break
    return 0 if found else 1
