"""A plain how-to on a host with an /etc of its own: settle, confirm one by one, fail, retry, skip, export."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.sshd import find_sshd
from tests.support.talk import environment, finished
from tests.support.tmux import Terminal, installed, mailrunbook

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.lab.conftest import Case, NewHost

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root for a mount namespace with an /etc of its own"),
    pytest.mark.skipif(find_sshd() is None, reason="needs an OpenSSH server"),
    pytest.mark.skipif(shutil.which("unshare") is None, reason="needs unshare (util-linux)"),
]


def test_the_three_actions_of_the_transport_step(case: Case, new_host: NewHost, tmp_path: Path) -> None:
    """Two files and a command are settled and confirmed one by one; the command fails once and is retried."""
    before = sorted(Path("/etc").glob("postfix/*"))
    out = tmp_path / "transcript.md"
    lines = [
        "yes",
        "go 2.3a", "confirm",
        "set host new", "set mode set", "confirm", "yes",
        "go 2.3b", "set host new", "set mode create", *case.literals, "confirm", "yes",
        "go 2.3c", "set host new", "confirm", "no", "confirm", "yes", "retry", "yes",
        "go 2.4", "skip the zone is looked after elsewhere",
        f"export md {out}", "status", "quit",
    ]  # fmt: skip
    done = finished(
        "run", str(case.document), "--host", "new=new.test", "--plain", "--run-id", "seed",
        state=tmp_path / "state", stdin="\n".join(lines) + "\n", timeout=90, more=new_host.files.environment(),
    )  # fmt: skip
    said = done.stdout
    assert done.returncode == 0, said + done.stderr
    written = (new_host.etc / "postfix/main.cf").read_text().splitlines()
    assert written == ["myhostname = new.example.org", f"{case.setting} = hash:/etc/postfix/{case.map}"], said
    assert (new_host.etc / "postfix" / case.map).read_text() == case.row
    effects = [f"postmap /etc/postfix/{case.map}", f"service postfix {case.service}"]
    assert (new_host.server.home / "effects").read_text().splitlines() == effects * 2
    assert "2.3c failed" in said
    assert "2.3c done" in said
    text = out.read_text()
    for expected in ("the zone is looked after elsewhere", "exit status 1", "example.org", "127.0.0.1"):
        assert expected in text, expected
    assert sorted(Path("/etc").glob("postfix/*")) == before, "this machine's own /etc was touched"


CREATE, SET = 1, 4
"""How far down the list of modes each stands."""


def settle(terminal: Terminal, number: str, mode: int = 0, values: Sequence[str] = ()) -> None:
    """Choose `new` (below nothing and local), a mode, and type the literals' values."""
    terminal.press("a")
    terminal.wait_for(f"Settle  {number}")
    for down in (2, mode) if mode else (2,):
        terminal.press_until("Enter", "▲")
        terminal.press(*["Down"] * down)
        terminal.press_until("Enter", gone="▲")
        terminal.wait_until_still()
        terminal.press("Tab")
        terminal.wait_until_still()
    for value in values:
        terminal.type(value)
        terminal.wait_for(value)
        terminal.wait_until_still()
        terminal.press("Tab")
        terminal.wait_until_still()
    terminal.press("Tab", "Tab")
    terminal.wait_until_still()
    terminal.press_until("Enter", "· to do", gone=f"Settle  {number}")


def confirm(terminal: Terminal, number: str) -> None:
    """Open the confirmation and press `y` until it is taken: it must be read to its end first."""
    terminal.press("c")
    terminal.wait_for(f"Confirm  {number}", "127.0.0.1:")
    terminal.press_until("y", gone=f"Confirm  {number}")


@pytest.mark.skipif(not installed(), reason="tmux is not installed")
def test_the_same_in_a_terminal(case: Case, new_host: NewHost, tmp_path: Path) -> None:
    """Keys only: go to the step, settle each action in its dialog, confirm, fail, retry, skip, export."""
    out = tmp_path / "transcript.md"
    env = {**environment(tmp_path / "state", **new_host.files.environment()), "LC_ALL": "C.UTF-8"}
    command = mailrunbook("run", str(case.document), "--host", "new=new.test", "--run-id", "seed")
    with Terminal(tmp_path, command, env) as terminal:
        terminal.wait_for("Starting")
        terminal.press_until("y", "STEPS", gone="Starting")
        terminal.wait_until_still()
        terminal.press("g")
        terminal.wait_for("Go to a step")
        terminal.type("2.3")
        terminal.wait_for("2.3c If")
        terminal.wait_until_still()
        terminal.press_until("Enter", "▶ 2.3", gone="Go to a step")
        settle(terminal, "2.3a", mode=SET)
        confirm(terminal, "2.3a")
        terminal.wait_for("▸ 2.3b")
        settle(terminal, "2.3b", mode=CREATE, values=[line.partition("=")[2] for line in case.literals])
        confirm(terminal, "2.3b")
        terminal.wait_for("▸ 2.3c")
        settle(terminal, "2.3c")
        confirm(terminal, "2.3c")
        terminal.wait_for("failed", "exit status 1")
        terminal.press("r")
        terminal.wait_for("Confirm again  2.3c")
        terminal.press_until("y", gone="Confirm again")
        terminal.wait_for("▶ 2.4")
        terminal.press("s")
        terminal.wait_for("2.4  ", "Cancel")
        terminal.type("looked after elsewhere")
        terminal.press("Enter")
        terminal.wait_for("▶ 2.5", "skipped")
        terminal.press("q")
        assert terminal.exit_code() == 0
    assert (new_host.etc / "postfix" / case.map).read_text() == case.row
    effects = [f"postmap /etc/postfix/{case.map}", f"service postfix {case.service}"]
    assert (new_host.server.home / "effects").read_text().splitlines() == effects * 2
    assert finished("export", "seed", "-o", str(out), state=tmp_path / "state").returncode == 0
    assert "looked after elsewhere" in out.read_text()
