"""The state folder: where it is, and every kind of folder that is not safe to keep a run in."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from runbook_tui.adapters.runs import create_run, list_runs, state_dir
from runbook_tui.core.errors import ExitCode, StateDirError
from tests.support.full_disk import small_disk
from tests.support.journals import START

ROOT = Path(__file__).parents[2]
AS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for another user")


def make(state: Path) -> Path:
    """Make a run in a state folder and let go of it."""
    with create_run(state, b"# t\n", "t", {}, now=START) as run:
        return run.path


def refused(state: Path) -> StateDirError:
    """Give the error with which making a run there is refused."""
    with pytest.raises(StateDirError) as caught:
        make(state)
    assert caught.value.exit_code is ExitCode.UNREACHABLE
    assert caught.value.hint
    return caught.value


def test_the_place_can_be_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """MAILRUNBOOK_STATE_DIR names the state folder; else it is the platform's; a relative one is made whole."""
    monkeypatch.chdir(tmp_path)
    assert state_dir({"MAILRUNBOOK_STATE_DIR": "here"}) == tmp_path / "here"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    monkeypatch.delenv("MAILRUNBOOK_STATE_DIR", raising=False)
    assert state_dir({"MAILRUNBOOK_STATE_DIR": ""}) == state_dir() == tmp_path / "xdg" / "mailrunbook"


def test_looking_for_runs_makes_nothing(tmp_path: Path) -> None:
    """Listing where nothing was ever stored gives no run and makes no folder."""
    assert list_runs(tmp_path / "state") == []
    assert not (tmp_path / "state").exists()


def test_an_empty_folder_of_ours_is_made_private(tmp_path: Path) -> None:
    """A readable but empty folder is taken and closed to others."""
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o775)
    make(state)
    assert stat.S_IMODE(state.stat().st_mode) == 0o700


def test_a_folder_with_other_things_keeps_its_mode(tmp_path: Path) -> None:
    """A folder that others use too is refused, not closed to them."""
    (tmp_path / "thesis.txt").write_text("long", encoding="ascii")
    tmp_path.chmod(0o755)
    assert "other things" in refused(tmp_path).title
    with pytest.raises(StateDirError):
        list_runs(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755


@pytest.mark.parametrize("below", ["", "runs"])
def test_a_symbolic_link_is_refused(tmp_path: Path, below: str) -> None:
    """A link in the place of the state folder or of its runs is refused, and where it points is said."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    link = tmp_path / "state" / below if below else tmp_path / "state"
    link.parent.mkdir(mode=0o700, exist_ok=True)
    link.symlink_to(elsewhere)
    error = refused(tmp_path / "state")
    assert "symbolic link" in error.title
    assert str(elsewhere) in error.detail
    assert list(elsewhere.iterdir()) == []
    with pytest.raises(StateDirError):
        list_runs(tmp_path / "state")


def test_a_dangling_link_and_a_file_are_refused(tmp_path: Path) -> None:
    """Neither a link to nothing nor a file is a state folder."""
    (tmp_path / "state").symlink_to(tmp_path / "nothing")
    assert "symbolic link" in refused(tmp_path / "state").title
    (tmp_path / "file").write_bytes(b"")
    assert "no folder" in refused(tmp_path / "file").title
    assert "no" in refused(tmp_path / "file" / "below").title


def test_a_folder_that_everybody_can_write_is_refused(tmp_path: Path) -> None:
    """Where anybody could have put something, nothing is kept and the mode stays as it was."""
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(0o1777)
    assert "Everybody can write" in refused(state).title
    assert stat.S_IMODE(state.stat().st_mode) == 0o1777


@AS_ROOT
def test_a_folder_of_somebody_else_is_refused(tmp_path: Path) -> None:
    """A folder that belongs to another user is refused, and both users are named."""
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    os.chown(state, 65534, 65534)
    error = refused(state)
    assert "belongs to somebody else" in error.title
    assert error.detail.endswith("belongs to nobody, and you are root")
    os.chown(state, 61234, 61234)
    assert "user 61234" in refused(state).detail


def test_a_read_only_disk_is_a_sentence(tmp_path: Path) -> None:
    """On a file system mounted read-only the reason is said, before and after the state folder is there."""
    with small_disk(tmp_path / "disk", 1024 * 1024) as disk:
        make(disk / "state")
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        assert "read-only" in refused(disk / "state").title
        assert "read-only" in refused(disk / "other").title
        assert list_runs(disk / "state") == []


@AS_ROOT
def test_a_folder_that_may_not_be_written_is_a_sentence(tmp_path: Path) -> None:
    """As an ordinary user, a place that may not be written is refused with the reason."""
    tmp_path.chmod(0o755)
    state = tmp_path / "state"
    (state / "runs").mkdir(parents=True)
    for folder in (state, state / "runs"):
        os.chown(folder, 65534, 65534)
    (state / "runs").chmod(0o500)
    script = (
        "import os, sys; from pathlib import Path; from datetime import UTC, datetime\n"
        "from runbook_tui.adapters.runs import create_run\n"
        "from runbook_tui.core.errors import StateDirError\n"
        "state = os.open(sys.argv[1], os.O_RDONLY); os.fchdir(state); os.setuid(65534)\n"
        "for name in ('state', 'fresh'):\n"
        "    try:\n        create_run(Path(name), b'', 't', {}, now=datetime.now(UTC))\n"
        "    except StateDirError as error:\n        print(error.title)\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert ran.stderr == ""
    assert ran.stdout.splitlines() == ["Cannot use the state folder: permission denied."] * 2
    assert stat.S_IMODE((state / "runs").stat().st_mode) == 0o500
