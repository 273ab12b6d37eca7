"""The two ends of a transfer: a folder of the caller's host, and one of another host over SFTP."""

from __future__ import annotations

import os
import posixpath
import stat
from typing import TYPE_CHECKING, Protocol, cast

import asyncssh

from runbook_tui.demo.standins.rsync_rules import Entry, Kind, Tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from asyncssh.sftp import SFTPClient


class Side(Protocol):
    """A folder to copy from or to. Paths are below it, "." is the folder itself."""

    async def tree(self) -> Tree:
        """List everything; empty when the folder is not there."""

    async def read(self, path: str) -> bytes:
        """Read a file.

        Raises:
            FileNotFoundError: it is gone.
        """

    async def write(self, path: str, entry: Entry, content: bytes) -> None:
        """Put a file in its place at once, with its time and permissions."""

    async def link(self, path: str, entry: Entry) -> None:
        """Put a symbolic link in its place."""

    async def make_folder(self, path: str) -> None:
        """Make a folder, and those above the top."""

    async def stamp(self, path: str, entry: Entry) -> None:
        """Set time and permissions."""

    async def remove(self, path: str, entry: Entry) -> None:
        """Remove a file, a link or an empty folder."""

    async def put_aside(self, path: str, folder: str) -> None:
        """Move a file to the same place below another folder of the host."""


def _entry(attributes: os.stat_result | asyncssh.SFTPAttrs, target: str = "") -> Entry | None:
    if isinstance(attributes, os.stat_result):
        mode, size, mtime = attributes.st_mode, attributes.st_size, int(attributes.st_mtime)
    else:
        mode, size, mtime = attributes.permissions or 0, attributes.size or 0, int(attributes.mtime or 0)
    if stat.S_ISDIR(mode):
        return Entry(Kind.FOLDER, 0, mtime, stat.S_IMODE(mode))
    if stat.S_ISLNK(mode):
        return Entry(Kind.LINK, len(target), mtime, 0o777, target)
    return Entry(Kind.FILE, size, mtime, stat.S_IMODE(mode)) if stat.S_ISREG(mode) else None


class LocalSide:
    """A folder of the caller's host."""

    def __init__(self, top: Path, find: Callable[[str], Path]) -> None:
        """Take the folder, and what finds a path of the host."""
        self._top = top
        self._find = find

    async def tree(self) -> Tree:
        """List everything."""
        found: Tree = {}
        if self._top.exists() and (top := _entry(self._top.stat())):
            found["."] = top
            self._list(self._top, "", found)
        return found

    def _list(self, folder: Path, above: str, found: Tree) -> None:
        for child in folder.iterdir():
            path = f"{above}{child.name}"
            target = str(child.readlink()) if child.is_symlink() else ""
            if entry := _entry(child.lstat(), target):
                found[path] = entry
                if entry.kind is Kind.FOLDER:
                    self._list(child, f"{path}/", found)

    async def read(self, path: str) -> bytes:
        """Read a file."""
        return (self._top / path).read_bytes()

    async def write(self, path: str, entry: Entry, content: bytes) -> None:
        """Put a file in its place at once."""
        draft = self._draft(path)
        draft.write_bytes(content)
        draft.chmod(entry.mode)
        os.utime(draft, (entry.mtime, entry.mtime))
        draft.replace(self._top / path)

    async def link(self, path: str, entry: Entry) -> None:
        """Put a link in its place."""
        draft = self._draft(path)
        draft.symlink_to(entry.target)
        draft.replace(self._top / path)

    async def make_folder(self, path: str) -> None:
        """Make a folder."""
        (self._top / path).mkdir(parents=True, exist_ok=True)

    async def stamp(self, path: str, entry: Entry) -> None:
        """Set time and permissions."""
        (self._top / path).chmod(entry.mode)
        os.utime(self._top / path, (entry.mtime, entry.mtime))

    async def remove(self, path: str, entry: Entry) -> None:
        """Remove an entry."""
        if entry.kind is Kind.FOLDER:
            (self._top / path).rmdir()
        else:
            (self._top / path).unlink()

    async def put_aside(self, path: str, folder: str) -> None:
        """Move a file below another folder."""
        target = (self._find(folder) if folder.startswith("/") else self._top / folder) / path
        target.parent.mkdir(parents=True, exist_ok=True)
        (self._top / path).replace(target)

    def _draft(self, path: str) -> Path:
        full = self._top / path
        return full.with_name(f".{full.name}.rsync")


class SftpSide:
    """A folder of another host."""

    def __init__(self, client: SFTPClient, top: str) -> None:
        self._sftp = client
        self._top = top

    def _full(self, path: str) -> str:
        return self._top if path == "." else posixpath.join(self._top, path)

    async def tree(self) -> Tree:
        """List everything."""
        found: Tree = {}
        try:
            top = _entry(await self._sftp.stat(self._top))
        except asyncssh.SFTPNoSuchFile:
            return found
        if top:
            found["."] = top
            await self._list(".", found)
        return found

    async def _list(self, above: str, found: Tree) -> None:
        for one in await self._sftp.readdir(self._full(above)):
            name = one.filename if isinstance(one.filename, str) else one.filename.decode("utf-8", "surrogateescape")
            if name in {".", ".."}:
                continue
            path = name if above == "." else f"{above}/{name}"
            target = ""
            if stat.S_ISLNK(one.attrs.permissions or 0):
                target = str(await self._sftp.readlink(self._full(path)))
            if entry := _entry(one.attrs, target):
                found[path] = entry
                if entry.kind is Kind.FOLDER:
                    await self._list(path, found)

    async def read(self, path: str) -> bytes:
        """Read a file."""
        try:
            async with self._sftp.open(self._full(path), "rb") as file:
                return cast("bytes", await file.read())
        except asyncssh.SFTPNoSuchFile as error:
            raise FileNotFoundError(path) from error

    async def write(self, path: str, entry: Entry, content: bytes) -> None:
        """Put a file in its place at once."""
        folder, name = posixpath.split(self._full(path))
        draft = posixpath.join(folder, f".{name}.rsync")
        async with self._sftp.open(draft, "wb") as file:
            await file.write(content)
        await self._sftp.setstat(draft, _attributes(entry))
        await self._sftp.posix_rename(draft, self._full(path))

    async def link(self, path: str, entry: Entry) -> None:
        """Put a link in its place."""
        if await self._sftp.lexists(self._full(path)):
            await self._sftp.remove(self._full(path))
        await self._sftp.symlink(entry.target, self._full(path))

    async def make_folder(self, path: str) -> None:
        """Make a folder."""
        await self._sftp.makedirs(self._full(path), exist_ok=True)

    async def stamp(self, path: str, entry: Entry) -> None:
        """Set time and permissions."""
        await self._sftp.setstat(self._full(path), _attributes(entry))

    async def remove(self, path: str, entry: Entry) -> None:
        """Remove an entry."""
        if entry.kind is Kind.FOLDER:
            await self._sftp.rmdir(self._full(path))
        else:
            await self._sftp.remove(self._full(path))

    async def put_aside(self, path: str, folder: str) -> None:
        """Move a file below another folder."""
        target = posixpath.join(self._top, folder, path)
        await self._sftp.makedirs(posixpath.dirname(target), exist_ok=True)
        await self._sftp.posix_rename(self._full(path), target)


def _attributes(entry: Entry) -> asyncssh.SFTPAttrs:
    return asyncssh.SFTPAttrs(atime=entry.mtime, mtime=entry.mtime, permissions=entry.mode)
