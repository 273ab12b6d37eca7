"""The host's SSH server behaves as OpenSSH's does, in both tiers."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest

from runbook_tui.demo.host import Tier
from tests.demo.isolation.places import Place, happen

PLACES = [Place(tier, is_nobody=False) for tier in Tier]
everywhere = pytest.mark.parametrize("place", PLACES, ids=str)


@everywhere
def test_keys_of_users_with_a_shell_open_the_door(place: Place) -> None:
    """Root and users log in with an authorized key; nologin users, strangers and other keys do not."""
    assert happen(place, "logins") == {
        "root": "in", "plop": "in", "mailnull": "refused", "stranger": "refused", "other key": "refused",
    }  # fmt: skip


@everywhere
def test_the_status_comes_after_the_last_output(place: Place) -> None:
    """All that a command wrote arrives, however slowly it is read, and then its status."""
    assert happen(place, "a_late_reader") == [440_008, "the end\n", 7]


@everywhere
def test_what_stays_in_the_background_holds_nobody(place: Place) -> None:
    """A background process that keeps the output open delays the end by about a second, and lives on."""
    status, took, alive = happen(place, "a_background_child")
    assert (status, alive) == (0, "alive")
    assert took < 5


@everywhere
def test_an_open_input_holds_nobody(place: Place) -> None:
    """A command ends although the client never closes its input."""
    assert happen(place, "an_open_input") == 3


@everywhere
def test_a_signal_is_reported_as_one(place: Place) -> None:
    """A command that a signal ended has no status but the signal's name."""
    assert happen(place, "a_signal") == "KILL"


@everywhere
def test_input_reaches_the_command_whole(place: Place) -> None:
    """A megabyte of input arrives, and its end."""
    assert happen(place, "input_is_fed").strip() == "1000000"


@everywhere
def test_a_terminal_is_the_host_s_own(place: Place) -> None:
    """With a terminal tty finds its name, and size and kind are the client's."""
    name, *rest = happen(place, "a_terminal").split()
    assert name.startswith("/dev/")
    assert rest == ["43", "132", "xterm"]


@everywhere
def test_a_cut_link_hangs_up_terminals_only(place: Place) -> None:
    """When the client goes, a command with a terminal ends; one without, or with its own session, goes on."""
    assert happen(place, "gone_clients") == {"terminal": "ended", "plain": "alive", "own session": "alive"}


@everywhere
def test_the_app_works_against_it(place: Place) -> None:
    """The app's shell says who it is, runs a step with its input as it was sent, and ends one from a second channel."""
    seen = happen(place, "the_app")
    assert seen == {
        "user": seen["user"], "exit": 0, "output": "this is old\nfrom input: /etc/motd\ngoing\n", "left": 0,
        "signal": "TERM", "made": True,
    }  # fmt: skip
    assert seen["user"]


@everywhere
def test_sftp_stays_on_the_host(place: Place) -> None:
    """Paths count from the home or the host's root; a link that leads out is not followed."""
    with tempfile.TemporaryDirectory(prefix="mrbprobe", dir="/var/tmp") as outside:
        assert happen(place, "files_by_sftp", outside) == ["one", "two", "three", "refused", "/root"]
        assert list(Path(outside).iterdir()) == []


@everywhere
@pytest.mark.skipif(not shutil.which("scp"), reason="no scp is installed")
def test_scp_succeeds_and_a_command_named_so_is_one(place: Place) -> None:
    """OpenSSH's scp ends with 0, and a step that begins with scp is run by the shell."""
    status, arrived, errors, own = happen(place, "scp_status")
    assert (status, arrived) == (0, "content"), errors
    assert own == "ran"


@everywhere
def test_faults_of_the_server(place: Place) -> None:
    """Another host key is refused by who knows the first; a stopped server keeps its connections until they are cut."""
    assert happen(place, "a_changed_key") == ["not the key", "nobody listens", "still there"]
