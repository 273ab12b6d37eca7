"""Logins in line mode: asked without echo on a terminal, refused politely elsewhere, served by --secrets-fd."""

from __future__ import annotations

import asyncio
import getpass
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.plain.test_hosts import a_book
from tests.support.login_server import Door, open_door
from tests.support.talk import Talk
from tests.support.terminal import Terminal

if TYPE_CHECKING:
    from tests.support.sshd import SshFiles

PASSWORD = "kanarienvogel-7"
NAME = f"ssh {getpass.getuser()}@old.test"


def traces(folder: Path, process: int) -> list[Path]:
    """Give the files, command lines and environments in which the password stands."""
    of_process = [Path(f"/proc/{process}/cmdline"), Path(f"/proc/{process}/environ")]
    files = [f for f in folder.rglob("*") if f.is_file()]
    return [f for f in (*files, *of_process) if PASSWORD.encode() in f.read_bytes()]


def typed_on_a_terminal(folder: Path, files: SshFiles) -> None:
    """Log in by hand, first wrong, and run the step."""
    said = []
    with Terminal(folder / "state", "run", a_book(folder), "--plain", "--debug", more=files.environment()) as terminal:
        for wanted, typed in (
            ("type yes to go on", "yes\n"),
            (" wants a password.", ""),
            ("host old: Password: ", "typo-typo\n"),
            ("any other line does not: ", "no\n"),
            ("was refused.", ""),
            ("host old: Password: ", f"{PASSWORD}\n"),
            ("any other line does not: ", "no\nconfirm\n"),
            ("1.1 asks", "yes\n"),
            ("1.1 | something", "quit\n"),
        ):
            terminal.see(wanted)
            before, _, terminal.shown = terminal.shown.partition(wanted)
            said.append(before + wanted)
            if wanted == "1.1 | something":
                assert traces(folder / "state", terminal.process.pid) == []
            terminal.type(typed)
        assert terminal.end() == 0
        said.append(terminal.shown)
    shown = "".join(said)
    assert PASSWORD not in shown
    assert "typo-typo" not in shown
    assert traces(folder / "state", os.getpid()) == []


async def test_a_password_is_typed_without_echo(tmp_path: Path) -> None:
    """On a terminal the host and user are named, nothing typed is seen or written, a wrong one is asked for again."""
    door = Door(PASSWORD)
    async with open_door(tmp_path / "door", door) as files:
        await asyncio.to_thread(typed_on_a_terminal, tmp_path, files)
        assert door.tried == ["typo-typo", PASSWORD]


@pytest.mark.parametrize("steps", [False, pytest.param(True, marks=pytest.mark.lab)])
async def test_without_a_terminal_the_name_is_told_that_would_serve(tmp_path: Path, *, steps: bool) -> None:
    """From a pipe nobody is asked and no line is taken for a password; a code has no name."""
    door = Door(steps=[("Hello", [("Code:", False)], lambda _: False)]) if steps else Door(PASSWORD)

    def talk_to_it(files: SshFiles) -> None:
        with Talk("run", a_book(tmp_path), state=tmp_path / "state", more=files.environment()) as talk:
            talk.say("yes", "confirm", PASSWORD)
            told = talk.hear("^host old: it is typed on a terminal only, and this is none")
            assert (f"--secrets-fd with the name '{NAME}' would serve" in told) is not steps
            talk.hear(r"^1.1 not run: .*is not connected: no (password|answer) was given")
            talk.hang_up()
            assert talk.end() == 0

    async with open_door(tmp_path / "door", door) as files:
        await asyncio.to_thread(talk_to_it, files)
        assert (door.tried, door.answered) == ([], [])


@pytest.mark.lab
async def test_secrets_fd_serves_a_login(tmp_path: Path) -> None:
    """What is handed down under the name logs in; the record says from where, and nothing has the value."""
    door = Door(PASSWORD)

    def talk_to_it(files: SshFiles) -> None:
        reading, writing = os.pipe()
        os.write(writing, f'{{"{NAME}": "{PASSWORD}"}}'.encode())
        os.close(writing)
        arguments = ("run", a_book(tmp_path), "--debug", "--secrets-fd", str(reading))
        with Talk(*arguments, state=tmp_path / "state", more=files.environment(), hand_down=(reading,)) as talk:
            os.close(reading)
            talk.say("yes", "confirm", "yes")
            talk.hear(r"^1.1 \| something")
            assert traces(tmp_path / "state", talk.process.pid) == []
            talk.hang_up()
            assert talk.end() == 0
            assert not [line for line in talk.lines if PASSWORD in line]
        record = next((tmp_path / "state" / "runs").glob("*/events.jsonl")).read_text()
        assert re.search(rf'"name":\s*"{NAME}"', record)
        assert traces(tmp_path / "state", os.getpid()) == []

    async with open_door(tmp_path / "door", door) as files:
        await asyncio.to_thread(talk_to_it, files)
        assert door.tried == [PASSWORD]
