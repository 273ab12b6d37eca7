"""The preflight script on this machine's own sh, and the sentences that are made of what it says."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runbook_tui.core.preflight import Report, obstacles, read, script, size, summary, warnings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NOBODY = 65534
NOW = 1_795_000_000.0


@pytest.fixture
def ground() -> Iterator[Path]:
    """Give a folder that every user can enter."""
    folder = Path(tempfile.mkdtemp(prefix="preflight-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def put(folder: Path, name: str, text: str) -> None:
    """Make a program."""
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(f"#!/bin/sh\n{text}\n")
    (folder / name).chmod(0o755)


def looked(
    home: Path, *, bins: Path | None = None, only: Path | None = None, sudo: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Report:  # fmt: skip
    """Run the script as nobody where that can be had; `bins` comes first in PATH, `only` is all of it."""
    path = str(only) if only else f"{bins}:{os.defpath}" if bins else os.defpath
    ended = subprocess.run(
        ["/bin/sh", "-c", script(sudo=sudo)], capture_output=True, text=True, check=True, cwd="/",
        env={"HOME": str(home), "PATH": path, "LC_ALL": "C", **(environment or {})},
        user=NOBODY if os.geteuid() == 0 else None, group=NOBODY if os.geteuid() == 0 else None,
    )  # fmt: skip
    return read(ended.stdout, time.time())


def owned(folder: Path, mode: int) -> Path:
    """Make a home of the user who looks."""
    folder.mkdir()
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    folder.chmod(mode)
    return folder


def test_a_healthy_host_has_nothing_to_say(ground: Path) -> None:
    """All is told, nothing stands in the way, and the folder that is not there yet is not made."""
    home = owned(ground / "home", 0o700)
    report = looked(home, environment={"MAILRUNBOOK_STATE_DIR": ""})
    assert report.whole
    assert obstacles(report) == []
    assert report.free is not None
    assert report.mount.startswith("/")
    assert report.ahead is not None
    assert abs(report.ahead) < 3
    assert report.uid == (NOBODY if os.geteuid() == 0 else os.geteuid())
    assert report.system.split()[0] == os.uname().sysname
    assert "clock as this machine's" in summary(report)
    assert list(home.iterdir()) == []


def test_a_home_that_cannot_be_written_is_named(ground: Path) -> None:
    """The nearest folder that is there stands for those that would be made in it."""
    home = owned(ground / "home", 0o500)
    report = looked(home)
    assert report.unwritable == str(home)
    (why,) = obstacles(report)
    assert why.startswith(f"{home} cannot be written")
    state = owned(ground / "state", 0o700)
    assert looked(home, environment={"MAILRUNBOOK_STATE_DIR": str(state / "mailrunbook")}).unwritable == ""


def test_programs_that_are_missing_are_named(ground: Path) -> None:
    """Each is looked for, also the ones that a shell cannot do without."""
    bins = ground / "bin"
    bins.mkdir()
    for tool in ("awk", "df", "id", "uname", "date", "grep", "mount"):
        (bins / tool).symlink_to(str(shutil.which(tool, path=f"{os.defpath}:/usr/bin:/sbin:/usr/sbin")))
    report = looked(owned(ground / "home", 0o700), only=bins)
    assert {"wc", "tail", "mkfifo", "ps"} <= set(report.missing)
    assert "awk" not in report.missing
    (why,) = obstacles(report)
    assert " and wc cannot be found there" in why


@pytest.mark.parametrize(
    ("sudo", "told", "warned"),
    [
        ("exit 0", "free", ""),
        ("echo 'sudo: a password is required' >&2; exit 1", "password", ""),
        ("echo 'sudo: you must have a tty to run sudo' >&2; exit 1", "sudo: you must have a tty to run sudo", "tty"),
    ],
)
def test_sudo_is_asked_only_when_it_is_wanted(sudo: str, told: str, warned: str, ground: Path) -> None:
    """It is `sudo -n true`, which asks nobody."""
    if os.geteuid() != 0:
        pytest.skip("only root can become somebody who may need sudo")
    home, bins = owned(ground / "home", 0o700), ground / "bin"
    put(bins, "sudo", f'[ "$*" = "-n true" ] || exit 9\ntouch {home}/asked\n{sudo}')
    assert looked(home, bins=bins).sudo == ""
    assert not (home / "asked").exists()
    report = looked(home, bins=bins, sudo=True)
    assert report.sudo == told
    assert [warned in line for line in warnings(report)] == ([True] if warned else [])


def test_little_room_and_noexec_are_told(ground: Path) -> None:
    """Of the file system that is to keep the output of commands."""
    bins = ground / "bin"
    put(bins, "df", "echo 'Filesystem 1024-blocks Used Available Capacity Mounted on'\necho '/dev/x 9 9 2048 99% /h'")
    put(bins, "mount", "echo '/dev/x on /h type ext4 (rw,nosuid,noexec,relatime)'")
    report = looked(owned(ground / "home", 0o700), bins=bins)
    assert (report.free, report.mount, report.noexec) == (2048, "/h", "/h")
    assert warnings(report) == ["only 2 MiB are free on /h, where the output of commands is kept"]
    put(bins, "mount", "echo '/dev/x on /h (ufs, local, soft-updates)'\necho '/dev/y on /home (ufs, noexec)'")
    assert looked(ground / "home", bins=bins).noexec == ""


@pytest.mark.parametrize(
    ("report", "words"),
    [
        (Report(), "its preflight broke off"),
        (Report(whole=True, noise="Welcome!\nto new"), "scp may fail by it: Welcome!"),
        (Report(whole=True, ahead=-400.0), "its clock is 6 min 40 s behind this machine's; waits of an hour or more"),
        (Report(whole=True, ahead=7.0), "its clock is 7 s ahead of this machine's"),
        (Report(whole=True, sessions=2), "refused another session at 2 of this connection"),
        (Report(whole=True, kills=True), "KillUserProcesses"),
        (Report(whole=True, sudo="none"), "there is no sudo"),
        (Report(whole=True, sudo="password", noexec="/home"), "/home is mounted noexec"),
    ],
)
def test_each_finding_is_one_sentence(report: Report, words: str) -> None:
    """What is well is not warned of."""
    (line,) = warnings(report)
    assert words in line
    assert "\n" not in line
    assert obstacles(report) == []


def test_an_answer_from_a_strange_host_is_only_words() -> None:
    """Numbers that are none, half lines and control characters do no harm."""
    report = read("free x /\nuid -\nclock 12 13\nsystem \x1b[31mred\nmissing a b\nsudo\nnonsense\n\nwhole now\n", NOW)
    assert report == Report(system=report.system)
    assert "\x1b" not in report.system


def test_the_clock_is_compared_with_this_machines() -> None:
    """Ahead is positive."""
    assert read(f"clock {NOW + 90:.0f}\nwhole\n", NOW).ahead == 90.0
    assert summary(read(f"clock {NOW - 90:.0f}\n", NOW)) == "clock 1 min 30 s behind"


@pytest.mark.parametrize(
    ("kib", "text"), [(-5, "0 KiB"), (1023, "1023 KiB"), (1024, "1 MiB"), (3 * 1024 * 1024 + 500_000, "3.5 GiB")]
)
def test_sizes_are_given_in_their_unit(kib: int, text: str) -> None:
    """A file system may have less than nothing left for its users."""
    assert size(kib) == text
