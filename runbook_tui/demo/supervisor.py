"""Keeps watch over the two processes of a rehearsal, the world and the app, and leaves nothing behind.

It chooses the tier, makes the folder, starts the world and, once that is ready, the app. An app that was killed can be
opened again against the same world; whatever else ends, ends all. In tier ns there are three of it: one outside, which
removes the folder; one between, which only waits; and pid 1 of the world's namespaces, which does the watching.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import select
import signal
import subprocess
import sys
import termios
import time
import traceback
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, NoReturn, Protocol

from runbook_tui.core.errors import ExitCode
from runbook_tui.demo.errors import RehearsalError
from runbook_tui.demo.folder import LOG, candidates, make_folder, remove_stale
from runbook_tui.demo.host import Tier
from runbook_tui.demo.isolation import kernel, namespaces
from runbook_tui.demo.isolation.confinement import gaps
from runbook_tui.demo.isolation.descendants import MARK, descendants, kill_all, kill_descendants

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

READY = "ready"
"""What the world writes into its pipe once it can be used; anything else there is why it cannot."""

READY_VARIABLE, LIFELINE_VARIABLE = "MAILRUNBOOK_DEMO_READY", "MAILRUNBOOK_DEMO_LIFELINE"
"""The descriptors that the world inherits: where to report, and what ends when the supervisor does."""

START_SECONDS = 30.0
GRACE_SECONDS = 4.0
"""How long a process may take to end after TERM."""

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_RESET_TERMINAL = (
    "\x1b[?1049l\x1b[?25h\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l\x1b[?1004l\x1b[?2004l\x1b[<u\x1b[0m"
)
"""What an app does at its end: leave the alternate screen, show the cursor, let go of mouse, focus, paste and keys."""


class WorldCommand(Protocol):
    """Gives the world's command line."""

    def __call__(self, folder: Path, tier: Tier) -> Sequence[str]:
        """For this folder, in this tier."""


class AppCommand(Protocol):
    """Gives the app's command line."""

    def __call__(self, folder: Path, *, again: bool) -> Sequence[str]:
        """For the world in this folder; `again` when the run is to be opened once more after a kill."""


def choose_tier(wish: str) -> tuple[Tier, str]:
    """Give the tier, and the line that says so; `wish` is auto, ns or plain.

    Raises:
        RehearsalError: ns is wished for and not to be had.
    """
    reason = "it was asked for" if wish == Tier.PLAIN else namespaces.probe()
    if not reason:
        return Tier.NS, "Tier ns: each host has its own root, ports and process list."
    if wish == Tier.NS:
        raise RehearsalError(
            "Tier ns cannot be had on this machine.", f"User namespaces: {reason}.", "Leave out --tier ns."
        )
    line = f"Tier plain ({reason}): high ports, and the hosts' paths are rewritten."
    return Tier.PLAIN, " ".join(filter(None, (line, gaps(Tier.PLAIN))))


def supervise(
    world: WorldCommand, app: AppCommand, *, tier: str = "auto", keep: bool = False, say: Callable[[str], None] = print
) -> int:
    """Run a rehearsal to its end, and give the exit status: the app's own, or 128 and the signal that ended all.

    With `keep` the folder stays. Call it from a process with a single thread.

    Raises:
        RehearsalError: this machine does not give what it needs; nothing is left behind.
    """
    if importlib.util.find_spec("_ssl") is None:
        raise RehearsalError("This Python has no TLS.", sys.executable, "Take a Python that was built with OpenSSL.")
    terminal = _terminal_state()
    status = int(ExitCode.FAULT)
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)  # whoever watches lets them in when it is ready for them
    try:
        remove_stale(candidates())
        chosen, line = choose_tier(tier)
        say(line)
        folder = make_folder(candidates())
        try:
            watch = _Watch(folder.path, chosen, world, app, say)
            status = _inside(watch) if chosen is Tier.NS else watch.run()
        finally:
            if keep:
                say(f"The rehearsal's folder is kept: {folder.path}")
            else:
                folder.remove()
    finally:
        if status >= 128:
            _restore(terminal)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return status


def _inside(watch: _Watch) -> int:
    """Have the watch run as pid 1 of namespaces of its own, and wait for it outside.

    Raises:
        RehearsalError: the watch raised it.
    """
    sys.stdout.flush()
    kernel.adopt_orphans()
    outside = os.getpid()
    watch.lifeline, held = os.pipe()
    said, error_report = os.pipe()
    between = os.fork()
    if between == 0:
        os.close(held)
        os.close(said)
        kernel.die_with_parent(signal.SIGKILL)
        if os.getppid() != outside:
            os._exit(ExitCode.FAULT)
        _be(partial(_between, watch, error_report))
    os.close(watch.lifeline)
    os.close(error_report)
    status = _wait_for(between)
    with contextlib.suppress(ChildProcessError):  # pid 1 is ours if the one between was killed; all inside die first
        os.waitpid(-1, 0)
    os.close(held)
    with os.fdopen(said, encoding="utf-8") as report:
        title, *rest = report.read().split("\0")
    if title:
        raise RehearsalError(title, *rest)
    return status


def _between(watch: _Watch, error_report: int) -> int:
    """Leave the machine's namespaces, start pid 1 and wait for it; give its status."""
    try:
        namespaces.leave()
    except OSError as error:  # the trial went well a moment ago
        return _report(error_report, RehearsalError("The rehearsal's namespaces failed.", str(error)))
    first = os.fork()
    if first == 0:
        _be(partial(_first, watch, error_report))
    return _wait_for(first)


def _first(watch: _Watch, error_report: int) -> int:
    """Be pid 1: watch; give the exit status."""
    try:
        namespaces.settle()
        return watch.run()
    except OSError as error:
        return _report(error_report, RehearsalError("The rehearsal's namespaces failed.", str(error)))
    except RehearsalError as error:
        return _report(error_report, error)


def _report(descriptor: int, error: RehearsalError) -> int:
    os.write(descriptor, f"{error.title}\0{error.detail}\0{error.hint}".encode())
    return int(error.exit_code)


def _be(part: Callable[[], int]) -> NoReturn:
    """Play a part in a forked process and end with its status; never return into what the parent was doing."""
    status = int(ExitCode.FAULT)
    try:
        status = part()
    finally:
        if sys.exc_info()[1] is not None:
            traceback.print_exc()
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(status)


def _wait_for(child: int) -> int:
    """Wait for a child, pass on what should end this process, and give its status as a shell would."""

    def pass_on(number: int, _: object) -> None:
        # The terminal sends INT to all of us; pid 1 decides what it means.
        if number != signal.SIGINT:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, number)

    for number in _ENDING:
        signal.signal(number, pass_on)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    return status if status >= 0 else 128 - status


class _Ended(Exception):  # noqa: N818 -- it is an end, not an error
    """A signal, or the end of whoever started this, ends the rehearsal with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(slots=True)
class _Watch:
    """The watching process. `lifeline` is a descriptor whose end of file means that the outer one has ended."""

    folder: Path
    tier: Tier
    world_command: WorldCommand
    app_command: AppCommand
    say: Callable[[str], None]
    lifeline: int | None = None
    world: subprocess.Popen[bytes] | None = None
    app: subprocess.Popen[bytes] | None = None
    signals: list[int] = field(default_factory=list)
    waker: int = -1

    def run(self) -> int:
        """Start world and app, watch them, end both; give the exit status."""
        kernel.adopt_orphans()
        terminal = _terminal_state()
        self.waker, woken = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC) if hasattr(os, "pipe2") else _pipe()
        before = {number: signal.signal(number, self._note) for number in (*_ENDING, signal.SIGCHLD)}
        former = signal.set_wakeup_fd(woken, warn_on_full_buffer=False)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
        try:
            return self._rehearse(terminal)
        except _Ended as ended:
            return ended.status
        finally:
            self._end()
            signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
            signal.set_wakeup_fd(former)
            for number, handler in before.items():
                signal.signal(number, handler)
            os.close(woken)
            os.close(self.waker)

    def _note(self, number: int, _: object) -> None:
        if number != signal.SIGCHLD:
            self.signals.append(number)

    def _rehearse(self, terminal: list[object] | None) -> int:
        self._start_world()
        again = False
        while True:
            status = self._run_app(again=again)
            if status is None:
                self.say(f"The rehearsal's world has ended by itself. {self._last_words()}".rstrip())
                return int(ExitCode.FAULT)
            if status >= 0 or -status == signal.SIGINT:
                return status if status >= 0 else 128 - status
            self._clear_up_after_app()
            _restore(terminal)
            self.say(f"The app was ended by {signal.Signals(-status).name}. The rehearsal's world goes on.")
            self.say("Enter opens the run again, q ends the rehearsal.")
            if not self._wants_again():
                return 128 - status
            again = True

    def _start_world(self) -> None:
        """Start the world and wait until it is ready.

        Raises:
            RehearsalError: it says that it cannot, ends, or takes too long.
        """
        ready, report = os.pipe()
        lifeline, _ = os.pipe()  # the other end stays open as long as this process lives
        environment = {READY_VARIABLE: str(report), LIFELINE_VARIABLE: str(lifeline)}
        command = self.world_command(self.folder, self.tier)
        with (self.folder / LOG).open("wb") as log:
            self.world = self._child(
                command, environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=(report, lifeline),
                start_new_session=True,
            )  # fmt: skip
        os.close(report)
        os.close(lifeline)
        said = self._read_report(ready)
        os.close(ready)
        if said.strip() != READY:
            title, _, detail = said.strip().partition("\n")
            raise RehearsalError(title or "The rehearsal's world did not start.", detail or self._last_words())

    def _child(self, command: Sequence[str], environment: dict[str, str], **how: object) -> subprocess.Popen[bytes]:
        """Start a process that is told to end when this one is gone."""
        me = os.getpid()

        def follow() -> None:
            kernel.die_with_parent(signal.SIGTERM)
            if os.getppid() != me:
                os._exit(ExitCode.FAULT)

        everything = os.environ | {MARK: str(self.folder)} | environment
        return subprocess.Popen(command, env=everything, preexec_fn=follow, **how)  # type: ignore[call-overload,no-any-return]  # noqa: S603, PLW1509

    def _read_report(self, ready: int) -> str:
        said = b""
        deadline = time.monotonic() + START_SECONDS
        while (left := deadline - time.monotonic()) > 0:
            if ready not in self._wait(ready, seconds=left):
                continue
            data = os.read(ready, 4096)
            said += data
            if not data or said.strip() == READY.encode():
                break
        return said.decode(errors="replace")

    def _run_app(self, *, again: bool) -> int | None:
        """Run the app; give its status as Popen does, None when the world ended first."""
        self.app = self._child(self.app_command(self.folder, again=again), {})
        while True:
            if self.world is None or self.world.poll() is not None:
                return None
            if self.app.poll() is not None:
                return self.app.returncode
            self._wait(is_interruptible=False)

    def _clear_up_after_app(self) -> None:
        """Kill what a killed app had started: it must not meet the app that is opened next."""
        world = self.world.pid if self.world else 0
        kept = {world, *descendants(world)} if world else set()
        kill_all([process for process in descendants(os.getpid()) if process not in kept])

    def _wants_again(self) -> bool:
        """Read the operator's answer; the end of input is a no, and so is the end of the world."""
        typed = b""
        while self.world is not None and self.world.poll() is None:
            if 0 not in self._wait(0):
                continue
            data = os.read(0, 4096)
            typed += data
            if not data:
                return False
            if b"\n" in typed or b"\r" in typed:
                return not typed.strip().lower().startswith(b"q")
        return False

    def _wait(self, *descriptors: int, seconds: float | None = None, is_interruptible: bool = True) -> set[int]:
        """Wait for a descriptor, a signal or a child's end; raise _Ended when all is to end.

        Ctrl-C belongs to the app while there is one: then this is not interruptible by it.
        """
        watched = [*descriptors, self.waker, *([] if self.lifeline is None else [self.lifeline])]
        readable = set(select.select(watched, (), (), seconds)[0])
        if self.waker in readable:
            with contextlib.suppress(BlockingIOError):
                os.read(self.waker, 4096)
        noted, self.signals[:] = list(self.signals), []
        for number in noted:
            if number != signal.SIGINT or is_interruptible:
                raise _Ended(128 + number)
        if self.lifeline in readable:
            raise _Ended(ExitCode.FAULT)
        self._bury()
        return readable

    def _bury(self) -> None:
        """Wait for adopted orphans that ended. Our own two are waited for by their Popen alone."""
        own = {child.pid for child in (self.world, self.app) if child is not None and child.returncode is None}
        with contextlib.suppress(ChildProcessError):
            while found := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if found.si_pid in own:
                    return
                os.waitpid(found.si_pid, 0)

    def _end(self) -> None:
        """End the app, so that it lets go of the terminal, then the world, then whatever is left."""
        for child in (self.app, self.world):
            if child is None or child.poll() is not None:
                continue
            child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(GRACE_SECONDS)
        kill_descendants()
        for child in (self.app, self.world):
            if child is not None:
                child.wait()

    def _last_words(self) -> str:
        """Give the last line that the world wrote; its whole log goes with the folder."""
        with contextlib.suppress(OSError):
            lines = (self.folder / LOG).read_text(encoding="utf-8", errors="replace").split("\n")
            return next((line.strip() for line in reversed(lines) if line.strip()), "")
        return ""


def _pipe() -> tuple[int, int]:
    ends = os.pipe()
    for end in ends:
        os.set_blocking(end, False)
    return ends


def _terminal_state() -> list[object] | None:
    try:
        return termios.tcgetattr(0)
    except (OSError, termios.error):
        return None


def _restore(terminal: list[object] | None) -> None:
    """Give the terminal back to the operator after an app that could not."""
    if terminal is None:
        return
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})  # or being in the background would stop us
    with contextlib.suppress(OSError, termios.error):  # it may have hung up
        termios.tcsetattr(0, termios.TCSANOW, terminal)  # type: ignore[arg-type]
        if sys.stdout.isatty():
            sys.stdout.write(_RESET_TERMINAL)
            sys.stdout.flush()
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)
