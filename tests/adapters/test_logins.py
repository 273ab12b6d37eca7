"""Logins with passwords, locked keys, questions and codes, against servers that really ask."""

from __future__ import annotations

import asyncio
import getpass
import shutil
from typing import TYPE_CHECKING

import pytest

from runbook_tui.adapters.ssh import SshShell
from runbook_tui.adapters.ssh_credentials import Credentials
from runbook_tui.adapters.ssh_target import SshSettings
from runbook_tui.core.errors import HostError
from runbook_tui.core.model import Host, HostName
from runbook_tui.ports import Link, LoginKind
from tests.support.login_server import Door, open_door
from tests.support.sshd import make_key, write_ssh_files
from tests.support.typist import Typist

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sshd import KeyPair, Sshd, SshFiles

PASSWORD = "kanarienvogel-7"
NAME = f"ssh {getpass.getuser()}@old.test"
DEADLINE = 60.0


def shell_of(files: SshFiles, typist: Typist, **changes: float) -> SshShell:
    """Give a shell of role `old` whose logins the typist answers."""
    settings = SshSettings(
        config_files=(files.config,), known_hosts_files=(files.known_hosts,), home=files.config.parent,
        login_timeout=DEADLINE, **changes,  # type: ignore[arg-type]
    )  # fmt: skip
    return SshShell(Host(HostName("old"), "old.test"), None, settings, typist)


async def let_in(shell: SshShell) -> None:
    """Connect and hang up."""
    async with asyncio.timeout(DEADLINE):
        assert (await shell.connect()).user == getpass.getuser()
    await shell.close()


async def kept_out(shell: SshShell) -> HostError:
    """Connect in vain; give the error."""
    async with asyncio.timeout(DEADLINE):
        with pytest.raises(HostError) as caught:
            await shell.connect()
    assert shell.link is Link.REFUSED
    return caught.value


async def test_a_stored_password_logs_in_without_a_question(tmp_path: Path) -> None:
    """The value that is stored under `ssh user@name` is given, once on each connection, and nobody is asked."""
    door = Door(PASSWORD)
    async with open_door(tmp_path, door) as files:
        typist = Typist(drawer={NAME: PASSWORD})
        shell = shell_of(files, typist)
        await let_in(shell)
        await let_in(shell)
        assert typist.asked == []
        assert door.tried == [PASSWORD, PASSWORD]
        assert typist.right[0] == (NAME, PASSWORD, False)


async def test_a_wrong_stored_password_is_tried_once_and_then_a_person_is_asked(tmp_path: Path) -> None:
    """What the keyring had and the server refused is not sent again, now or in the next login; the question says so."""
    door = Door(PASSWORD)
    async with open_door(tmp_path, door) as files:
        typist = Typist([("typo",), ()], {NAME: "old one"})
        shell = shell_of(files, typist)
        error = await kept_out(shell)
        assert door.tried == ["old one", "typo"]
        assert [ask.kind for ask in typist.asked] == [LoginKind.PASSWORD] * 2
        assert typist.asked[0].again == "The password from the keyring (Test) was refused."
        assert typist.asked[1].again == "The password typed by anna was refused."
        assert (typist.asked[0].host, typist.asked[0].name) == ("old", NAME)
        assert "is not connected: no password was given" in error.title
        assert f"mailrunbook secret set '{NAME}'" in error.hint
        assert typist.wrong == ["old one", "typo"]
        typist.types.append((PASSWORD,))
        await let_in(shell)
        assert door.tried == ["old one", "typo", PASSWORD]


async def test_three_wrong_passwords_end_the_login(tmp_path: Path) -> None:
    """A person is asked three times at most: machines lock accounts."""
    door = Door(PASSWORD)
    async with open_door(tmp_path, door) as files:
        typist = Typist([("a",), ("b",), ("c",), (PASSWORD,)], keeps=True)
        error = await kept_out(shell_of(files, typist))
        assert door.tried == ["a", "b", "c"]
        assert "after 3 that were refused" in error.title
        assert typist.right == []


async def test_who_comes_while_a_person_is_asked_waits_for_that_answer(tmp_path: Path) -> None:
    """One question for all who want the host; a caller that gives up does not take the question away."""
    door = Door(PASSWORD)
    async with open_door(tmp_path, door) as files:
        typist = Typist([(PASSWORD,)])
        typist.awake.clear()
        shell = shell_of(files, typist)
        first = asyncio.create_task(shell.connect())
        await typist.called.wait()
        assert shell.link is Link.ASKING
        second = asyncio.create_task(shell.connect())
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        third = asyncio.create_task(shell.connect())
        typist.awake.set()
        async with asyncio.timeout(DEADLINE):
            await third
        assert len(typist.asked) == 1
        await shell.close()


async def test_closing_takes_the_question_away(tmp_path: Path) -> None:
    """Closed while a person is asked, who waits is told so in a sentence, and nothing more is sent."""
    door = Door(PASSWORD)
    async with open_door(tmp_path, door) as files:
        typist = Typist([(PASSWORD,)])
        typist.awake.clear()
        shell = shell_of(files, typist)
        waiting = asyncio.create_task(shell.connect())
        await typist.called.wait()
        await shell.close()
        with pytest.raises(HostError, match="closed before it was made"):
            await waiting
        assert shell.link is Link.IDLE
        assert door.tried == []


@pytest.fixture
def ended(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Is set when our side knows that a connection is over on which the person was asked."""
    noticed, waits = asyncio.Event(), Credentials.unanswered

    async def unanswered(credentials: Credentials) -> bool:
        noticed.set()
        return await waits(credentials)

    monkeypatch.setattr(Credentials, "unanswered", unanswered)
    return noticed


@pytest.mark.parametrize("by_the_server", [True, False])
async def test_an_answer_that_comes_late_is_used_on_a_new_connection(
    tmp_path: Path, ended: asyncio.Event, *, by_the_server: bool
) -> None:
    """Whoever ends the connection while the person is away, it is made again when they have typed, and once only."""
    door = Door(PASSWORD)
    async with open_door(tmp_path, door) as files:
        typist = Typist([(PASSWORD,)])
        typist.awake.clear()
        shell = shell_of(files, typist, hold_timeout=DEADLINE if by_the_server else 0.01)
        waiting = asyncio.create_task(shell.connect())
        await typist.called.wait()
        if by_the_server:
            door.cut()
        async with asyncio.timeout(DEADLINE):
            await ended.wait()
        assert door.connections == 1
        typist.awake.set()
        async with asyncio.timeout(DEADLINE):
            await waiting
        assert (door.connections, door.tried, len(typist.asked)) == (2, [PASSWORD], 1)
        await shell.close()


async def test_questions_in_steps(tmp_path: Path) -> None:
    """The stored password answers its prompt; a code is asked for, shown as it is wanted, never looked up or kept."""
    door = Door(steps=[
        ("Welcome \x1b[31m", [("Password: ", False)], lambda typed: typed == [PASSWORD]),
        ("Two things", [("Token:", True), ("One-time password:", False)], lambda typed: typed == ["7", "123456"]),
    ])  # fmt: skip
    async with open_door(tmp_path, door) as files:
        typist = Typist([("7", "123456")], {NAME: PASSWORD}, keeps=True)
        await let_in(shell_of(files, typist))
        (asked,) = typist.asked
        assert [(one.prompt, one.hidden, one.storable) for one in asked.fields] == [
            ("Token:", False, False), ("One-time password:", True, False),
        ]  # fmt: skip
        assert asked.name == ""
        assert asked.said.endswith("Two things")
        assert typist.right == [(NAME, PASSWORD, False)]
        assert set(typist.looked_up) == {NAME}


async def test_a_code_that_was_refused_is_asked_for_again(tmp_path: Path) -> None:
    """Nobody gives a code twice: after a wrong one the person is asked anew; the stored password is not sent again."""
    door = Door(steps=[
        ("", [("Password:", False)], lambda typed: typed == [PASSWORD]),
        ("", [("Verification code:", False)], lambda typed: typed == ["222222"]),
    ])  # fmt: skip
    async with open_door(tmp_path, door) as files:
        typist = Typist([("111111",), (PASSWORD,), ("222222",)], {NAME: PASSWORD})
        await let_in(shell_of(files, typist))
        assert [asked.fields[0].prompt for asked in typist.asked] == [
            "Verification code:", "Password:", "Verification code:",
        ]  # fmt: skip
        assert door.answered == [[PASSWORD], ["111111"], [PASSWORD], ["222222"]]


async def test_a_late_code_is_not_given_to_another_question(tmp_path: Path, ended: asyncio.Event) -> None:
    """When the server asks something else on the new connection, the person is asked that; the password goes again."""
    codes = iter(["Code 1:", "Code 2:"])
    door = Door(steps=[
        ("", [("Password:", False)], lambda typed: typed == [PASSWORD]),
        ("", [(next(codes), False)], lambda typed: typed == ["222222"]),
    ])  # fmt: skip
    async with open_door(tmp_path, door) as files:
        typist = Typist([("111111",), ("222222",)], {NAME: PASSWORD})
        typist.awake.clear()
        shell = shell_of(files, typist)
        waiting = asyncio.create_task(let_in(shell))
        await typist.called.wait()
        door.steps[1] = ("", [(next(codes), False)], door.steps[1][2])
        door.cut()
        async with asyncio.timeout(DEADLINE):
            await ended.wait()
        typist.awake.set()
        await waiting
        assert [asked.fields[0].prompt for asked in typist.asked] == ["Code 1:", "Code 2:"]
        assert door.answered == [[PASSWORD], [PASSWORD], ["222222"]]


@pytest.mark.parametrize("door", [
    Door(PASSWORD, expired=True),
    Door(steps=[("Expired.", [("(current) UNIX password: ", False)], lambda _: True)]),
    Door(steps=[("", [("New password: ", False), ("Retype new password: ", False)], lambda _: True)]),
], ids=["password", "current", "new"])  # fmt: skip
async def test_a_wanted_new_password_is_refused_in_a_sentence(tmp_path: Path, door: Door) -> None:
    """This program changes no password, whichever way the server asks for a new one."""
    async with open_door(tmp_path, door) as files:
        typist = Typist([], {NAME: PASSWORD})
        error = await kept_out(shell_of(files, typist))
        assert "wants a new password" in error.title
        assert "in another terminal" in error.hint
        assert typist.asked == []


async def test_a_server_that_asks_without_end_is_left(tmp_path: Path) -> None:
    """Neither many prompts nor many rounds keep a login going."""
    many = Door(steps=[("", [("Code:", False)] * 100, lambda _: True)])
    async with open_door(tmp_path / "many", many) as files:
        assert "refused the login" in (await kept_out(shell_of(files, Typist()))).title
    endless = Door(steps=[("", [("x" * 5000, False)], lambda _: False)])
    async with open_door(tmp_path / "endless", endless) as files:
        typist = Typist([("1",)] * 20)
        await kept_out(shell_of(files, typist))
        assert len(typist.asked) == 3
        assert len(typist.asked[0].fields[0].prompt) == 300


@pytest.mark.skipif(not shutil.which("ssh-keygen"), reason="ssh-keygen is not installed")
@pytest.mark.parametrize("public_half", [True, False])
async def test_a_locked_key_is_opened_when_the_server_takes_it(
    tmp_path: Path, server: Sshd, operator: KeyPair, *, public_half: bool
) -> None:
    """A key as ssh-keygen locks it: the file is named, a wrong passphrase asked for again, the right one kept."""
    pytest.importorskip("bcrypt")
    locked = tmp_path / "locked"
    shutil.copy(operator.private, locked)
    locked.chmod(0o600)
    command = ["ssh-keygen", "-q", "-p", "-N", PASSWORD, "-a", "1", "-f", str(locked)]
    assert await (await asyncio.create_subprocess_exec(*command, stdout=-3)).wait() == 0
    if public_half:
        (tmp_path / "locked.pub").write_text(operator.public)
    stranger = make_key(tmp_path, "stranger")
    files = write_ssh_files(tmp_path, operator, {"old.test": server})
    text = files.config.read_text().replace(str(operator.private), f"{stranger.private}\n  IdentityFile {locked}")
    files.config.write_text(text)
    typist = Typist([("typo",), (PASSWORD,)], {f"ssh-key {locked}": "old one"}, keeps=True)
    shell = shell_of(files, typist)
    await let_in(shell)
    assert [(one.kind, one.key_file, one.name) for one in typist.asked] == [
        (LoginKind.PASSPHRASE, str(locked), f"ssh-key {locked}")
    ] * 2
    assert typist.asked[0].again == "The passphrase from the keyring (Test) does not open the key."
    assert typist.wrong == ["old one", "typo"]
    assert typist.right == [(f"ssh-key {locked}", PASSWORD, True)]
    await let_in(shell)
    assert len(typist.asked) == 2


async def test_a_locked_key_that_the_server_does_not_want_is_never_asked_for(tmp_path: Path, server: Sshd) -> None:
    """No passphrase is asked for where it would not help; a PEM file that does not tell its public half asks first."""
    locked = make_key(tmp_path, "locked", passphrase=PASSWORD)
    typist = Typist([(PASSWORD,)])
    files = write_ssh_files(tmp_path, locked, {"old.test": server})
    error = await kept_out(shell_of(files, typist))
    assert typist.asked == []
    assert "1 key was offered" in error.detail
    (tmp_path / "locked.pub").unlink()
    await kept_out(shell_of(files, typist))
    assert [one.kind for one in typist.asked] == [LoginKind.PASSPHRASE]
    typist.types.append(())
    typist.drawer.clear()
    assert "no passphrase was given" in (await kept_out(shell_of(files, typist))).title
