"""Lookup tables: source text, the compiled file beside it, what a daemon finds there (DATABASE_README)."""

from __future__ import annotations

import json
import os
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

COMPILED = frozenset({"hash", "btree", "lmdb", "cdb"})
"""Types that `postmap` compiles; all are the same file here, under the source's name and `.db`."""
STALE_AFTER = 100
"""Seconds a source must have rested before a table older than it is worth a warning (Postfix's dict_db.c)."""


class TableError(Exception):
    """A table cannot be read; the text is what Postfix would log."""


@dataclass(frozen=True, slots=True)
class Compiled:
    """A table's content, and what was odd about its source: (line number or 0, sentence)."""

    rows: Mapping[str, str]
    warnings: tuple[tuple[int, str], ...]


def compile_table(text: str) -> Compiled:
    """Read `key value` lines as `postmap` does: keys fold to lower case, the first of two equal keys wins."""
    rows: dict[str, str] = {}
    warnings = []
    for number, line in _logical(text):
        key, _, value = line.replace("\t", " ", 1).partition(" ") if "\t" in line.split(" ")[0] else line.partition(" ")
        if not value.strip():
            warnings.append((number, "expected format: key whitespace value"))
        elif key.lower() in rows:
            warnings.append((0, f'duplicate entry: "{key.lower()}"'))
        else:
            rows[key.lower()] = value.strip()
    return Compiled(rows, tuple(warnings))


def compile_aliases(text: str) -> Compiled:
    """Read `name: value` lines as `postalias` does (aliases(5))."""
    rows: dict[str, str] = {}
    warnings = []
    for number, line in _logical(text):
        found = re.fullmatch(r'(?:"([^"]+)"|([^\s:"]+))\s*:\s*(\S.*)', line)
        if found is None:
            warnings.append((number, "need name:value pair"))
            continue
        key = (found[1] or found[2]).lower()
        if key in rows:
            warnings.append((0, f'duplicate entry: "{key}"'))
        else:
            rows[key] = ", ".join(re.split(r"\s*,\s*", found[3].strip()))
    return Compiled(rows, tuple(warnings))


def _logical(text: str) -> list[tuple[int, str]]:
    lines: list[tuple[int, str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0].isspace() and lines:
            lines[-1] = (lines[-1][0], lines[-1][1] + line.rstrip())
        else:
            lines.append((number, line.strip()))
    return lines


def compiled_path(source: Path) -> Path:
    """Give where a source's compiled table is."""
    return source.with_name(f"{source.name}.db")


def write_compiled(source: Path, rows: Mapping[str, str]) -> None:
    """Write the compiled table at once: no reader ever sees half of it."""
    target = compiled_path(source)
    draft = target.with_name(f".{target.name}.{os.getpid()}")
    draft.write_text(json.dumps(rows, ensure_ascii=False), encoding="utf-8")
    draft.replace(target)


def read_compiled(source: Path, name: str) -> dict[str, str]:
    """Read a compiled table whole; `name` is the source's as the host knows it.

    Raises:
        TableError: it is not there, or it is no table.
    """
    try:
        rows = json.loads(compiled_path(source).read_text(encoding="utf-8"))
    except OSError as error:
        raise TableError(f"open database {name}.db: {error.strerror}") from None
    except ValueError:
        raise TableError(f"open database {name}.db: Invalid argument") from None
    return {str(key): str(value) for key, value in rows.items()}


class Tables:
    """Looks keys up; remembers each table until its file changes, as a daemon's new process would see it."""

    def __init__(self, path: Callable[[str], Path], warn: Callable[[str], None], stale_after: float) -> None:
        """Take where a host's paths are, what to do with a warning, and how old a source may be, in real seconds."""
        self._path = path
        self._warn = warn
        self._stale_after = stale_after
        self._read: dict[str, tuple[int, dict[str, str]]] = {}

    def lookup(self, spec: str, key: str) -> str | None:
        """Look a key up in `type:name`; without a type it is a hash.

        Raises:
            TableError: there is no such table, or the type is not in the rehearsal.
        """
        kind, colon, name = spec.removeprefix("proxy:").partition(":")
        if not colon:
            kind, name = "hash", kind
        match kind:
            case "static":
                return name
            case "inline":
                pairs = (pair.partition("=") for pair in re.split(r"[\s,]+", name.strip("{} ")))
                return {left.lower(): right for left, _, right in pairs}.get(key.lower())
            case "texthash":
                return self._rows(name, self._path(name), compiled=False).get(key.lower())
            case _ if kind in COMPILED:
                return self._rows(name, self._path(name), compiled=True).get(key.lower())
        raise TableError(f"unsupported dictionary type: {kind}")

    def _rows(self, name: str, source: Path, *, compiled: bool) -> dict[str, str]:
        file = compiled_path(source) if compiled else source
        try:
            changed = file.stat().st_mtime_ns
        except OSError as error:
            what = f"open database {name}.db" if compiled else f"open {name}"
            raise TableError(f"{what}: {error.strerror}") from None
        known = self._read.get(str(file))
        if known is None or known[0] != changed:
            if compiled:
                rows = read_compiled(source, name)
                self._look_at_age(name, source, changed)
            else:
                rows = dict(compile_table(source.read_text(encoding="utf-8")).rows)
            known = self._read[str(file)] = (changed, rows)
        return known[1]

    def _look_at_age(self, name: str, source: Path, compiled: int) -> None:
        try:
            edited = source.stat().st_mtime_ns
        except OSError:
            return
        if edited > compiled and edited / 1e9 < time.time() - self._stale_after:
            self._warn(f"database {name}.db is older than source file {name}")
