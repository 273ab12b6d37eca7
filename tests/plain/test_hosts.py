"""Hosts in line mode, on a real SSH server: consent, an unknown key, and troubles said in sentences."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.support.sshd import free_port, operator_key, running_sshd, write_ssh_files
from tests.support.talk import Talk, complaints, finished

if TYPE_CHECKING:
    from pathlib import Path

BOOK = """---
runbook:
  version: 1
  hosts:
    old: {ssh: old.test}
---
# Small

## Do it

- Say something:

  ```sh {#say .run host=old}
  echo something
  ```
"""


def a_book(folder: Path) -> str:
    """Write the runbook; give its path."""
    path = folder / "small.md"
    path.write_text(BOOK)
    return str(path)


def test_an_unknown_key_is_trusted_by_its_typed_fingerprint(tmp_path: Path) -> None:
    """Nothing runs on a host nobody vouched for; a wrong fingerprint changes nothing, the right one lets it run."""
    operator = operator_key(tmp_path / "operator")
    with running_sshd(tmp_path / "sshd", [operator.public]) as server:
        files = write_ssh_files(tmp_path / "files", operator, {"old.test": server}, known=False)
        with Talk("run", a_book(tmp_path), state=tmp_path / "state", more=files.environment()) as talk:
            talk.say("yes", "confirm", "hosts")
            talk.hear("^1.1 not run: ")
            found = re.search(r"SHA256:\S+(?=;)", talk.hear("^host old shows the key"))
            assert found
            talk.say("trust old", "trust old SHA256:wrong", f"trust old {found.group()}", "hosts", "confirm", "yes")
            talk.hear("refused: nothing was trusted")
            talk.hear("refused: that is not the fingerprint the host showed")
            talk.hear("^host old: its key is trusted in this run")
            talk.hear(f"^host old answers as .*{re.escape(found.group())}")
            talk.hear(f"^1.1 host old = .*127.0.0.1:{server.port}, key {re.escape(found.group())}")
            talk.hear(r"^1.1 \| something")
            talk.hang_up()
            assert talk.end() == 0
            assert complaints(talk.errors) == ""


def test_a_host_that_does_not_answer_is_said_and_can_be_left(tmp_path: Path) -> None:
    """A refused connection and a name that cannot be one are sentences; nothing ran, and the run is paused, exit 0."""
    for address in (f"ssh://root@127.0.0.1:{free_port()}", "ssh://root@nowhere.invalid:22"):
        done = finished(
            "run", a_book(tmp_path), "--host", f"old={address}", state=tmp_path / "state", stdin="yes\nconfirm\nyes\n"
        )
        assert (done.returncode, complaints(done.stderr)) == (0, ""), done.stdout
        assert "1.1 not run: " in done.stdout
        assert "host old not reachable: " in done.stdout
        assert "1.1 running" not in done.stdout


def test_without_consent_nothing_is_contacted(tmp_path: Path) -> None:
    """Anything but `yes` at the start leaves: nobody logs in on the server."""
    operator = operator_key(tmp_path / "operator")
    with running_sshd(tmp_path / "sshd", [operator.public]) as server:
        files = write_ssh_files(tmp_path / "files", operator, {"old.test": server})
        with Talk("run", a_book(tmp_path), state=tmp_path / "state", more=files.environment()) as talk:
            talk.say("no", "yes")
            talk.hear("^not agreed: nothing was contacted")
            assert talk.end() == 0
        assert "Accepted" not in server.log_text()
