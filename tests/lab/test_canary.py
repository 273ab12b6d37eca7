"""Secrets in use on a real terminal with --debug, through a crash in the middle of a step: in nothing kept or shown."""

from __future__ import annotations

import base64
import json
import select
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from runbook_tui.core.redact import mark
from tests.support.crashing import CANARY
from tests.support.sshd import make_key, start_sshd, write_ssh_files
from tests.support.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.support.sshd import Sshd, SshFiles

pytestmark = pytest.mark.lab

PASSPHRASE, DATABASE = "kolibri-51d0e2", "zaunkoenig-9b44c1"
CANARIES = (CANARY, PASSPHRASE, DATABASE)
DEADLINE = 90.0
QUIET = 0.45
"""Seconds without a byte after which the screen is taken for still; longer than a dialog takes no key."""

BOOK = """---
runbook:
  version: 1
  hosts: {new: {ssh: new.test}}
  literals:
    the_PassWord: {secret: "db"}
---
# Canary at night

## Do it

- Say it:

  ```sh {#say .run host=new secret="relay"}
  IFS= read -r v
  printf 'plain %s\\n' "$v"
  printf %s "$v" | base64
  printf %s "$v" | od -An -v -tx1 | tr -d ' \\n'
  echo; touch started
  until test -e go; do sleep 0.1; done
  printf 'again %s\\n' "$v"; touch ended
  ```

- Write it:

  ```conf {#write .file .secret host=new file="~/db.conf" mode=create}
  password = the_PassWord
  ```
"""


def forms(value: str) -> list[bytes]:
    """Give a value plain and as it may be encoded on the way."""
    raw = value.encode()
    return [
        raw, base64.b64encode(raw).rstrip(b"=")[:-2], raw.hex().encode(), raw.hex().upper().encode(),
        "".join(f"%{b:02X}" for b in raw).encode(), quote(value).encode(), json.dumps(value)[1:-1].encode(),
        shlex.quote(value).encode(), value.encode("utf-16-le"),
    ]  # fmt: skip


def has_one(data: bytes) -> list[str]:
    """Give the canaries of which any form is in it."""
    return [value for value in CANARIES if any(form in data for form in forms(value))]


def traces(*folders: Path) -> list[str]:
    """Give the files under the folders, and the arguments and environments of all processes, that have one."""
    places = [*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")]
    places += [file for folder in folders for file in folder.rglob("*")]
    found = []
    for place in places:
        try:
            if place.is_file() and (hits := has_one(place.read_bytes())):
                found.append(f"{place}: {hits}")
        except OSError:
            continue
    return found


class Night:
    """The host, the operator's files and folders."""

    def __init__(self, folder: Path, new: Sshd, files: SshFiles) -> None:
        self.folder, self.new, self.files = folder, new, files
        self.state = folder / "state"
        self.home = folder / "home"
        self.home.mkdir()
        (folder / "canary.md").write_text(BOOK)
        given = {"relay": CANARY, "db": DATABASE, f"ssh-key {files.key.private}": PASSPHRASE}
        (folder / "secrets.json").write_text(json.dumps(given))

    def start(self, place: str, *arguments: str) -> Terminal:
        """Start the program, with a fault in this place of it, on a terminal of its own."""
        more = {**self.files.environment(), "HOME": str(self.home)}
        command = (place, *arguments, "--debug")
        return Terminal(self.state, *command, term="xterm-256color", more=more, module="tests.support.crashing")

    @property
    def journal(self) -> str:
        """What the run has recorded so far."""
        file = self.state / "runs/night/events.jsonl"
        return file.read_text() if file.exists() else ""

    def traces(self) -> list[str]:
        """Look everywhere but at what the README says is kept: what a command itself prints, on its host."""
        found = traces(self.state, self.home, self.new.home)
        allowed = (f"{self.new.home}/.local/state/mailrunbook/jobs/night-1-", f"{self.new.home}/db.conf:")
        return [hit for hit in found if not (hit.startswith(allowed) and ("/out: " in hit or "db.conf" in hit))]


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    """Start the host, which the operator reaches by a key with a passphrase."""
    key = make_key(tmp_path / "operator", "locked", passphrase=PASSPHRASE)
    new = start_sshd(tmp_path / "new", [key.public])
    try:
        yield Night(tmp_path, new, write_ssh_files(tmp_path / "files", key, {"new.test": new}))
    finally:
        (new.home / "go").touch()
        new.stop()


def still(terminal: Terminal) -> None:
    """Read until nothing more comes for a while, or the program has ended."""
    end = time.monotonic() + DEADLINE
    while terminal.process.poll() is None and time.monotonic() < end:
        if not select.select([terminal._master], [], [], QUIET)[0]:
            return
        terminal.read_rest()


def press_until(terminal: Terminal, keys: tuple[str, ...], condition: Callable[[], bool]) -> None:
    """Press keys one after another, which count only once a dialog has been open for a moment, until it holds."""
    end = time.monotonic() + DEADLINE
    while True:
        for key in keys:
            still(terminal)
            if condition():
                return
            assert time.monotonic() < end, terminal.shown[-3000:]
            terminal.type(key)


def wait_for(terminal: Terminal, condition: Callable[[], bool]) -> None:
    """Read until it holds."""
    press_until(terminal, ("",), condition)


END, ESCAPE = "\x1b[F", "\x1b"


def confirm(terminal: Terminal, confirmed: Callable[[], bool]) -> None:
    """Close what is open, and confirm the current step: the dialog is read to its end first."""
    before = len(terminal.shown)
    press_until(terminal, (ESCAPE, "c"), lambda: "Run (y)" in terminal.shown[before:])
    press_until(terminal, (END, "y"), confirmed)


def test_no_secret_is_left_by_a_night_with_a_crash(night: Night) -> None:
    """While the step runs, after the program broke in the middle of it, and after the run went on and was closed."""
    with night.start("step", "run", str(night.folder / "canary.md"), "--run-id", "night") as terminal:
        press_until(terminal, (END, "y"), lambda: '"consent"' in night.journal)
        confirm(terminal, (night.new.home / "started").exists)
        wait_for(terminal, lambda: f"plain {mark('relay')}" in terminal.shown)
        assert night.traces() == []
        (night.folder / "crash").touch()
        terminal.see("RuntimeError")
        assert terminal.end() == 70
        terminal.read_rest()
        shown = terminal.shown
    assert mark("relay") in shown[shown.index("RuntimeError") :]
    with night.start("calm", "resume", "night") as terminal:
        press_until(terminal, (END, "y"), lambda: night.journal.count('"consent"') > 1)
        (night.new.home / "go").touch()
        wait_for(terminal, lambda: night.journal.count('"finished"') == 1)
        confirm(terminal, (night.new.home / "db.conf").exists)
        wait_for(terminal, lambda: '"run_closed"' in night.journal)
        press_until(terminal, (ESCAPE, "q", "y"), lambda: terminal.process.poll() is not None)
        terminal.read_rest()
        shown += terminal.shown
    assert (night.new.home / "db.conf").read_text() == f"password = {DATABASE}\n"
    assert has_one(shown.encode()) == []
    assert (night.state / "runs/night/debug.log").exists()
    assert mark("relay") in (night.state / "runs/night/transcript.md").read_text()
    assert night.traces() == []
