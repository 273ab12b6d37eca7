"""`mailrunbook check` as a program, on this machine and on a real sshd."""

from __future__ import annotations

import json
import signal
from typing import TYPE_CHECKING

import pytest

from tests.support.sshd import operator_key, running_sshd, write_ssh_files
from tests.support.talk import Talk, finished

if TYPE_CHECKING:
    from pathlib import Path

BOOK = """\
---
runbook:
  literals:
    "FOLDER": {var: folder, ask: "Which folder?"}
  checks:
    up:    {type: command, host: local, run: "echo all is well", expect: "well", every: 1s, label: "this machine"}
    down:  {type: command, host: local, run: "echo no; exit 3", every: 1s}
    there: {type: command, host: local, run: "test -e FOLDER/there && echo there", every: 1s}
---

# A book

## Steps <!-- phase: steps -->

### Look

```sh {.run host=local}
ls
```
"""


@pytest.fixture
def book(tmp_path: Path) -> str:
    """Write the runbook."""
    path = tmp_path / "book.md"
    path.write_text(BOOK)
    return str(path)


@pytest.mark.parametrize(
    ("names", "code", "lines"),
    [
        (["up"], 0, ["up  PASS: all is well"]),
        (["down"], 1, ["down  FAIL: exit status 3: no"]),
        (["up", "down"], 1, ["up  PASS: all is well", "down  FAIL: exit status 3: no"]),
        (["there", "down"], 4, ["down  FAIL: exit status 3: no", "there  UNKNOWN: FOLDER has no value yet"]),
    ],
)
def test_the_exit_code_says_how_it_stands(
    book: str, tmp_path: Path, names: list[str], code: int, lines: list[str]
) -> None:
    """0 when all pass, 4 when one could not look, else 1; a line a check, and no run is made."""
    done = finished("check", book, *names, state=tmp_path / "state")
    assert (done.returncode, done.stdout.splitlines(), done.stderr) == (code, lines, "")
    assert not (tmp_path / "state" / "runs").exists()


def test_json_is_one_document_with_the_documented_fields(book: str, tmp_path: Path) -> None:
    """Names, types, states, times as ISO or null; a variable makes the third check one that can look."""
    (tmp_path / "there").touch()
    done = finished("check", book, "--json", "--var", f"folder={tmp_path}", state=tmp_path / "state")
    assert done.returncode == 1
    checks = json.loads(done.stdout)["checks"]
    assert [(check["name"], check["type"], check["state"]) for check in checks] == [
        ("up", "command", "PASS"), ("down", "command", "FAIL"), ("there", "command", "PASS"),
    ]  # fmt: skip
    assert {tuple(check) for check in checks} == {("name", "type", "state", "value", "since", "eta", "detail")}
    assert all(check["since"].endswith("Z") and check["eta"] is None for check in checks)


def test_watching_says_each_turn_until_it_is_interrupted(book: str, tmp_path: Path) -> None:
    """A line for each turn, none for looks that say the same; Ctrl-C ends it with the exit code of that moment."""
    with Talk("check", book, "up", "there", "--watch", "--var", f"folder={tmp_path}", state=tmp_path / "s") as talk:
        talk.hear(r"UTC  there  FAIL: exit status 1: no output$")
        (tmp_path / "there").touch()
        talk.hear(r"UTC  there  PASS: there$")
        talk.signal(signal.SIGINT)
        assert talk.end() == 0
        assert talk.errors == ""
        assert any(line.endswith("UTC  up  PASS: all is well") for line in talk.lines)
        assert len([line for line in talk.lines if "  up  " in line]) == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["donw"], 2, "Did you mean down?"),
        (["--watch", "--json"], 2, "choose one of them"),
        (["--var", "nothing=1"], 2, "no such variable"),
        (["--host", "old"], 2, "--host NAME=VALUE"),
    ],
)
def test_misuse_is_a_sentence(book: str, tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    """Exit 2, nothing on standard output, and what to do on standard error."""
    done = finished("check", book, *arguments, state=tmp_path / "state")
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_a_runbook_without_checks_or_with_errors_is_refused(tmp_path: Path) -> None:
    """Exit 3: a monitor must not take nothing for all is well."""
    for text in ("# A book\n\nNo checks.\n", BOOK.replace("type: command", "typ: command")):
        path = tmp_path / "book.md"
        path.write_text(text)
        done = finished("check", str(path), state=tmp_path / "state")
        assert (done.returncode, done.stdout) == (3, "")


def test_a_real_host_is_looked_at_over_ssh(tmp_path: Path) -> None:
    """Each host has its own ssh check besides the runbook's; without its key the host is UNKNOWN, exit 4."""
    path = tmp_path / "book.md"
    path.write_text(BOOK.replace("  literals:", "  hosts:\n    old: {ssh: old.test}\n  literals:").replace(
        'host: local, run: "echo all', 'host: old, run: "echo all'
    ))
    key = operator_key(tmp_path / "operator")
    with running_sshd(tmp_path / "sshd", [key.public]) as server:
        files = write_ssh_files(tmp_path / "files", key, {"old.test": server})
        done = finished("check", str(path), "ssh-old", "up", state=tmp_path / "state", more=files.environment())
        assert done.returncode == 0, done
        assert done.stdout.splitlines()[1] == "up  PASS: all is well"
        unknown = write_ssh_files(tmp_path / "unknown", key, {"old.test": server}, known=False)
        done = finished("check", str(path), "ssh-old", "up", state=tmp_path / "state", more=unknown.environment())
        assert done.returncode == 4
        assert done.stdout.splitlines()[0].startswith("ssh-old  FAIL: ")
        assert "The host key of old.test is not known" in done.stdout
