"""The keyring adapter against a real gnome-keyring: kept, locked, frozen, killed, never unlocked."""

from __future__ import annotations

import os
import signal
import time
from typing import TYPE_CHECKING

import pytest

from runbook_tui.adapters.keyring import Keyring, NotKeptError
from runbook_tui.adapters.keyring_backends import Chosen
from runbook_tui.core.secret import Secret
from tests.support import keyrings
from tests.support.keyrings import KeyringSession
from tests.support.plaintext_keyring import PlaintextKeyring

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

with_gnome_keyring = pytest.mark.skipif(bool(keyrings.MISSING), reason=keyrings.WHY_SKIPPED)
FRAME = 0.25
"""Seconds the event loop may be held up on a machine that runs other tests: a frozen keyring would take 1.5."""


@pytest.fixture
def session(tmp_path: Path) -> Iterator[KeyringSession]:
    """Give a session with an unlocked keyring."""
    with KeyringSession(tmp_path / "home") as session:
        yield session


@with_gnome_keyring
@pytest.mark.parametrize("value", ["the_PassWord", "pässwörd ‹€› 鍵", "two\nlines\n", " blanks 'and' \"quotes\" "])  # noqa: RUF001
def test_a_value_is_kept_as_it_is(session: KeyringSession, value: str) -> None:
    """What is stored comes back byte for byte, can be replaced and deleted, and None means not stored."""
    with session.caller() as caller:
        assert caller.do("get")["value"] is None
        assert caller.do("set", value="another")["value"]
        assert caller.do("set", value=value)["value"]
        got = caller.do("get")
        assert (got["value"], got["source"]) == (value, "the keyring (Secret Service)")
        assert caller.do("delete")["value"] is True
        assert caller.do("delete")["value"] is False
        assert caller.do("get")["value"] is None


@with_gnome_keyring
def test_a_locked_keyring_says_so_and_is_left_alone_until_the_operator_says(session: KeyringSession) -> None:
    """Locked is a sentence at once; it is not asked again by itself, as that would open the desktop's question."""
    with session.caller() as caller:
        caller.do("set", value="kept")
        session.lock()
        locked = caller.do("get")
        assert (locked["error"], locked["title"]) == ("KeyringLockedError", "The keyring is locked (Secret Service)")
        os.kill(session.daemon.pid, signal.SIGKILL)
        session.daemon.wait()
        session.daemon = session.unlock()
        assert caller.do("get")["error"] == "KeyringLockedError"
        caller.do("ask_again")
        assert caller.do("get")["value"] == "kept"


@with_gnome_keyring
def test_a_frozen_keyring_is_given_up_and_holds_nothing_up(session: KeyringSession) -> None:
    """A stopped daemon is given up after the patience while the loop runs on; then it is refused at once."""
    with session.caller(patience=1.5) as caller:
        caller.do("set", value="kept")
        os.kill(session.daemon.pid, signal.SIGSTOP)
        silent = caller.do("get")
        assert (silent["error"], silent["title"]) == ("KeyringSilentError", "The keyring is not answering")
        assert 1.4 < silent["seconds"] < 6
        assert silent["stall"] < FRAME
        again = caller.do("get")
        assert again["error"] == "KeyringSilentError"
        assert again["seconds"] < FRAME
        os.kill(session.daemon.pid, signal.SIGCONT)
        caller.do("ask_again")
        assert caller.do("get")["value"] == "kept"


@with_gnome_keyring
def test_a_caller_that_gives_up_first_does_not_hide_the_silence(session: KeyringSession) -> None:
    """When a check's own time is up before the keyring's, the keyring is found silent all the same."""
    with session.caller(patience=3) as caller:
        caller.do("set", value="kept")
        os.kill(session.daemon.pid, signal.SIGSTOP)
        assert caller.do("impatient", value="2")["value"] == "gave up"
        silent = caller.do("get")
        assert silent["error"] == "KeyringSilentError"
        assert silent["seconds"] < 2
        os.kill(session.daemon.pid, signal.SIGCONT)


@with_gnome_keyring
def test_the_program_ends_while_a_keyring_hangs(session: KeyringSession) -> None:
    """A call that never returns does not keep the program from ending."""
    with session.caller(patience=0.5) as caller:
        caller.do("set", value="kept")
        os.kill(session.daemon.pid, signal.SIGSTOP)
        assert caller.do("get")["error"] == "KeyringSilentError"
        before = time.monotonic()
    assert time.monotonic() - before < 5


@with_gnome_keyring
def test_a_keyring_killed_in_the_middle_comes_back_locked(session: KeyringSession) -> None:
    """The bus starts the killed daemon anew, locked: a sentence, not a value and not a hang."""
    with session.caller() as caller:
        caller.do("set", value="kept")
        os.kill(session.daemon.pid, signal.SIGKILL)
        session.daemon.wait()
        died = caller.do("get")
        assert died["error"] in {"KeyringLockedError", "KeyringFailedError"}
        assert died["stall"] < FRAME


@with_gnome_keyring
def test_a_question_that_nobody_can_see_is_a_sentence(session: KeyringSession) -> None:
    """A keyring without a collection asks for a new password on the desktop; where there is none, that is said."""
    os.kill(session.daemon.pid, signal.SIGKILL)
    session.daemon.wait()
    for file in (session.path / ".local/share/keyrings").iterdir():
        file.unlink()
    with session.caller() as caller:
        said = caller.do("get")
        assert (said["error"], said["title"]) == (
            "KeyringClosedError", "The keyring could not be opened (Secret Service)",
        )  # fmt: skip


class Liar(PlaintextKeyring):
    """Says that it stored a password, and gives back what is not it."""

    def get_password(self, service: str, username: str) -> str | None:
        """Give half of it, or nothing."""
        del service
        return None if username == "lost" else "the_Pass"

    def set_password(self, service: str, username: str, password: str) -> None:
        """Keep nothing."""


@pytest.mark.parametrize("name", ["lost", "cut"])
async def test_what_does_not_come_back_was_not_stored(name: str) -> None:
    """A backend that loses or changes a value is found out by reading it back."""
    keyring = Keyring()
    keyring._chosen = Chosen(Liar(), "liar")
    with pytest.raises(NotKeptError, match=f"did not keep {name}"):
        await keyring.set(Secret(name, "the_PassWord"))


async def test_a_broken_backend_is_a_sentence_without_the_value() -> None:
    """What a backend raises while it stores is said by its class alone: its text may quote the value."""

    class Broken(Liar):
        def set_password(self, service: str, username: str, password: str) -> None:
            raise OSError(f"cannot send {service} {username} {password}")

    keyring = Keyring()
    keyring._chosen = Chosen(Broken(), "broken")
    with pytest.raises(Exception, match="The keyring broke off") as caught:
        await keyring.set(Secret("imap plop", "the_PassWord"))
    assert "the_PassWord" not in str(caught.value)
    assert "OSError" in str(caught.value)
