"""Check `disk`: what df prints on Linux and FreeBSD, and what is made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runbook_tui.checks.disk import DiskProbe, Room, blocks_of, human, inodes_of, judge
from runbook_tui.core.markdown.values import size
from runbook_tui.ports import CheckState
from tests.checks.onhosts import commands, sight_of

if TYPE_CHECKING:
    from pathlib import Path

GIB = 1 << 30
LINUX = """\
Filesystem     1024-blocks     Used Available Capacity Mounted on
/dev/vda         264212084 25011288  81379624      24% /"""
FREEBSD = """\
Filesystem     1024-blocks     Used    Avail Capacity  Mounted on
zroot/usr home    41943040 39845888  2097152    95%    /usr/home of all"""
LINUX_INODES = """\
Filesystem       Inodes  IUsed    IFree IUse% Mounted on
/dev/vda       16777216 514486 16262730    4% /"""
FREEBSD_INODES = """\
Filesystem 1K-blocks    Used   Avail Capacity iused   ifree %iused  Mounted on
/dev/ada0p2  9890652 3200000 5899400    35%  121000 1180000    9%   /"""
NO_LIMIT = """\
Filesystem     Inodes IUsed IFree IUse% Mounted on
/dev/sda3           0     0     0     - /home"""


def test_blocks_are_read() -> None:
    """Linux and FreeBSD, names with blanks too; in bytes."""
    assert blocks_of(LINUX) == (Room(25011288 * 1024, 81379624 * 1024), "/")
    assert blocks_of(FREEBSD) == (Room(38 * GIB, 2 * GIB), "/usr/home of all")


def test_inodes_are_read() -> None:
    """Linux and FreeBSD; a file system without a limit has none."""
    assert inodes_of(LINUX_INODES) == Room(514486, 16262730)
    assert inodes_of(FREEBSD_INODES) == Room(121000, 1180000)
    assert inodes_of(NO_LIMIT) is None


@pytest.mark.parametrize("text", [
    "", "df: /nowhere: No such file or directory", LINUX[:-3], LINUX + "\nmore", LINUX.replace("25011288", "x"),
    "Filesystem\n\x1b]0;x\x07 1 2 3% /",
])  # fmt: skip
def test_what_is_not_understood_is_nothing(text: str) -> None:
    """No numbers are made up."""
    assert blocks_of(text) is None
    assert inodes_of(text) is None


def test_sizes() -> None:
    """Sizes as people write them, and back."""
    assert [size(text) for text in ("12G", "500 MB", "1.5k", "7", "2 GiB", "x", "-1G", "")] == [
        12 * GIB, 500 << 20, 1536, 7, 2 * GIB, None, None, None,
    ]  # fmt: skip
    assert [human(size) for size in (7, 1536, 12 * GIB)] == ["7 bytes", "1.5 K", "12 G"]


@pytest.mark.parametrize(("free", "wanted", "need", "state"), [
    (50, "", "", "PASS"), (14, "", "", "WARN"), (14, "10%", "", "PASS"), (19, "20%", "", "WARN"), (0, "", "", "FAIL"),
    (0.5, "0%", "", "FAIL"), (30, "", "10G", "PASS"), (30, "", "20G", "WARN"), (30, "", "31G", "FAIL"),
    (30, "31G", "", "WARN"), (30, "a lot", "", "UNKNOWN"), (30, "", "much", "UNKNOWN"),
])  # fmt: skip
def test_room_for_what_comes(free: float, wanted: str, need: str, state: str) -> None:
    """Too little for what is needed fails, less than should stay free warns; a slip is UNKNOWN. Out of 100 G."""
    room = Room(int((100 - free) * GIB), int(free * GIB))
    assert judge(room, "/", None, wanted, need).state == state


def test_inodes_run_out_too() -> None:
    """Maildirs are many small files."""
    room = Room(GIB, 99 * GIB)
    assert judge(room, "/", Room(90, 10), "", "").state is CheckState.WARN
    assert judge(room, "/", Room(100, 0), "", "").state is CheckState.FAIL
    assert judge(room, "/", Room(10, 90), "", "").state is CheckState.PASS


def test_what_is_kept_for_root_is_not_free() -> None:
    """FreeBSD's Avail goes below zero."""
    reading = judge(Room(100 * GIB, -GIB), "/", None, "", "1G")
    assert reading.state is CheckState.FAIL
    assert "1.0 G needed, 1.0 G too little" in reading.value


async def test_this_machine(tmp_path: Path) -> None:
    """The real df of a path with a blank is understood."""
    folder = tmp_path / "a b"
    folder.mkdir()
    reading = await DiskProbe("local", str(folder), "0%").read(sight_of("local"))
    assert reading.state in {CheckState.PASS, CheckState.WARN}
    assert reading.rows[0].cells[0] == "blocks"
    assert reading.level is not None


async def test_a_path_that_is_not_there() -> None:
    """It is UNKNOWN and says what df said."""
    reading = await DiskProbe("local", "/nowhere/at all").read(sight_of("local"))
    assert reading.state is CheckState.UNKNOWN
    assert "No such file" in reading.error


async def test_freebsd_is_asked_its_own_way(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Its df -i has other columns, and -P would not be asked for."""
    answers = f'case $1 in -Pk) echo "{FREEBSD}";; -i) echo "{FREEBSD_INODES}";; *) exit 1;; esac'
    commands(monkeypatch, tmp_path / "bin", uname="echo FreeBSD", df=answers)
    reading = await DiskProbe("old", "/home", "5%").read(sight_of("old"))
    assert (reading.state, reading.value) == (CheckState.PASS, "2.0 G free of /usr/home of all (5%)")
    assert [row.cells for row in reading.rows] == [
        ("blocks", "38 G", "2.0 G", "5%"), ("inodes", "121000", "1180000", "91%"),
    ]  # fmt: skip
