"""What a host is looked at for before its first command: the script, what it answers, and findings in sentences."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbook_tui.core.machine_time import MOST_APART, lasting
from runbook_tui.core.text import clean_line

if TYPE_CHECKING:
    from collections.abc import Iterator

SESSIONS = 4
"""Commands that run beside each other on a host at times: the step, its proof or stop, a check, a log line."""

LEAST_FREE = 64 * 1024
"""KiB that must be free where commands keep their output, or it is said."""

CLOCK_APART = 5.0
"""Seconds by which a host's clock may differ from this machine's before it is said; `date +%s` tells whole ones."""

_TOOLS = "awk cat cksum date dd find grep head id kill ls mkdir mkfifo mv ps rm rmdir sed sleep tail uname wc"
"""What the job protocol calls over there (PROMISES.md 3.2)."""

# `test -w` asks access(2), which also knows a file system that is mounted read-only. The nearest folder that is there
# stands for those that have to be made; a file in its place is in their way.
_SCRIPT = r"""echo 'MRB preflight'
for t in @TOOLS@; do command -v "$t" >/dev/null 2>&1 || echo "missing $t"; done
d=${MAILRUNBOOK_STATE_DIR:-$HOME/.local/state/mailrunbook}
while [ ! -e "$d" ] && [ "$d" != "${d%/*}" ]; do d=${d%/*}; done
d=${d:-/}
[ -d "$d" ] && [ -w "$d" ] && [ -x "$d" ] || echo "unwritable $d"
df -Pk "$d" 2>/dev/null | awk 'NR == 2 && $4 ~ /^-?[0-9]+$/ { print "free", $4, $6 }'
m=$(df -Pk "$d" 2>/dev/null | awk 'NR == 2 { print $6 }')
mount 2>/dev/null | grep -F " on $m " | grep -q '[(, ]noexec[,)]' && echo "noexec $m"
echo "uid $(id -u)"
echo "system $(uname -s) $(uname -r) $(uname -m)"
echo "clock $(date -u +%s)"
if [ "$(id -u)" != 0 ]; then
case $(busctl get-property org.freedesktop.login1 /org/freedesktop/login1 \
org.freedesktop.login1.Manager KillUserProcesses 2>/dev/null) in
*true*) [ -e "/var/lib/systemd/linger/$(id -un)" ] || echo kills ;;
esac
fi
"""

_SUDO = r"""if [ "$(id -u)" != 0 ]; then
if command -v sudo >/dev/null 2>&1; then
if s=$(sudo -n true 2>&1 </dev/null); then echo 'sudo free'
else case $s in *password*) echo 'sudo password' ;; *) echo "sudo says $(echo "$s" | head -n 1)" ;; esac
fi
else echo 'sudo none'
fi
fi
"""


@dataclass(frozen=True, slots=True)
class Report:
    """What a host's preflight found.

    `whole` is False where the answer broke off: what is missing then is not known. `free` is in KiB, None where `df`
    did not tell; `ahead` are the seconds by which the host's clock is ahead of this machine's. `sudo` is empty where it
    was not asked for or the user is root, else `free`, `password`, `none`, or what sudo said. `noise` is what the login
    shell says before any answer; `sessions` how many were open when one more was refused, None when none was.
    """

    whole: bool = False
    missing: tuple[str, ...] = ()
    unwritable: str = ""
    free: int | None = None
    mount: str = ""
    noexec: str = ""
    uid: int | None = None
    system: str = ""
    ahead: float | None = None
    kills: bool = False
    sudo: str = ""
    noise: str = ""
    sessions: int | None = None


def script(*, sudo: bool) -> str:
    """Give the script that looks; with `sudo` it also asks whether sudo wants a password, by `sudo -n true`."""
    return _SCRIPT.replace("@TOOLS@", _TOOLS) + (_SUDO if sudo else "") + "echo whole\n"


def is_script(text: str) -> bool:
    """Whether a text is such a script."""
    return text.startswith("echo 'MRB preflight'\n")


def read(said: str, now: float) -> Report:
    """Understand what the script printed; `now` is this machine's time in seconds since 1970 when it did."""
    found = _Found()
    for line in said.splitlines():
        word, _, rest = clean_line(line).partition(" ")
        found.take(word, rest, now)
    return Report(
        found.whole, tuple(found.missing), found.unwritable, found.free, found.mount, found.noexec, found.uid,
        found.system, found.ahead, found.kills, found.sudo,
    )  # fmt: skip


@dataclass(slots=True)
class _Found:
    whole: bool = False
    missing: list[str] = field(default_factory=list)
    unwritable: str = ""
    free: int | None = None
    mount: str = ""
    noexec: str = ""
    uid: int | None = None
    system: str = ""
    ahead: float | None = None
    kills: bool = False
    sudo: str = ""

    def take(self, word: str, rest: str, now: float) -> None:
        """Take in one line of the answer."""
        match word, rest.split():
            case "missing", [tool]:
                self.missing.append(tool)
            case "unwritable", [_, *_]:
                self.unwritable = rest
            case "free", [size, mount, *_] if (free := _number(size)) is not None:
                self.free, self.mount = free, mount
            case "noexec", [mount, *_]:
                self.noexec = mount
            case "uid", [uid]:
                self.uid = _number(uid)
            case "system", [*words]:
                self.system = " ".join(words)
            case "clock", [time] if (seconds := _number(time)) is not None:
                self.ahead = seconds - now
            case "kills", []:
                self.kills = True
            case "sudo", ["says", *words]:
                self.sudo = " ".join(words) or "nothing"
            case "sudo", [answer]:
                self.sudo = answer
            case "whole", []:
                self.whole = True


def _number(text: str) -> int | None:
    return int(text) if text.removeprefix("-").isascii() and text.removeprefix("-").isdecimal() else None


def obstacles(report: Report) -> list[str]:
    """Give what keeps every command from running there, in sentences."""
    found = []
    if report.missing:
        found.append(f"{_and(report.missing)} cannot be found there; mailrunbook runs commands with them")
    if report.unwritable:
        found.append(f"{report.unwritable} cannot be written: the folder for running commands would be in it")
    return found


def warnings(report: Report) -> list[str]:
    """Give what the operator should know before the first command runs there, in sentences."""
    return list(_warnings(report))


def _warnings(report: Report) -> Iterator[str]:
    if not report.whole:
        yield "its preflight broke off: what it did not tell is not known"
    if report.noise:
        shown = clean_line(report.noise)[:80]
        yield f"its login shell says something by itself: harmless here, but rsync and scp may fail by it: {shown}"
    if report.free is not None and report.free < LEAST_FREE:
        yield f"only {size(report.free)} are free on {report.mount}, where the output of commands is kept"
    if report.ahead is not None and abs(report.ahead) > CLOCK_APART:
        way = "ahead of" if report.ahead > 0 else "behind"
        held = "; waits of an hour or more will be held up by it" if abs(report.ahead) > MOST_APART else ""
        yield f"its clock is {lasting(abs(report.ahead))} {way} this machine's{held}"
    if report.sessions is not None:
        yield (
            f"it refused another session at {report.sessions} of this connection (sshd's MaxSessions): up to "
            f"{SESSIONS} are wanted beside each other, so checks, proofs and stop may have to wait or fail"
        )
    if report.kills:
        yield (
            "it ends a user's processes at logout (KillUserProcesses of logind): a lost link would end a running step; "
            "`loginctl enable-linger` for this user prevents it"
        )
    yield from _sudo_warnings(report)


def _sudo_warnings(report: Report) -> Iterator[str]:
    if report.sudo == "none":
        yield "there is no sudo, which the runbook uses there"
    elif report.sudo not in {"", "free", "password"}:
        yield f"sudo says: {report.sudo}"
    if report.sudo == "password" and report.noexec:
        yield (
            f"{report.noexec} is mounted noexec: sudo's question for a password cannot be answered from here, "
            "and a step whose sudo asks will fail"
        )


def summary(report: Report) -> str:
    """Give what was found in one line; what was not told is left out."""
    parts = [report.system] if report.system else []
    if report.uid is not None:
        parts.append(f"uid {report.uid}")
    if report.free is not None:
        parts.append(f"{size(report.free)} free on {report.mount}")
    if report.ahead is not None:
        apart = abs(report.ahead)
        way = "ahead" if report.ahead > 0 else "behind"
        parts.append("clock as this machine's" if apart <= CLOCK_APART else f"clock {lasting(apart)} {way}")
    if report.sudo in {"free", "password"}:
        parts.append("sudo without a password" if report.sudo == "free" else "sudo wants a password")
    return ", ".join(parts) or "it told nothing"


def size(kib: int) -> str:
    """Give a size in KiB as `12 MiB` or `3.4 GiB`; nothing is left where it is negative."""
    kib = max(0, kib)
    if kib < 1024:
        return f"{kib} KiB"
    return f"{kib // 1024} MiB" if kib < 1024 * 1024 else f"{kib / 1024 / 1024:.1f} GiB"


def _and(words: tuple[str, ...]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
