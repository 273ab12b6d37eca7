"""postconf(1): shows and edits the host's real main.cf, shows its master.cf."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.demo.host import Tier
from runbook_tui.demo.isolation.rewriting import brought_out
from runbook_tui.demo.postfix.settings import ConfigurationError, Edit, Settings, edited

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runbook_tui.demo.standins.call import Call, Options

MAP_TYPES = ("btree", "cdb", "hash", "inline", "lmdb", "proxy", "static", "texthash", "unix")
_MASTER_COLUMNS = (0, 11, 17, 25, 33, 41, 49, 57)


def postconf(call: Call) -> None:
    """Show parameters (-d -n -p -h -H -o -x), edit them (-e -# -X), list map types (-m), show master.cf (-M)."""
    options = call.options("c:deho:mnpxHMX#")
    directory = call.machine.host.layout.postfix
    if options.value("c", directory).rstrip("/") not in {directory, str(call.file(directory))}:
        call.refuse(f"-c {options.value('c')}")
    names = [own_paths(call, name) for name in options.rest]
    edits = {edit for edit in Edit if edit in options.flags}
    if any("=" in name for name in names):
        edits.add(Edit.SET)
    if len(edits) > 1:
        call.fail(f"postconf: fatal: specify one of {' '.join(f'-{edit}' for edit in Edit if edit in edits)}")
    if edits:
        _edit(call, edits.pop(), names)
    elif "m" in options.flags:
        call.say("\n".join(MAP_TYPES))
    elif "M" in options.flags:
        _show_master(call, names)
    else:
        _show(call, options, names)


def own_paths(call: Call, text: str) -> str:
    """Give a text with the host's paths as the host knows them, where a command carried the world's."""
    return text.replace(f"{call.machine.host.root}/", "/")


def _for_the_shell(call: Call, value: str) -> str:
    """Give a bare value as the calling shell can use it: in tier plain with the paths of this machine."""
    host = call.machine.host
    return brought_out(value, str(host.root)) if host.tier is Tier.PLAIN else value


def _edit(call: Call, edit: Edit, names: Sequence[str]) -> None:
    wanted: dict[str, str] = {}
    for word in names:
        name, equals, value = (part.strip() for part in word.partition("="))
        if "\n" in word:
            call.fail("postconf: fatal: -e, -X, or -# accepts no multi-line input")
        if edit is Edit.SET and not equals:
            call.fail(f"postconf: fatal: missing '=' after attribute name: \"{word}\"")
        if not name:
            call.fail(f'postconf: fatal: missing attribute name: "{word}"')
        if name in wanted:
            call.warn(f"postconf: warning: ignoring earlier request: '{name} = {wanted[name]}'")
        wanted[name] = value
    path = call.machine.host.path(f"{call.machine.host.layout.postfix}/main.cf")
    try:
        text = edited(path.read_text(encoding="utf-8", errors="surrogateescape"), edit, wanted)
        draft = path.with_name("main.cf.tmp")
        draft.write_text(text, encoding="utf-8", errors="surrogateescape")
        draft.replace(path)
    except OSError as error:
        call.fail(f"postconf: fatal: open {call.machine.host.layout.postfix}/main.cf: {error.strerror}")


def _show(call: Call, options: Options, names: Sequence[str]) -> None:
    host = call.machine.host
    try:
        settings = Settings.of(host, {}) if "d" in options.flags else Settings.read(host)
    except ConfigurationError as error:
        call.fail(f"postconf: fatal: {error}")
    overrides = dict(pair.split("=", 1) for pair in options.values.get("o", ()) if "=" in pair)
    settings = Settings.of(host, {**settings.values, **overrides})
    unused = settings.unused()
    if "n" in options.flags:
        listed = list(names) or sorted(name for name in settings.values if name not in unused)
        listed = [name for name in listed if name in settings.values]
    else:
        listed = list(names) or sorted(settings.defaults)
    for name in names:
        if not settings.known(name):
            call.warn(f"postconf: warning: {name}: unknown parameter")
    for name in listed:
        if not settings.known(name) and (name in unused or name not in settings.values):
            continue
        value = settings.get(name) if "x" in options.flags else settings.raw(name)
        if "H" in options.flags:
            call.say(name)
        else:
            call.say(_for_the_shell(call, value) if "h" in options.flags else f"{name} = {value}".rstrip(" "))
    for name in unused:
        call.warn(f"postconf: warning: {host.layout.postfix}/main.cf: unused parameter: {name}={settings.values[name]}")


def _show_master(call: Call, wanted: Sequence[str]) -> None:
    name = f"{call.machine.host.layout.postfix}/master.cf"
    try:
        text = call.machine.host.path(name).read_text(encoding="utf-8")
    except OSError as error:
        call.fail(f"postconf: fatal: open {name}: {error.strerror}")
    services: list[list[str]] = []
    for line in text.splitlines():
        if line.strip() and not line.lstrip().startswith("#"):
            if line[0].isspace() and services:
                services[-1] += line.split()
            else:
                services.append(line.split())
    chosen = [fields for fields in services if not wanted or _matches(fields, wanted)]
    for want in wanted:
        if not any(_matches(fields, [want]) for fields in services):
            call.warn(f'postconf: warning: unmatched request: "{want}"')
    for fields in chosen:
        line = ""
        for column, word in zip(_MASTER_COLUMNS, fields, strict=False):
            line = f"{line} " if line and len(line) >= column else line.ljust(column)
            line += word
        call.say(" ".join([line, *fields[len(_MASTER_COLUMNS) :]]))


def _matches(fields: Sequence[str], wanted: Sequence[str]) -> bool:
    return any(want in {fields[0], f"{fields[0]}/{fields[1]}"} for want in wanted)
