"""Check `service`: what service managers say, and what is made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runbook_tui.checks.asking import Part
from runbook_tui.checks.service import (
    Boot,
    Runs,
    ServiceProbe,
    Wanted,
    boot_of,
    judge,
    postfix_runs,
    runs_of,
    wanted_of,
)
from runbook_tui.ports import CheckState, Reading
from tests.checks.onhosts import commands, sight_of

if TYPE_CHECKING:
    from pathlib import Path


def part(text: str, status: int = 0) -> Part:
    """Give what a command said."""
    return Part(text.splitlines(), status)


@pytest.mark.parametrize(("text", "status", "runs"), [
    ("systemd\nactive", 0, Runs.UP), ("systemd\ninactive", 3, Runs.DOWN), ("systemd\nfailed", 3, Runs.DOWN),
    ("systemd\nactivating", 3, Runs.TURNING), ("systemd\nFailed to connect to bus: No such file", 1, None),
    ("systemd", 0, None), ("rc\npostfix is running as pid 812.", 0, Runs.UP),
    ("rc\npostfix is not running.", 1, Runs.DOWN), ("rc\npg_ctl: no server running", 1, Runs.DOWN),
    ("rc\npostfx does not exist in /etc/rc.d or the local startup\ndirectories (/usr/local/etc/rc.d)", 1, None),
    ("rc\nusage: x", 1, None), ("lsb\n * postfix is running", 0, Runs.UP), ("lsb\n * down", 3, Runs.DOWN),
    ("lsb\nnosuch: unrecognized service", 1, None), ("lsb\nservice: not found", 127, None), ("", 0, None),
])  # fmt: skip
def test_what_service_managers_say(text: str, status: int, runs: Runs | None) -> None:
    """systemd, FreeBSD's rc and LSB scripts, and what is none of their words."""
    assert runs_of(part(text, status)) is runs


@pytest.mark.parametrize(("text", "status", "runs"), [
    ("", 0, Runs.UP), ("postfix/postfix-script: the Postfix mail system is not running", 1, Runs.DOWN),
    ("postfix: fatal: open /etc/postfix/main.cf: No such file or directory", 1, None),
    ("only root may ask postfix", 64, None), ("sh: postfix: not found", 127, None),
])  # fmt: skip
def test_what_postfix_says(text: str, status: int, runs: Runs | None) -> None:
    """Its status counts, unless it could not look itself."""
    assert postfix_runs(part(text, status)) is runs


@pytest.mark.parametrize(("text", "boot"), [
    ("systemd\nenabled", Boot.ON), ("systemd\ndisabled", Boot.OFF), ("systemd\nmasked", Boot.OFF),
    ("systemd\nstatic", Boot.OTHERS), ("systemd\nalias", Boot.ON), ("systemd\nbad", None),
    ('rc\n# postfix\n#\npostfix_enable="YES"\n#   (default: "")', Boot.ON),
    ('rc\n# sa-spamd\n#\nspamd_enable="NO"\n#   (default: "NO")', Boot.OFF), ("rc\n$sshd_enable=YES", Boot.ON),
    ("rc\nnosuch does not exist in /etc/rc.d", None), ("lsb\nK01x\nS03postfix", Boot.ON), ("lsb\nS03dovecot", None),
])  # fmt: skip
def test_what_comes_at_boot(text: str, boot: Boot | None) -> None:
    """The words of systemctl is-enabled, service rcvar and the links of rc2.d."""
    assert boot_of(part(text), "postfix") is boot


@pytest.mark.parametrize(("phase", "expect", "boot", "wanted"), [
    (None, "up", None, Wanted(Runs.UP, None)), (None, "up", "enabled", Wanted(Runs.UP, Boot.ON)),
    (None, "down", False, Wanted(Runs.DOWN, Boot.OFF)), ("down", "up", "enabled", Wanted(Runs.DOWN, None)),
    ({"expect": "down", "boot": "disabled"}, "up", "enabled", Wanted(Runs.DOWN, Boot.OFF)),
    ("dwn", "up", None, None), (None, "up", "never", None),
])  # fmt: skip
def test_what_should_be(phase: object, expect: object, boot: object, wanted: Wanted | None) -> None:
    """A phase replaces the expectation; a slip is none."""
    assert wanted_of(phase, expect, boot) == wanted


@pytest.mark.parametrize(("runs", "boot", "state"), [
    (Runs.DOWN, Boot.OFF, "PASS"), (Runs.UP, Boot.OFF, "FAIL"), (Runs.DOWN, Boot.ON, "FAIL"),
    (None, Boot.OFF, "UNKNOWN"), (Runs.DOWN, None, "UNKNOWN"),
    (Runs.TURNING, Boot.OFF, "PENDING"), (Runs.DOWN, Boot.OTHERS, "WARN"),
])  # fmt: skip
def test_down_and_not_back_after_a_reboot(runs: Runs | None, boot: Boot | None, state: str) -> None:
    """Both must hold, and what could not be told is never green."""
    assert judge("postfix", runs, boot, Wanted(Runs.DOWN, Boot.OFF)).state == state


FREEBSD = {
    "uname": "echo FreeBSD", "sockstat": 'echo "USER"; echo "root master 1 4 tcp4 *:25 *:*"',
    "postfix": '[ "$1" = status ] && exit 1',
    "service": """case $1-$2 in
postfix-rcvar) echo '# postfix'; echo '#'; echo 'postfix_enable="YES"';;
dovecot-rcvar) echo 'dovecot_enable="NO"';;
dovecot-onestatus) echo "dovecot is not running."; exit 1;;
*) echo "$1 does not exist in /etc/rc.d or the local startup"; exit 1;;
esac""",
}


async def read(monkeypatch: pytest.MonkeyPatch, folder: Path, probe: ServiceProbe, **texts: str) -> Reading:
    """Look once on a host with these commands."""
    commands(monkeypatch, folder / "bin", id="echo 0", **texts)
    return await probe.read(sight_of("old"))


async def test_freebsd_brings_postfix_back_at_boot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Down as it should be, but rc.conf would start it again: that is how an old server comes back to life."""
    probe = ServiceProbe("old", "postfix", expect="down", boot="disabled")
    reading = await read(monkeypatch, tmp_path, probe, **FREEBSD)
    assert (reading.state, reading.value) == (CheckState.FAIL, "postfix is down, at boot enabled, should be disabled")
    assert "TCP ports that listen: 25" in reading.detail


async def test_a_daemon_of_freebsd(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Another daemon is asked through its rc script."""
    reading = await read(monkeypatch, tmp_path, ServiceProbe("old", "dovecot", "down", boot=False), **FREEBSD)
    assert (reading.state, reading.value) == (CheckState.PASS, "dovecot is down, at boot disabled")


async def test_a_service_that_is_not_there_is_not_down(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A misspelt name is UNKNOWN, on FreeBSD and where systemd calls it inactive."""
    reading = await read(monkeypatch, tmp_path, ServiceProbe("old", "dovcot", "down"), **FREEBSD)
    assert (reading.state, reading.value) == (CheckState.UNKNOWN, "there is no service dovcot")
    systemctl = """[ "$1" = is-active ] && { echo inactive; exit 3; }
echo "Failed to get unit file state for $2.service: No such file or directory" >&2; exit 1"""
    reading = await read(
        monkeypatch, tmp_path, ServiceProbe("old", "dovcot", "down"), uname="echo Linux", systemctl=systemctl
    )
    assert (reading.state, reading.value) == (CheckState.UNKNOWN, "there is no service dovcot")


async def test_systemd_is_not_believed_about_postfix(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The unit says active; Postfix itself says that it does not run."""
    texts = {"uname": "echo Linux", "systemctl": "[ $1 = is-active ] && echo active || echo enabled"}
    probe = ServiceProbe("old", "postfix", boot="enabled", phases={"downtime": "down"})
    reading = await read(monkeypatch, tmp_path, probe, postfix="exit 1", ss="exit 1", **texts)
    assert (reading.state, reading.value) == (CheckState.FAIL, "postfix is down, at boot enabled, should be up")
    sight = sight_of("old")
    sight.phase = "downtime"
    assert (await probe.read(sight)).state is CheckState.PASS


async def test_only_root_may_ask_postfix(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """For others `postfix status` ends as if it were down: it is not asked."""
    commands(monkeypatch, tmp_path / "bin", id="echo 1000", postfix="exit 1", systemctl="echo enabled")
    reading = await ServiceProbe("old", "postfix", "down").read(sight_of("old"))
    assert reading.state is CheckState.UNKNOWN
