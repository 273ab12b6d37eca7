"""What rsync leaves out, in which order it works, and how it says what it does to a file (rsync(1))."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class Kind(StrEnum):
    """What an entry of a tree is, by the letter of --itemize-changes."""

    FILE = "f"
    FOLDER = "d"
    LINK = "L"


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, folder or symbolic link: bytes, whole Unix seconds, permission bits, where a link points."""

    kind: Kind
    size: int
    mtime: int
    mode: int
    target: str = ""


Tree = dict[str, Entry]
"""Entries by their path below the top, which itself is "."."""


class Excludes:
    """Patterns of --exclude and --exclude-from, in their order; includes are not known."""

    def __init__(self, patterns: Iterable[str], prefix: str = "") -> None:
        """Take the patterns, and the name of the tree itself where that is transferred too."""
        self._top = f"/{prefix}" if prefix else ""
        self._patterns = [(_compiled(pattern.rstrip("/")), pattern.endswith("/")) for pattern in patterns]

    def leave_out(self, path: str, kind: Kind) -> bool:
        """Tell whether a path below the top is left out; what is below it is not even looked at."""
        return any(
            pattern.search(f"{self._top}/{path}") and (kind is Kind.FOLDER or not only_folders)
            for pattern, only_folders in self._patterns
        )

    def prune(self, tree: Mapping[str, Entry]) -> Tree:
        """Give a tree without what is left out."""
        kept: Tree = {}
        for path in sorted(tree):
            above = path.rpartition("/")[0] or "."
            if path == "." or (above in kept and not self.leave_out(path, tree[path].kind)):
                kept[path] = tree[path]
        return kept


def _compiled(pattern: str) -> re.Pattern[str]:
    """Anchor a leading slash at the top, everything else at any slash; `*` stops at a slash, `**` does not."""
    pieces = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    body = "".join(
        pieces.get(piece, piece if piece.startswith("[") else re.escape(piece))
        for piece in re.findall(r"\*\*|\*|\?|\[[^]]+\]|[^*?[]+|\[", pattern.lstrip("/"))
    )
    return re.compile(("^/" if pattern.startswith("/") else "/") + body + "$")


def patterns_of(text: str) -> list[str]:
    """Read a file of --exclude-from: a pattern a line, comments begin with `#` or `;`."""
    lines = (line.removeprefix("- ") for line in text.splitlines())
    return [line for line in lines if line.strip() and line[0] not in "#;"]


def children(tree: Iterable[str], entries: Mapping[str, Entry]) -> dict[str, list[str]]:
    """Give what is in each folder, sorted as rsync does: what is no folder comes first, then by octets."""

    def key(path: str) -> tuple[bool, bytes]:
        return entries[path].kind is Kind.FOLDER, path.encode("utf-8", "surrogateescape")

    found: dict[str, list[str]] = {}
    for path in sorted(tree, key=key):
        if path != ".":
            found.setdefault(path.rpartition("/")[0] or ".", []).append(path)
    return found


def ordered(tree: Mapping[str, Entry]) -> list[str]:
    """Give the order of work: a folder, what is in it and no folder, then its folders with all that is in them."""
    inside = children(tree, tree)
    order = ["."] if "." in tree else []

    def add(folder: str) -> None:
        for path in inside.get(folder, ()):
            order.append(path)
            if tree[path].kind is Kind.FOLDER:
                add(path)

    add(".")
    return order


def doomed(there: Mapping[str, Entry], wanted: Mapping[str, Entry]) -> list[str]:
    """List what --delete removes: folder by folder, each from its end, a folder after what is in it."""
    inside = children(there, there)

    def below(path: str) -> list[str]:
        return [*(one for child in reversed(inside.get(path, ())) for one in below(child)), path]

    staying = [path for path in ordered(there) if path in wanted and wanted[path].kind is Kind.FOLDER]
    return [
        one
        for folder in staying
        for path in reversed(inside.get(folder, ()))
        if path not in wanted
        for one in below(path)
    ]


def marks(new: Entry, old: Entry | None, *, sent: bool, content_differs: bool) -> str:
    """Give the eleven letters of --itemize-changes, such as `<f.st......`; empty when nothing is to be done.

    `sent` tells that a file goes to the remote side; `content_differs` what a checksum said, when one was asked for.
    """
    arrow = {Kind.FILE: "<" if sent else ">", Kind.FOLDER: "c", Kind.LINK: "c"}[new.kind]
    if old is None or old.kind is not new.kind:
        return f"{arrow}{new.kind}+++++++++"
    is_file = new.kind is Kind.FILE
    size = is_file and old.size != new.size
    time = old.mtime != new.mtime and (new.kind is not Kind.LINK or old.target != new.target)
    mode = old.mode != new.mode and new.kind is not Kind.LINK
    moved = is_file and (size or content_differs)
    retargeted = new.kind is Kind.LINK and old.target != new.target
    if not (moved or time or mode or retargeted):
        return ""
    checksum = "c" if content_differs or retargeted else "."
    letters = f"{checksum}{'s' if size else '.'}{'t' if time else '.'}{'p' if mode else '.'}"
    return f"{arrow if moved or retargeted else '.'}{new.kind}{letters}....."
