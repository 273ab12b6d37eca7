"""Runs the commands of hosts so that they see their host and can write nowhere else.

In tier ns a command has its host's folder as root, the host's name, and no capability to leave (`roots`). In tier
plain its paths are rewritten (`rewriting`), and Landlock keeps what it writes inside the host's folder. Landlock knows
no change of owner, mode or times, and where the kernel has none the text of a command is all there is to judge by:
`gaps` says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shlex
import signal
import subprocess
import sys
import termios
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, TypeAlias

from runbook_tui.demo.host import Host, Tier, User
from runbook_tui.demo.isolation import kernel, landlock, rewriting, roots
from runbook_tui.demo.isolation.descendants import MARK
from runbook_tui.demo.isolation.kernel import Namespace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Stream: TypeAlias = "int | IO[bytes] | None"

STANDINS = f"/{rewriting.STANDINS}"
"""Where a host's stand-ins are; every command's PATH begins with it."""

_SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_DEVICES = tuple(Path("/dev", name) for name in ("null", "zero", "full", "tty", "ptmx", "pts"))

_PLAIN_SHELL = """#!/bin/sh
# The /bin/sh of this world's hosts; a detached job's file is a text like any other. Python takes a moment to start, so
# it reads only a text in which a path begins.
case "$1" in */jobs/*/cmd) set -- -c "$(cat "$1")" ;; esac
case "$*" in
*[[:space:]\\"\\'\\`=\\(\\<\\>:]/[!d]* | *"~"*) exec {python} -IS {program} "$@" ;;
esac
exec /bin/sh "$@"
"""


def gaps(tier: Tier) -> str:
    """Say what this machine cannot keep a stray command from, as a sentence for the line about the tier, or empty."""
    known = landlock.version()
    if tier is Tier.PLAIN and known < landlock.USABLE:
        return "This kernel has no Landlock: writes outside the rehearsal are refused only where a command shows them."
    if tier is Tier.PLAIN and known < landlock.SCOPES_SIGNALS:
        return "This kernel does not keep signals inside: a stray kill reaches your own processes."
    return ""


class Confinement:
    """How commands run on the hosts of the world in `folder`."""

    def __init__(self, folder: Path, tier: Tier) -> None:
        self._folder = folder
        self._tier = tier
        self._fences: dict[str, landlock.Fence] = {}

    @property
    def shell(self) -> str:
        """The program that takes the place of /bin/sh for commands that come from outside."""
        return "/bin/sh" if self._tier is Tier.NS else str(self._folder / "sh")

    @property
    def python(self) -> str:
        """The Python that stand-ins run with, by the path it has on the hosts."""
        return os.path.realpath(sys.executable)

    def prepare(self, hosts: Iterable[Host]) -> None:
        """Make the hosts ready for commands; their folders have the stand-ins already.

        Raises:
            OSError: the kernel forbids a mount, or the folder cannot be written.
        """
        for host in hosts:
            host.path(STANDINS).mkdir(parents=True, exist_ok=True)
            if self._tier is Tier.NS:
                roots.build(host.root, standins=host.path(STANDINS), python=Path(sys.base_prefix).resolve())
            elif landlock.version() >= landlock.USABLE:
                self._fences[host.name] = landlock.Fence([host.root, *_DEVICES])
        if self._tier is Tier.PLAIN:
            shell = Path(self.shell)
            program = shlex.quote(rewriting.__file__)
            shell.write_text(_PLAIN_SHELL.format(python=shlex.quote(self.python), program=program), encoding="utf-8")
            shell.chmod(0o755)

    def enclose(self) -> None:
        """Keep this process itself, and so all commands, inside the world's folder: writes, and signals.

        For the world's process, after `prepare` and before it has a second thread. It cannot be taken back.
        """
        if landlock.version() >= landlock.USABLE:
            fence = landlock.Fence([self._folder, *_DEVICES], signals=True)
            fence.enclose()
            fence.close()

    def close(self) -> None:
        """Let go of what was opened; commands under way stay confined."""
        for fence in self._fences.values():
            fence.close()
        self._fences.clear()

    def environment(self, host: Host, user: str) -> dict[str, str]:
        """Give what a login of `user` finds in its environment.

        Raises:
            LookupError: the host has no such user.
        """
        account = _account(host, user)
        before = "" if self._tier is Tier.NS else str(host.root)
        environment = {
            "HOME": before + account.home, "LOGNAME": user, "USER": user, "SHELL": "/bin/sh", "LANG": "C.UTF-8",
            "PATH": f"{before}{STANDINS}:{_SYSTEM_PATH}", "TMPDIR": f"{before}/tmp",  # noqa: S108 -- the host's own
            MARK: str(self._folder),
        }  # fmt: skip
        return environment if self._tier is Tier.NS else environment | {rewriting.ROOT_VARIABLE: str(host.root)}

    def popen(
        self,
        host: Host,
        user: str,
        command: str | Sequence[str],
        *,
        stdin: Stream = subprocess.DEVNULL,
        stdout: Stream = subprocess.DEVNULL,
        stderr: Stream = subprocess.DEVNULL,
        terminal: str = "",
    ) -> subprocess.Popen[bytes]:
        """Start a command on a host, in a session of its own and in the user's home.

        A text is run by the shell, as the user's login shell runs it; a sequence is a program with its arguments,
        of which no path is rewritten. With `terminal`, the kind of terminal, standard input must be one and becomes
        the session's.

        Raises:
            LookupError: the host has no such user.
            OSError: it cannot be started.
        """
        environment = self.environment(host, user) | ({"TERM": terminal} if terminal else {})
        enter = self._entrance(host, environment["HOME"], has_terminal=bool(terminal))
        # The child changes its root or closes its fence between fork and exec: no argument of Popen does that. It
        # makes system calls alone, so that another thread's locks cannot matter to it.
        return subprocess.Popen(  # noqa: S603
            self._words(host, command), bufsize=0, env=environment, start_new_session=True,
            stdin=stdin, stdout=stdout, stderr=stderr,
            preexec_fn=enter,  # noqa: PLW1509
        )  # fmt: skip

    async def run(self, host: Host, user: str, command: str) -> int:
        """Run a command without input and output, as cron does; give its exit status, negative for a signal."""
        process = self.popen(host, user, command)
        try:
            return await exit_status(process)
        except asyncio.CancelledError:
            signal_group(process, signal.SIGKILL)
            raise

    def _words(self, host: Host, command: str | Sequence[str]) -> Sequence[str]:
        if not isinstance(command, str):
            return command
        if self._tier is Tier.NS:
            return ["/bin/sh", "-c", command]
        return rewriting.shell_words(command, str(host.root))

    def _entrance(self, host: Host, home: str, *, has_terminal: bool) -> Callable[[], None]:
        """Make what a child does between fork and exec."""
        fence = self._fences.get(host.name)
        root, name, is_rooted = str(host.root), host.name, self._tier is Tier.NS

        def enter() -> None:
            if has_terminal:
                fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            if is_rooted:
                kernel.unshare(Namespace.UTS)
                kernel.set_hostname(name)
                os.chroot(root)
            _go_to(home, "/" if is_rooted else root)
            if is_rooted:
                kernel.drop_capabilities()
            if fence:
                fence.enclose()

        return enter


def _account(host: Host, user: str) -> User:
    account = host.users().get(user)
    if account is None:
        raise LookupError(f"{host.name} has no user {user}")
    return account


def _go_to(*folders: str) -> None:
    """Change to the first folder that is there, as sshd does when a home is missing."""
    for folder in folders:
        with contextlib.suppress(OSError):
            os.chdir(folder)
            return


def signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to a command and what it started, but for what made a session of its own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def exit_status(process: subprocess.Popen[bytes]) -> asyncio.Future[int]:
    """Give a future of a process's end: asyncio's own would wait for the pipes as well, which a daemon may hold."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[int] = loop.create_future()

    def tell(status: int) -> None:
        if not ended.done():
            ended.set_result(status)

    def wait() -> None:
        status = process.wait()
        with contextlib.suppress(RuntimeError):  # the loop has been closed: nobody asks any more
            loop.call_soon_threadsafe(tell, status)

    threading.Thread(target=wait, daemon=True, name="waits for a command").start()
    return ended
