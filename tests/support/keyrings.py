"""A real gnome-keyring on a session bus of the test's own, in a home of the test's own, unlocked by the test."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parent.parent.parent
NEEDED = ("dbus-run-session", "dbus-send", "gnome-keyring-daemon")
MISSING = ", ".join(tool for tool in NEEDED if shutil.which(tool) is None)
WHY_SKIPPED = f"not installed: {MISSING} (Debian: dbus, gnome-keyring)"
PASSWORD = "the keyring's own password"


@dataclass
class Home:
    """An environment without any keyring: a home of its own, and no bus."""

    path: Path
    more: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in (".cache", ".config", ".local/share/keyrings", "run", "state"):
            (self.path / name).mkdir(parents=True, mode=0o700)

    @property
    def environment(self) -> dict[str, str]:
        """Give the environment of a program in this home."""
        return {
            "HOME": str(self.path), "PATH": os.environ["PATH"], "LC_ALL": "C.UTF-8", "TERM": "dumb",
            "XDG_RUNTIME_DIR": str(self.path / "run"), "XDG_CACHE_HOME": str(self.path / ".cache"),
            "XDG_CONFIG_HOME": str(self.path / ".config"), "XDG_DATA_HOME": str(self.path / ".local/share"),
            "MAILRUNBOOK_STATE_DIR": str(self.path / "state"),
            "MAILRUNBOOK_CONFIG_DIR": str(self.path / ".config/mailrunbook"),
            "PYTHONPATH": str(ROOT), **self.more,
        }  # fmt: skip

    def run(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """Run `mailrunbook` with the arguments."""
        return subprocess.run(
            [sys.executable, "-m", "runbook_tui", *arguments], env=self.environment, input=stdin, text=True,
            capture_output=True, check=False, timeout=60,
        )  # fmt: skip

    @contextlib.contextmanager
    def caller(self, patience: float = 60.0) -> Iterator[Caller]:
        """Give a program that keeps one Keyring and does what it is told."""
        command = [sys.executable, "-m", "tests.support.keyring_caller", str(patience)]
        with subprocess.Popen(
            command, env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
        ) as process:  # fmt: skip
            yield Caller(process)
            assert process.stdin is not None
            process.stdin.close()
            assert process.wait(10) == 0


@dataclass
class Caller:
    """One Keyring in a process of its own: libraries keep what they found for the life of a process."""

    process: subprocess.Popen[str]

    def do(self, what: str, name: str = "imap plop", value: str = "") -> dict[str, Any]:
        """Call the method; give what came: `value`, or `error` and `title`; `seconds`, and the longest `stall`."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps({"do": what, "name": name, "value": value}) + "\n")
        self.process.stdin.flush()
        said: dict[str, Any] = json.loads(self.process.stdout.readline())
        return said


class KeyringSession(Home):
    """A session bus with gnome-keyring on it; `with` starts the bus and the daemon, and ends both."""

    def __enter__(self) -> Self:
        command = ["dbus-run-session", "--", "sh", "-c", 'echo "$DBUS_SESSION_BUS_ADDRESS"; exec cat']
        self._bus = subprocess.Popen(
            command, env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            stderr=subprocess.DEVNULL,
        )  # fmt: skip
        assert self._bus.stdout is not None
        self.more["DBUS_SESSION_BUS_ADDRESS"] = self._bus.stdout.readline().strip()
        self.daemon = self.unlock()
        return self

    def __exit__(self, *exc: object) -> None:
        for pid in {self.daemon.pid, self.owner()} - {0}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.daemon.wait(10)
        self._bus.communicate(timeout=60)

    def unlock(self, password: str = PASSWORD) -> subprocess.Popen[str]:
        """Start the daemon with its collection unlocked, and wait until it is on the bus."""
        daemon = subprocess.Popen(
            ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"], env=self.environment,
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True,
        )  # fmt: skip
        assert daemon.stdin is not None
        daemon.stdin.write(password)
        daemon.stdin.close()
        end = time.monotonic() + 60
        while self.owner() != daemon.pid:
            assert time.monotonic() < end, "gnome-keyring did not come onto the bus"
            time.sleep(0.02)
        return daemon

    def owner(self) -> int:
        """Give the process id of whoever answers for the secret service; 0 when nobody does."""
        asked = self._bus_call("GetConnectionUnixProcessID", "string:org.freedesktop.secrets")
        return int(asked.split()[-1]) if "uint32" in asked else 0

    def lock(self) -> None:
        """Lock every collection, as the desktop does when the screen is locked."""
        self._call(
            "org.freedesktop.secrets", "/org/freedesktop/secrets", "org.freedesktop.Secret.Service.Lock",
            "array:objpath:/org/freedesktop/secrets/aliases/default",
        )  # fmt: skip

    def _bus_call(self, method: str, *arguments: str) -> str:
        name = "org.freedesktop.DBus"
        return self._call(name, "/org/freedesktop/DBus", f"{name}.{method}", *arguments)

    def _call(self, name: str, path: str, method: str, *arguments: str) -> str:
        command = ["dbus-send", "--session", "--print-reply", f"--dest={name}", path, method, *arguments]
        done = subprocess.run(
            command, env=self.environment, capture_output=True, text=True, check=False, timeout=60
        )  # fmt: skip
        return done.stdout
