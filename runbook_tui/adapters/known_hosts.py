"""known_hosts files, matched by the host's name alone: never by its address (PROMISES.md fact 5)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import asyncssh

from runbook_tui.adapters.ssh_patterns import matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path


class Trust(StrEnum):
    """What a line of known_hosts says of its key; the values are the file's own markers."""

    HOST = ""
    AUTHORITY = "@cert-authority"
    REVOKED = "@revoked"


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that could not be used; all others are."""

    path: Path
    line: int
    why: str

    def __str__(self) -> str:
        """Give `PATH line N: WHY`."""
        return f"{self.path} line {self.line}: {self.why}"


@dataclass(frozen=True, slots=True)
class _Entry:
    trust: Trust
    names: str
    key: asyncssh.SSHKey
    path: Path
    line: int


@dataclass(frozen=True, slots=True)
class KnownKeys:
    """The keys that are known for one name, and where the first host key stands."""

    hosts: tuple[asyncssh.SSHKey, ...] = ()
    authorities: tuple[asyncssh.SSHKey, ...] = ()
    revoked: tuple[asyncssh.SSHKey, ...] = ()
    where: str = ""


@dataclass(frozen=True, slots=True)
class KnownHosts:
    """The entries of some known_hosts files; `bad_lines` were left out."""

    entries: tuple[_Entry, ...] = ()
    bad_lines: tuple[BadLine, ...] = field(default_factory=tuple)

    def keys(self, name: str, port: int = 22) -> KnownKeys:
        """Look a name up as ssh(1) does: `[name]:port` first when the port is not 22, then the name alone.

        A key revoked under either of them is revoked.
        """
        names = [name] if port == 22 else [f"[{name}]:{port}", name]
        found = [[e for e in self.entries if _names(e.names, n.lower())] for n in names]
        revoked = tuple(e.key for entries in found for e in entries if e.trust is Trust.REVOKED)
        for entries in found:
            hosts = [e for e in entries if e.trust is Trust.HOST]
            authorities = tuple(e.key for e in entries if e.trust is Trust.AUTHORITY)
            if hosts or authorities:
                where = f"{hosts[0].path} line {hosts[0].line}" if hosts else ""
                return KnownKeys(tuple(e.key for e in hosts), authorities, revoked, where)
        return KnownKeys(revoked=revoked)

    def listed(self, key: asyncssh.SSHKey) -> tuple[str, ...]:
        """Give where else a key stands: help for a person to compare with, never a reason to trust it."""
        found = [e for e in self.entries if e.trust is Trust.HOST and e.key.public_data == key.public_data]
        return tuple(
            f"{'a hashed name' if e.names.startswith('|') else e.names} ({e.path} line {e.line})" for e in found
        )


def read_known_hosts(paths: Sequence[Path]) -> KnownHosts:
    """Read the files that exist; what cannot be used is named in `bad_lines` and the rest is used."""
    entries: list[_Entry] = []
    bad: list[BadLine] = []
    for path in paths:
        try:
            text = path.read_bytes().decode("utf-8", "replace")
        except FileNotFoundError:
            continue
        except OSError as error:
            bad.append(BadLine(path, 0, error.strerror or str(error)))
            continue
        _read(path, text.splitlines(), entries, bad)
    return KnownHosts(tuple(entries), tuple(bad))


def _read(path: Path, lines: Iterable[str], entries: list[_Entry], bad: list[BadLine]) -> None:
    for number, line in enumerate(lines, 1):
        words = line.split(maxsplit=1)
        if not words or words[0].startswith("#"):
            continue
        try:
            trust, names, key = _parse(line.strip())
        except ValueError as error:
            bad.append(BadLine(path, number, str(error)))
        else:
            entries.append(_Entry(trust, names, key, path, number))


def _parse(line: str) -> tuple[Trust, str, asyncssh.SSHKey]:
    trust = Trust.HOST
    if line.startswith("@"):
        marker, *others = line.split(maxsplit=1)
        line = "".join(others)
        try:
            trust = Trust(marker)
        except ValueError:
            raise ValueError(f"unknown marker {marker}") from None
    words = line.split(maxsplit=1)
    if len(words) < 2:
        raise ValueError("neither a host name nor a key")
    if words[0].startswith("|"):
        _salt_and_digest(words[0])
    try:
        return trust, words[0], asyncssh.import_public_key(words[1])
    except asyncssh.KeyImportError:
        raise ValueError("the key cannot be read") from None


def _salt_and_digest(pattern: str) -> tuple[bytes, bytes]:
    parts = pattern.split("|")
    if len(parts) != 4 or parts[1] != "1":
        raise ValueError("unknown kind of hashed host name")
    try:
        return base64.b64decode(parts[2], validate=True), base64.b64decode(parts[3], validate=True)
    except binascii.Error:
        raise ValueError("damaged hashed host name") from None


def _names(pattern: str, name: str) -> bool:
    """Whether the first field of a line stands for this name, given in lower case."""
    if pattern.startswith("|"):
        salt, digest = _salt_and_digest(pattern)
        return hmac.compare_digest(hmac.new(salt, name.encode(), hashlib.sha1).digest(), digest)
    return matches(pattern.split(","), name)
