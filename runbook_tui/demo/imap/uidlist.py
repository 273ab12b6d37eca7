"""Dovecot's own files in a Maildir folder: dovecot-uidlist version 3, dovecot-keywords, dovecot-uidvalidity.

An rsync of a Maildir carries UIDs and keywords over because they are in these files, and nowhere else
(MIGRATION.md, I9). Format: Dovecot manual, "Maildir Mailbox Format".
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from pathlib import Path

Stamp = tuple[int, int, int]
"""What tells that a file or folder changed: time of change (ns), size, inode. Zeros where there is none."""


def stamp(path: Path) -> Stamp:
    """Look at a file without reading it."""
    try:
        seen = path.stat()
    except OSError:
        return (0, 0, 0)
    return (seen.st_mtime_ns, seen.st_size, seen.st_ino)


def replace_file(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old text or the new one."""
    draft = path.with_name(f"{path.name}.tmp")
    draft.write_text(text, encoding="utf-8", errors="surrogateescape")
    draft.replace(path)


class UidList:
    """Which mail of a folder has which UID. `uids` goes by the file name up to `:2,`."""

    def __init__(self, folder: Path, root: Path) -> None:
        self.path = folder / "dovecot-uidlist"
        self.validity = 0
        self.next = 1
        self.guid = ""
        self.uids: dict[str, int] = {}
        self.extensions: dict[str, str] = {}
        self.seen: Stamp = (0, 0, 0)
        self._root = root

    def load(self) -> None:
        """Read the file if it changed; make it if there is none, with a UIDVALIDITY of its own."""
        now = stamp(self.path)
        if now == self.seen and self.validity:
            return
        self.uids, self.extensions, self.validity, self.next = {}, {}, 0, 1
        if now[0]:
            self._parse(self.path.read_text(encoding="utf-8", errors="surrogateescape").splitlines())
        if self.validity:
            self.seen = now
            return
        self.validity = _new_validity(self._root)
        self.guid = secrets.token_hex(16)
        self._write()

    def _parse(self, lines: Sequence[str]) -> None:
        version, *header = lines[0].split() if lines else [""]
        if version != "3":
            return
        fields = {field[0]: field[1:] for field in header}
        self.validity, self.next, self.guid = int(fields["V"]), int(fields["N"]), fields.get("G", "")
        for line in lines[1:]:
            left, _, name = line.partition(" :")
            uid, _, extensions = left.partition(" ")
            base = name.partition(":2,")[0]
            self.uids[base] = int(uid)
            if extensions:
                self.extensions[base] = extensions
            self.next = max(self.next, int(uid) + 1)

    def extension(self, base: str, letter: str) -> str:
        """Give a field a mail has here: `W` its size with CRLF, `G` its GUID; empty without."""
        fields = self.extensions.get(base, "").split()
        return next((field[1:] for field in fields if field[0] == letter), "")

    def add(self, bases: Sequence[str]) -> None:
        """Give mails the next UIDs, in this order."""
        with self.path.open("a", encoding="utf-8", errors="surrogateescape") as file:
            for base in bases:
                self.uids[base] = self.next
                file.write(f"{self.next} :{base}\n")
                self.next += 1
        self.seen = stamp(self.path)

    def forget(self, bases: Collection[str]) -> None:
        """Take expunged mails out; their UIDs are never used again."""
        for base in bases:
            self.uids.pop(base, None)
            self.extensions.pop(base, None)
        self._write()

    def _write(self) -> None:
        lines = [f"3 V{self.validity} N{self.next} G{self.guid}"]
        for base, uid in sorted(self.uids.items(), key=lambda item: item[1]):
            extensions = self.extensions.get(base)
            lines.append(f"{uid} {extensions} :{base}" if extensions else f"{uid} :{base}")
        replace_file(self.path, "\n".join(lines) + "\n")
        self.seen = stamp(self.path)


class Keywords:
    """The names of a folder's keywords; a file name has them as letters, `a` for the first one."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "dovecot-keywords"
        self.names: list[str] = []
        self._seen: Stamp | None = None

    def load(self) -> None:
        """Read the file if it changed."""
        now = stamp(self.path)
        if now == self._seen:
            return
        self._seen = now
        self.names = []
        for line in self.path.read_text(encoding="utf-8").splitlines() if now[0] else []:
            index, _, name = line.partition(" ")
            self.names += [""] * (int(index) + 1 - len(self.names))
            self.names[int(index)] = name

    def of(self, letters: str) -> tuple[str, ...]:
        """Name the keywords among a file's letters; as Dovecot does, `unknown-0` where the file is lost."""
        found = []
        for letter in letters:
            if "a" <= letter <= "z":
                index = ord(letter) - ord("a")
                known = self.names[index] if index < len(self.names) else ""
                found.append(known or f"unknown-{index}")
        return tuple(found)

    def letter(self, name: str) -> str:
        """Give a keyword's letter, a new one if need be; empty when all 26 are taken."""
        lowered = [known.lower() for known in self.names]
        if name.lower() in lowered:
            return chr(ord("a") + lowered.index(name.lower()))
        if len(self.names) >= 26:
            return ""
        self.names.append(name)
        replace_file(self.path, "".join(f"{index} {known}\n" for index, known in enumerate(self.names) if known))
        self._seen = stamp(self.path)
        return chr(ord("a") + len(self.names) - 1)


def _new_validity(root: Path) -> int:
    """Give a UIDVALIDITY no mailbox of the store ever had: the time, or one more than the last one.

    The last one is the content of dovecot-uidvalidity, eight hex digits; a file named after it stands beside it.
    """
    counter = root / "dovecot-uidvalidity"
    last = int(counter.read_text(encoding="ascii") or "0", 16) if counter.exists() else 0
    validity = max(int(time.time()), last + 1)
    replace_file(counter, f"{validity:08x}")
    (root / f"dovecot-uidvalidity.{last:08x}").unlink(missing_ok=True)
    (root / f"dovecot-uidvalidity.{validity:08x}").touch()
    return validity
