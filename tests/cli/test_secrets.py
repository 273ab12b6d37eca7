"""`mailrunbook secret`, `--secrets-fd` and the question in line mode: and nowhere a trace of the value."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import keyrings
from tests.support.keyrings import Home, KeyringSession
from tests.support.talk import Talk, finished
from tests.support.terminal import Terminal

if TYPE_CHECKING:
    from collections.abc import Iterator

with_gnome_keyring = pytest.mark.skipif(bool(keyrings.MISSING), reason=keyrings.WHY_SKIPPED)

CANARY = "kanarienvogel-7-nightjar"
NAME = "imap plop@example.org"
BOOK = """---
runbook:
  version: 1
  literals:
    plop: {var: user, word: true, default: plop}
    domain.tld: {var: domain, default: example.org}
    the_PassWord: {secret: "imap ${user}@${domain}"}
  checks:
    mailbox: {type: imap, host: local, port: 1, user: plop, secret: the_PassWord}
---
# Small

## Do it

- Say something:

  ```sh {#say .run host=local}
  echo something
  ```
"""


@pytest.fixture
def book(tmp_path: Path) -> str:
    """Give a runbook with a check that logs in."""
    path = tmp_path / "small.md"
    path.write_text(BOOK)
    return str(path)


def events(state: Path) -> list[dict[str, object]]:
    """Give the records of the only run."""
    lines = next((state / "runs").glob("*/events.jsonl")).read_text().splitlines()
    return [json.loads(line) for line in lines]


def supplied(state: Path) -> list[tuple[object, object]]:
    """Give what the journal says of secrets: names and sources."""
    return [(e["name"], e["source"]) for e in events(state) if e["type"] == "secret_supplied"]


def traces(folder: Path) -> list[str]:
    """Give the files under the folder in which the canary stands, plain or thinly wrapped."""
    raw = CANARY.encode()
    forms = (raw, base64.b64encode(raw).rstrip(b"=")[:-2], raw.hex().encode(), CANARY.encode("utf-16-le"))
    return [
        str(file) for file in folder.rglob("*")
        if file.is_file() and not file.is_symlink() and any(form in file.read_bytes() for form in forms)
    ]  # fmt: skip


def processes_that_know(environment_mark: str) -> list[str]:
    """Give the processes of this test whose command line or environment has the canary in it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            ours, said = (process / "environ").read_bytes(), (process / "cmdline").read_bytes()
        except OSError:
            continue
        if environment_mark.encode() in ours and CANARY.encode() in ours + said:
            found.append(said.decode())
    return found


@pytest.fixture
def session(tmp_path: Path) -> Iterator[KeyringSession]:
    """Give a session with an unlocked keyring."""
    with KeyringSession(tmp_path / "home") as session:
        yield session


@with_gnome_keyring
def test_a_value_set_used_and_deleted_leaves_no_trace(session: KeyringSession, book: str) -> None:
    """Stored from a pipe, used by a run, deleted: in no file, argument, environment, journal, log or output."""
    said = session.run("secret", "set", NAME, stdin=f"{CANARY}\n")
    assert said.returncode == 0, said.stderr
    assert said.stdout == f"{NAME}: stored in the keyring (Secret Service), and read back\n"
    outputs = said.stdout + said.stderr
    with Talk(
        "run", book, "--plain", "--run-id", "night", "--debug", state=session.path / "state", more=session.environment
    ) as talk:  # fmt: skip
        talk.say("yes", "secret")
        talk.hear(rf"secret {NAME}: from the keyring \(Secret Service\)")
        assert processes_that_know(str(session.path)) == []
        talk.say("confirm", "yes", "quit")
        assert talk.end() == 0
        outputs += "\n".join(talk.lines) + talk.errors
    listed = session.run("secret", "list", "--runbook", book)
    assert listed.stdout == f"{NAME}: stored in the keyring (Secret Service)\n"
    assert session.run("secret", "list").stdout == listed.stdout
    exported = session.run("export", "night", "--format", "json")
    assert f"the secret {NAME} was supplied" in exported.stdout
    assert f"`{NAME}` was supplied: the keyring" in session.run("export", "night").stdout
    deleted = session.run("secret", "delete", NAME)
    assert deleted.stdout == f"{NAME}: deleted from the keyring (Secret Service)\n"
    assert session.run("secret", "delete", NAME).stdout == f"{NAME}: was not in the keyring (Secret Service)\n"
    assert session.run("secret", "list").stdout.startswith("No names are known.")
    assert session.run("secret", "list", "--runbook", book).stdout.startswith(f"{NAME}: not stored")
    assert supplied(session.path / "state") == [(NAME, "the keyring (Secret Service)")]
    assert CANARY not in outputs + exported.stdout + listed.stdout + deleted.stdout
    assert (session.path / "state/runs/night/debug.log").exists()
    assert traces(session.path) == []


@with_gnome_keyring
def test_typed_twice_on_a_terminal(session: KeyringSession) -> None:
    """On a terminal it is asked twice without echo; two that differ store nothing."""
    environment = {k: v for k, v in session.environment.items() if k != "MAILRUNBOOK_STATE_DIR"}
    for second, code in ((CANARY, 0), ("another", 2)):
        with Terminal(session.path / "state", "secret", "set", NAME, more=environment) as terminal:
            terminal.see(f"secret {NAME}: ")
            terminal.type(f"{CANARY}\n")
            terminal.see("once more: ")
            terminal.type(f"{second}\n")
            terminal.see("read back" if code == 0 else "Nothing was stored.")
            assert terminal.end() == code
        assert CANARY not in terminal.shown


@pytest.mark.parametrize("stdin", ["", "\n", "x" * 70_000])
def test_what_is_no_password_is_not_stored(tmp_path: Path, stdin: str) -> None:
    """No line, an empty one and an endless one are misuse, before any keyring is asked."""
    assert Home(tmp_path / "home").run("secret", "set", NAME, stdin=stdin).returncode == 2


def test_a_name_with_a_missing_value_is_listed_as_that(tmp_path: Path, book: str) -> None:
    """A runbook's name whose variable has no value is not looked up, and says so."""
    Path(book).write_text(BOOK.replace(", default: plop", ""))
    said = Home(tmp_path / "home").run("secret", "list", "--runbook", book)
    assert said.stdout == "imap ${user}@${domain}: not looked up, a value is missing (--var)\n"
    assert said.returncode == 0


def run_with_descriptor(book: str, home: Home, data: str) -> subprocess.CompletedProcess[str]:
    """Run the runbook in line mode with a JSON document on an inherited descriptor."""
    reading, writing = os.pipe()
    os.write(writing, data.encode())
    os.close(writing)
    try:
        return subprocess.run(
            [sys.executable, "-m", "runbook_tui", "run", book, "--plain", "--secrets-fd", str(reading)],
            input="yes\nquit\n", text=True, capture_output=True, check=False, timeout=60, pass_fds=(reading,),
            env=home.environment,
        )  # fmt: skip
    finally:
        os.close(reading)


def test_what_was_handed_down_stands_in_for_a_keyring(tmp_path: Path, book: str) -> None:
    """Without a keyring the inherited descriptor gives the password; the journal says so, and has no value."""
    home = Home(tmp_path / "home")
    done = run_with_descriptor(book, home, json.dumps({NAME: CANARY}))
    assert done.returncode == 0, done.stderr
    assert supplied(home.path / "state") == [(NAME, "--secrets-fd")]
    assert "typed on a terminal only" not in done.stdout
    assert CANARY not in done.stdout + done.stderr
    assert traces(home.path) == []


def test_a_bad_or_closed_descriptor_is_misuse(tmp_path: Path, book: str) -> None:
    """Bad JSON and a descriptor that is not open end with 2, before a run is made."""
    home = Home(tmp_path / "home")
    bad = run_with_descriptor(book, home, f'{{"{NAME}": "{CANARY}"')
    closed = finished("run", book, "--secrets-fd", "57", state=home.path / "state")
    for done in (bad, closed):
        assert done.returncode == 2
        assert CANARY not in done.stdout + done.stderr
    assert not (home.path / "state/runs").exists()


def test_on_a_pipe_nothing_is_asked(tmp_path: Path, book: str) -> None:
    """Line mode on a pipe says what is missing and why, takes no line for it, and goes on."""
    home = Home(tmp_path / "home")
    done = home.run("run", book, "--plain", stdin="yes\nconfirm\nyes\n")
    assert done.returncode == 0
    assert f"secret {NAME}: There is no keyring in this session" in done.stdout
    assert f"secret {NAME}: it is typed on a terminal only, and this is none" in done.stdout
    assert "1.1 | something" in done.stdout
    assert supplied(home.path / "state") == []


def test_on_a_terminal_it_is_asked_without_echo(tmp_path: Path, book: str) -> None:
    """The prompt comes after the agreement; the typed value is not echoed, is used, and the echo comes back."""
    home = Home(tmp_path / "home")
    with Terminal(home.path / "state", "run", book, "--plain", more=home.environment) as terminal:
        terminal.see("asks: type yes")
        terminal.type("yes\n")
        terminal.see(f"secret {NAME}: There is no keyring")
        terminal.see(f"typed when asked.\r\nsecret {NAME}: ")
        terminal.type(f"{CANARY}\n")
        terminal.see("taken, for this sitting")
        terminal.type("secret another one\n")
        terminal.see("secret another one: ")
        terminal.type("\n")
        terminal.see("secret another one: left out")
        terminal.type("note seen-again\nquit\n")
        assert terminal.end() == 0
        terminal.read_rest()
    assert CANARY not in terminal.shown
    assert "note seen-again" in terminal.shown
    user = supplied(home.path / "state")[0][1]
    assert str(user).startswith("typed by ")
    assert traces(home.path) == []
