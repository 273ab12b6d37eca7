"""rsync for machines without one: the same choices, words and statuses; what moves goes over the world's own SSH."""

from __future__ import annotations

import posixpath
import re
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from runbook_tui.demo.standins import reach
from runbook_tui.demo.standins.call import Exit
from runbook_tui.demo.standins.rsync_rules import Entry, Excludes, Kind, Tree, doomed, marks, ordered, patterns_of
from runbook_tui.demo.standins.rsync_sides import LocalSide, SftpSide

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runbook_tui.demo.host import Host
    from runbook_tui.demo.standins.call import Call, Command, Options
    from runbook_tui.demo.standins.rsync_sides import Side

_LETTERS = "avzHnicrlptgoDbe:hx"
_LONG = (
    "archive verbose compress hard-links dry-run itemize-changes checksum stats delete delete-after delete-before"
    " delete-during delete-delay exclude= exclude-from= backup backup-dir= timeout= rsh= recursive links perms times"
    " group owner human-readable quiet"
)
_KINDS = {Kind.FILE: "reg", Kind.FOLDER: "dir", Kind.LINK: "link"}
_PARTIAL, _FULL, _STOPPED, _VANISHED, _USAGE = 23, 11, 20, 24, 1
_WORDS: Mapping[int, str] = {
    _FULL: "rsync error: error in file IO (code 11)",
    _STOPPED: "rsync error: received SIGINT, SIGTERM, or SIGHUP (code 20)",
    _PARTIAL: "rsync error: some files/attrs were not transferred (see previous errors) (code 23)",
    _VANISHED: "rsync warning: some files vanished before they could be transferred (code 24)",
}


@dataclass(slots=True)
class Transfer:
    """A transfer under way. `prefix` comes before every name that is shown; `sent` is false when pulling."""

    call: Call
    options: Options
    source: Side
    target: Side
    receiver: Host
    prefix: str
    sent: bool
    created: list[Kind] = field(default_factory=list)
    deleted: list[Kind] = field(default_factory=list)
    moved: int = 0
    moved_bytes: int = 0
    vanished: bool = False
    protected: set[str] = field(default_factory=set)

    def has(self, *names: str) -> bool:
        """Tell whether one of these options was given."""
        return bool(self.options.flags & set(names))

    async def run(self, wanted: Tree, there: Tree, excludes: Excludes) -> int:
        """Make the target like the source; give the exit status."""
        removing = any(flag.startswith("delete") for flag in self.options.flags)
        known = excludes.prune(there)
        gone = doomed(known, wanted) if removing else []
        self.protected = {str(above) for path in there.keys() - known.keys() for above in PurePosixPath(path).parents}
        late = self.has("delete-after", "delete-delay")
        if not late:
            await self._remove(gone, there)
        for path in ordered(wanted):
            if self.call.hung_up():
                return _STOPPED
            await self._update(path, wanted[path], there.get(path))
        if late:
            await self._remove(gone, there)
        folders = [path for path in wanted if wanted[path].kind is Kind.FOLDER]
        if not self.has("n", "dry-run"):
            for path in reversed(folders):  # what was put into a folder changed its time
                await self.target.stamp(path, wanted[path])
        return _VANISHED if self.vanished else 0

    async def _update(self, path: str, entry: Entry, old: Entry | None) -> None:
        content: bytes | None = None
        differs = False
        if old and old.kind is entry.kind is Kind.FILE:
            if not self.has("c", "checksum"):
                differs = old.mtime != entry.mtime  # the quick check: size and time
            elif old.size != entry.size:
                differs = True
            else:
                content = await self.source.read(path)
                differs = content != await self.target.read(path)
        letters = marks(entry, old, sent=self.sent, content_differs=differs)
        if letters[2:3] == "c" and not self.has("c", "checksum") and entry.kind is Kind.FILE:
            letters = f"{letters[:2]}.{letters[3:]}"  # nobody looked at the content
        if not letters:
            return
        if old is None or old.kind is not entry.kind:
            self.created.append(entry.kind)
        self._show(path, entry, letters)
        if entry.kind is Kind.FILE and letters[0] in "<>":
            self.moved += 1
            self.moved_bytes += entry.size
        if not self.has("n", "dry-run"):
            await self._place(path, entry, old, letters, content)

    async def _place(self, path: str, entry: Entry, old: Entry | None, letters: str, content: bytes | None) -> None:
        if letters[0] == ".":
            await self.target.stamp(path, entry)
            return
        if self.receiver.full:
            self.call.warn(f'rsync: [receiver] write failed on "{path}": No space left on device (28)')
            raise Exit(_FULL)
        if entry.kind is Kind.FOLDER:
            await self.target.make_folder(path)
            return
        if old and self._aside:
            await self.target.put_aside(path, self._aside)
        if entry.kind is Kind.LINK:
            await self.target.link(path, entry)
            return
        try:
            await self.target.write(path, entry, await self.source.read(path) if content is None else content)
        except FileNotFoundError:
            self.call.warn(f'file has vanished: "{path}"')
            self.vanished = True

    @property
    def _aside(self) -> str:
        """Where what is replaced or deleted goes, seen from the target; empty when it is not kept."""
        given = self.options.value("backup-dir")
        up = ".." if self.prefix and not given.startswith("/") else ""
        return posixpath.join(up, given, self.prefix) if given else ""

    async def _remove(self, gone: list[str], there: Tree) -> None:
        for path in gone:
            entry = there[path]
            if path in self.protected:  # something in it was left out, and so stays
                self.call.say(f"cannot delete non-empty directory: {self._name(path)}")
                continue
            self.deleted.append(entry.kind)
            name = self._name(path) + ("/" if entry.kind is Kind.FOLDER else "")
            if self.has("i", "itemize-changes"):
                self.call.say(f"*deleting   {name}")
            elif self.has("v", "verbose"):
                self.call.say(f"deleting {name}")
            if self.has("n", "dry-run"):
                continue
            if self._aside and entry.kind is not Kind.FOLDER:
                await self.target.put_aside(path, self._aside)
            else:
                await self.target.remove(path, entry)

    def _name(self, path: str) -> str:
        joined = posixpath.normpath(posixpath.join(self.prefix, path))
        return joined.replace("\n", "\\#012")

    def _show(self, path: str, entry: Entry, letters: str) -> None:
        name = self._name(path) + ("/" if entry.kind is Kind.FOLDER else "")
        if entry.kind is Kind.LINK:
            name += f" -> {entry.target}"
        if self.has("i", "itemize-changes"):
            self.call.say(f"{letters} {name}")
        elif self.has("v", "verbose") and (letters[0] != "." or entry.kind is Kind.FOLDER):
            self.call.say(name)

    def summary(self, wanted: Tree, seconds: float) -> None:
        """Say what --stats and -v end with."""
        total = sum(entry.size for entry in wanted.values())
        if self.has("stats"):
            self.call.say()
            for title, kinds in (
                ("files", [entry.kind for entry in wanted.values()]), ("created files", self.created),
                ("deleted files", self.deleted),
            ):  # fmt: skip
                self.call.say(f"Number of {title}: {_counted(kinds)}")
            self.call.say(
                f"Number of regular files transferred: {self.moved:,}\nTotal file size: {total:,} bytes\n"
                f"Total transferred file size: {self.moved_bytes:,} bytes\nLiteral data: {self.moved_bytes:,} bytes\n"
                f"Matched data: 0 bytes\nFile list size: 0\nFile list generation time: 0.001 seconds\n"
                f"File list transfer time: 0.000 seconds\nTotal bytes sent: {self.moved_bytes:,}\n"
                f"Total bytes received: 0"
            )
        if self.has("stats", "v", "verbose"):
            moved = max(self.moved_bytes, 1)
            dry = " (DRY RUN)" if self.has("n", "dry-run") else ""
            self.call.say(
                f"\nsent {self.moved_bytes:,} bytes  received 0 bytes  {moved / max(seconds, 0.5):,.2f} bytes/sec\n"
                f"total size is {total:,}  speedup is {total / moved:,.2f}{dry}"
            )


def _counted(kinds: list[Kind]) -> str:
    parts = [f"{_KINDS[kind]}: {kinds.count(kind):,}" for kind in Kind if kind in kinds]
    return f"{len(kinds):,}" + (f" ({', '.join(parts)})" if parts else "")


@dataclass(frozen=True, slots=True)
class _Place:
    user: str
    host: str
    path: str

    @classmethod
    def read(cls, text: str) -> _Place:
        found = re.match(r"(?:([^@/:]+)@)?([^/:]+):(?!:)(.*)", text, re.DOTALL)
        return cls(found[1] or "", found[2], found[3]) if found else cls("", "", text)


def rsync(call: Call) -> int:
    """Copy one tree."""
    if call.argv[1:] == ("--version",):
        call.say("rsync  version 3.2.7  protocol version 31  (rehearsal)")
        return 0
    given = call.options(_LETTERS, long=_LONG)
    if not given.flags & {"a", "archive"}:
        call.refuse("without -a")
    if given.flags & {"b", "backup"} and "backup-dir" not in given.values:
        call.refuse("--backup without --backup-dir")
    shell = given.value("e") or given.value("rsh") or "ssh"
    if shell.split() != ["ssh"]:
        call.refuse(f"-e {shell!r}")
    if len(given.rest) != 2:
        call.refuse("it takes one source and one destination")
    source, target = map(_Place.read, given.rest)
    if source.host and target.host:
        call.fail(
            "The source and destination cannot both be remote.\nrsync error: syntax or usage error (code 1)", _USAGE
        )
    patterns = list(given.values.get("exclude", ()))
    for name in given.values.get("exclude-from", ()):
        patterns += patterns_of(call.file(name).read_text("utf-8"))
    status = call.wait(_transfer(call, given, source, target, patterns))
    if status in _WORDS:
        call.warn(f"{_WORDS[status]} at main.c(1338) [sender=3.2.7]")
    return status


async def _transfer(call: Call, given: Options, source: _Place, target: _Place, patterns: list[str]) -> int:
    begun = time.monotonic()
    async with AsyncExitStack() as stack:
        name = posixpath.basename(source.path) if not source.path.endswith("/") else ""
        excludes = Excludes(patterns, name)
        try:
            read = await _side(call, stack, source, source.path)
            write = await _side(call, stack, target, posixpath.join(target.path or ".", name))
        except reach.UnreachableError as error:
            call.warn(f"{error}\nrsync: connection unexpectedly closed (0 bytes received so far) [sender]\n"
                      "rsync error: unexplained error (code 255) at io.c(231) [sender=3.2.7]")  # fmt: skip
            return 255
        wanted = excludes.prune(await read.tree())
        if not wanted:
            doing = "link_stat" if name else "change_dir"
            call.warn(f'rsync: [sender] {doing} "{source.path}" failed: No such file or directory (2)')
            return _PARTIAL
        receiver = reach.find(call, target.host).host if target.host else call.machine.host
        transfer = Transfer(call, given, read, write, receiver, name, bool(target.host))
        if transfer.has("v", "verbose"):
            whole = transfer.has("delete-after", "delete-before")
            verb = "receiving" if source.host else "building" if whole else "sending"
            call.say(f"{verb} file list ... done" if whole else f"{verb} incremental file list")
        try:
            status = await transfer.run(wanted, await write.tree(), excludes)
        except Exit as full:
            return full.status
        transfer.summary(wanted, time.monotonic() - begun)
        return status


async def _side(call: Call, stack: AsyncExitStack, place: _Place, path: str) -> Side:
    if not place.host:
        return LocalSide(call.file(path), call.file)
    connection = await stack.enter_async_context(await reach.connect(call, place.host, place.user))
    client = await stack.enter_async_context(connection.start_sftp_client())
    return SftpSide(client, path.removeprefix("~/") or ".")


COMMANDS: Mapping[str, Command] = {"rsync": rsync}
