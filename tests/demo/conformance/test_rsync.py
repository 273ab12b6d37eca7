"""The rsync stand-in against real rsync: the same trees, the same lines, the same statuses."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from runbook_tui.demo.clock import WorldClock
from runbook_tui.demo.host import FREEBSD
from runbook_tui.demo.standins.rsync import COMMANDS
from tests.demo.standins.conftest import BareWorld, Run, Said, make_machine, make_run

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runbook_tui.demo.machine import Machine

REAL = shutil.which("rsync")
pytestmark = pytest.mark.skipif(not REAL, reason="rsync is not installed")

LONG_AGO = 1_400_000_000


def real(*words: str) -> Said:
    """Run real rsync."""
    assert REAL
    done = subprocess.run([REAL, *words], capture_output=True, text=True, check=False)
    return Said(done.returncode, done.stdout, done.stderr)


@pytest.fixture
def run() -> Run:
    """Call a stand-in."""
    return make_run()


@pytest.fixture
def old(tmp_path: Path) -> Machine:
    """A host with an empty /tmp."""
    return make_machine(BareWorld(WorldClock.start(60)), tmp_path, "old", FREEBSD, "127.93.1.11")


def put(path: Path, text: str, when: int = LONG_AGO, mode: int = 0o644) -> None:
    """Write a file with a time and permissions."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    os.utime(path, (when, when))


def maildir(top: Path) -> None:
    """Make a Maildir with a folder, a lock, an index, a link and an empty folder."""
    for number in range(6):
        put(top / "cur" / f"1400.M{number}.old,S=3:2,S", f"{number}\n", LONG_AGO + number)
    put(top / "new" / "1401.M0.old", "new\n")
    put(top / "dovecot-uidlist", "3 V1 N9\n", mode=0o600)
    put(top / "dovecot.index.cache", "index")
    put(top / ".Entw&APw-rfe" / "cur" / "1:2,D", "draft\n")
    put(top / ".Entw&APw-rfe" / "dovecot.index", "index")
    put(top / "spamc.lock", "")
    (top / "tmp").mkdir()
    put(top / "tmp" / "half", "ha")
    (top / "link").symlink_to("dovecot-uidlist")
    settle(top)


def settle(top: Path, when: int = LONG_AGO) -> None:
    """Give every folder, and the link, the same time: both runs shall find the same."""
    for folder, _, _ in os.walk(top, topdown=False):
        os.utime(folder, (when, when))
    if (top / "link").is_symlink():
        os.utime(top / "link", (LONG_AGO, LONG_AGO), follow_symlinks=False)


def nothing(_: Path, __: Path) -> None:
    """Leave both sides as they are after the first copy."""


def flags_and_deletions(source: Path, _: Path) -> None:
    """Rename for a flag, deliver, delete a mail, delete a folder, change a file."""
    cur = source / "cur"
    (cur / "1400.M0.old,S=3:2,S").rename(cur / "1400.M0.old,S=3:2,RS")
    (cur / "1400.M3.old,S=3:2,S").unlink()
    put(source / "new" / "1500.M1.old", "fresh\n", LONG_AGO + 900)
    put(source / "dovecot-uidlist", "3 V1 N10 longer\n", LONG_AGO + 900)
    put(source / ".Sent" / "cur" / "2:2,S", "sent\n")
    shutil.rmtree(source / ".Entw&APw-rfe")
    settle(source, LONG_AGO + 900)


def target_went_on(_: Path, target: Path) -> None:
    """The far side delivered, marked a mail as read, and its new/ was emptied by a SELECT."""
    put(target / "new" / "1600.M1.new", "only here\n")
    (target / "new" / "1401.M0.old").rename(target / "cur" / "1401.M0.old:2,")
    put(target / ".Junk" / "new" / "3", "junk\n")
    settle(target)


def silent_damage(_: Path, target: Path) -> None:
    """Same size, same time, other content; and a mode and a time that differ alone."""
    put(target / "cur" / "1400.M1.old,S=3:2,S", "X\n", LONG_AGO + 1)
    (target / "cur" / "1400.M2.old,S=3:2,S").chmod(0o600)
    os.utime(target / "cur" / "1400.M4.old,S=3:2,S", (LONG_AGO, LONG_AGO))
    (target / "link").unlink()
    (target / "link").symlink_to("elsewhere")
    settle(target)


def read_folders(source: Path, _: Path) -> None:
    """Only folders' times differ."""
    os.utime(source / "cur", (LONG_AGO + 5, LONG_AGO + 5))


CHANGES: list[Callable[[Path, Path], None]] = [
    nothing,
    flags_and_deletions,
    target_went_on,
    silent_damage,
    read_folders,
]
OPTIONS = [
    ("/", "-ai"), ("", "-ani", "--delete"), ("/", "-av"), ("", "-avz", "--delete-after", "--stats"),
    ("/", "-anic", "--delete"), ("/", "-anH", "--delete-after", "--stats"),
    ("/", "-aic", "--delete", "--exclude", "dovecot.index*", "--exclude=*.lock", "--exclude", "tmp/*"),
    ("", "-aHi", "--delete", "--backup", "--backup-dir=/tmp/aside"), ("", "-av", "--exclude=/cur", "--exclude=.Entw*/"),
]  # fmt: skip
"""Whether the source ends in a slash, and the options."""


def tree(top: Path) -> dict[str, tuple[object, ...]]:
    """Read a tree: kind, permissions, time, content."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(top.rglob("*")):
        seen = path.lstat()
        content: object = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else ""
        name = str(path.relative_to(top))
        is_made_now = path.is_symlink() or name == "copy" or (name.startswith("aside") and path.is_dir())
        found[name] = (seen.st_mode, 0 if is_made_now else int(seen.st_mtime), content)
    return found


def comparable(text: str) -> tuple[list[str], list[str]]:
    """Give what is deleted, and the rest without bytes on the wire and speeds.

    The two come from different processes of rsync: how they mix is its own luck.
    """
    volatile = r"sent .* bytes/sec|total size is .*|File list .*|Total bytes .*|Literal data.*|Matched data.*"
    lines = [line for line in text.splitlines() if not re.fullmatch(volatile, line)]
    gone = [line for line in lines if re.match(r"\*?deleting ", line)]
    return gone, [line for line in lines if line not in gone]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
@pytest.mark.parametrize("options", OPTIONS, ids=" ".join)
async def test_same_lines_and_same_tree(
    old: Machine, run: Run, change: Callable[[Path, Path], None], options: tuple[str, ...]
) -> None:
    """After a first copy and some life on both sides, a second run says and does what real rsync does."""
    slash, *rest = options
    said: dict[str, Said] = {}
    for who in ("real", "ours"):
        folder = old.host.path(f"/tmp/{who}")
        maildir(folder / "Maildir")
        real("-a", f"{folder}/Maildir{slash}", f"{folder}/copy/")
        change(folder / "Maildir", folder / "copy" / ("" if slash else "Maildir"))
        own = [option.replace("/tmp/aside", f"{folder}/aside") for option in rest]
        words = (*own, f"{folder}/Maildir{slash}", f"{folder}/copy/")
        said[who] = real(*words) if who == "real" else await run(COMMANDS, old, "rsync", *words)
    assert comparable(said["ours"].out) == comparable(said["real"].out)
    assert said["ours"].status == said["real"].status == 0
    assert tree(old.host.path("/tmp/ours")) == tree(old.host.path("/tmp/real"))


async def test_a_missing_source_is_23(old: Machine, run: Run) -> None:
    """What is not there cannot be copied: rsync's sentence and status."""
    done = real("-a", "/nonexistent/x/", str(old.host.path("/tmp/y/")))
    ours = await run(COMMANDS, old, "rsync", "-a", "/nonexistent/x/", "/tmp/y/")
    assert ours.status == done.status == 23
    assert ours.err.splitlines()[0].split('"')[0] == done.err.splitlines()[0].split('"')[0]
