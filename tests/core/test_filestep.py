"""File steps: new content, and the sh that reads, writes and restores, run by a real /bin/sh."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from runbook_tui.core import filestep
from runbook_tui.core.cksum import cksum
from runbook_tui.core.errors import Refused
from runbook_tui.core.model import FileChange, FileMode


def sh(script: str, home: Path, stdin: bytes = b"", shell: str = "/bin/sh") -> subprocess.CompletedProcess[bytes]:
    """Run a script as a host would, with a home of its own."""
    env = {"HOME": str(home), "PATH": os.environ["PATH"], "LC_ALL": "C"}
    return subprocess.run([shell, "-c", script], input=stdin, capture_output=True, env=env, check=False)


def look(path: Path, home: Path) -> filestep.FileSeen:
    """Read a file as a proposal does."""
    return filestep.parse_seen(sh(filestep.read_script(str(path)), home).stdout, str(path))


def write(
    change: FileChange, seen: filestep.FileSeen, content: bytes, home: Path, shell: str = "/bin/sh"
) -> subprocess.CompletedProcess[bytes]:
    """Write as attempt r-1 of run r."""
    return sh(filestep.write_script(change, seen, cksum(content), "r", "r-1"), home, content, shell)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Give an empty home."""
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.mark.parametrize("size", [0, 1, 255, 256, 65_536])
def test_cksum_is_that_of_the_tool(size: int) -> None:
    """Our checksum is the one cksum(1) prints."""
    data = os.urandom(size)
    said = subprocess.run(["cksum"], input=data, capture_output=True, check=True).stdout
    assert said.decode().strip() == cksum(data)


def test_a_file_is_seen_with_its_bytes_owner_and_mode(tmp_path: Path, home: Path) -> None:
    """The look at a file gives every byte, also those that are no text and no newline at the end."""
    target = tmp_path / "it's a file"
    target.write_bytes(b"\x00\xff\nno newline")
    target.chmod(0o640)
    seen = look(target, home)
    assert (seen.content, seen.perms[:10], seen.uid) == (b"\x00\xff\nno newline", "-rw-r-----", str(os.getuid()))
    assert (seen.path, seen.sum) == (str(target), cksum(target.read_bytes()))


def test_a_symbolic_link_leads_to_its_file(tmp_path: Path, home: Path) -> None:
    """Writing through a link changes the file, and the link stays a link."""
    target, link = tmp_path / "real", tmp_path / "link"
    target.write_text("old\n")
    link.symlink_to(target)
    seen = look(link, home)
    change = FileChange(path=str(link), mode=FileMode.REPLACE)
    assert write(change, seen, b"new\n", home).returncode == 0
    assert link.is_symlink()
    assert target.read_text() == "new\n"


def test_a_directory_is_refused(tmp_path: Path, home: Path) -> None:
    """A directory is no file that a step could change."""
    with pytest.raises(Refused, match="is a directory"):
        look(tmp_path, home)


def test_a_file_too_large_to_show_is_refused(tmp_path: Path, home: Path) -> None:
    """A change that cannot be shown is not made."""
    target = tmp_path / "large"
    target.write_bytes(b"x" * (filestep.LARGEST_FILE + 1))
    with pytest.raises(Refused, match="too large"):
        look(target, home)


def test_a_missing_folder_is_named(tmp_path: Path, home: Path) -> None:
    """A file in a folder that is not there is refused before anything is written."""
    with pytest.raises(Refused, match="folder of"):
        look(tmp_path / "none" / "file", home)


def test_mode_and_backup_are_kept(tmp_path: Path, home: Path) -> None:
    """A replaced file keeps its mode, and the old one lies in the run's folder."""
    target = tmp_path / "main.cf"
    target.write_text("a = 1\n")
    target.chmod(0o604)
    done = write(FileChange(path=str(target), mode=FileMode.REPLACE), look(target, home), b"a = 2\n", home)
    assert done.returncode == 0, done.stdout
    assert target.read_text() == "a = 2\n"
    assert target.stat().st_mode & 0o777 == 0o604
    assert (home / "mailrunbook/r/r-1/before").read_text() == "a = 1\n"
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".mailrunbook")] == []


@pytest.mark.parametrize("name", ["before", "absent"])
def test_a_backup_of_another_run_is_not_mixed_up(name: str, tmp_path: Path, home: Path) -> None:
    """A run of the same name that was here before left one: an undo would bring its file back, or remove this one."""
    target, kept = tmp_path / "main.cf", home / "mailrunbook/r/r-1" / name
    target.write_text("a = 1\n")
    kept.parent.mkdir(parents=True)
    kept.write_text("theirs")
    done = write(FileChange(path=str(target), mode=FileMode.REPLACE), look(target, home), b"a = 2\n", home)
    assert done.returncode == filestep.EXIT_FAILED
    assert f"{kept} is there from another run of this name; nothing was changed" in done.stdout.decode()
    assert (target.read_text(), kept.read_text()) == ("a = 1\n", "theirs")


def test_a_new_file_gets_the_given_mode(tmp_path: Path, home: Path) -> None:
    """`perm=` is set before the file is in its place."""
    target = tmp_path / "new"
    change = FileChange(path=str(target), mode=FileMode.CREATE, perm="0600")
    assert write(change, look(target, home), b"x\n", home).returncode == 0
    assert target.stat().st_mode & 0o777 == 0o600


def test_a_file_changed_since_it_was_shown_is_left_alone(tmp_path: Path, home: Path) -> None:
    """What was confirmed was a change of the file as shown; another file is not touched."""
    target = tmp_path / "file"
    target.write_text("one\n")
    seen = look(target, home)
    target.write_text("two\n")
    done = write(FileChange(path=str(target), mode=FileMode.REPLACE), seen, b"three\n", home)
    assert done.returncode == filestep.EXIT_CHANGED
    assert target.read_text() == "two\n"


def test_content_that_did_not_arrive_whole_changes_nothing(tmp_path: Path, home: Path) -> None:
    """A cut while the content is sent leaves the file as it was, and nothing beside it."""
    target = tmp_path / "file"
    target.write_text("one\n")
    script = filestep.write_script(
        FileChange(path=str(target), mode=FileMode.REPLACE), look(target, home), cksum(b"whole content\n"), "r", "r-1"
    )
    assert sh(script, home, b"whole con").returncode == filestep.EXIT_FAILED
    assert target.read_text() == "one\n"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["file", "home"]


@pytest.mark.parametrize("there", [True, False])
def test_a_failed_validate_puts_the_old_state_back(there: bool, tmp_path: Path, home: Path) -> None:
    """When `validate` says no, the file is as before: with its old content, or gone again."""
    target = tmp_path / "file"
    if there:
        target.write_text("good\n")
    change = FileChange(path=str(target), mode=FileMode.REPLACE, validate=f"grep -q good {target}")
    done = write(change, look(target, home), b"bad\n", home)
    assert done.returncode == filestep.EXIT_INVALID
    assert target.exists() == there
    assert b"as it was before" in done.stdout
    if there:
        assert target.read_text() == "good\n"


@pytest.mark.parametrize("there", [True, False])
def test_undo_restores_the_backup(there: bool, tmp_path: Path, home: Path) -> None:
    """The way back of a file step brings back the old file, or the absence of one."""
    target = tmp_path / "file"
    if there:
        target.write_text("before\n")
    change = FileChange(path=str(target), mode=FileMode.REPLACE)
    assert write(change, look(target, home), b"after\n", home).returncode == 0
    backup = filestep.parse_seen(sh(filestep.backup_read_script("r", "r-1"), home).stdout, "backup")
    undone = sh(filestep.restore_script(look(target, home), backup, "r", "r-1", "r-2"), home)
    assert undone.returncode == 0, undone.stdout
    assert target.exists() == there
    assert (home / "mailrunbook/r/r-1/undone").read_text() == "after\n"
    if there:
        assert target.read_text() == "before\n"


@pytest.mark.parametrize("shell", ["dash", "bash", "mksh", "busybox"])
def test_every_sh_writes_and_restores(shell: str, tmp_path: Path, home: Path) -> None:
    """The scripts are POSIX sh: whichever shell a host has as /bin/sh, the file changes and comes back."""
    if not shutil.which(shell):
        pytest.skip(f"{shell} is not installed")
    target = tmp_path / "file"
    target.write_text("before\n")
    path = shutil.which(shell) or shell
    if shell == "busybox":
        path = str(tmp_path / "sh")
        Path(path).symlink_to(shutil.which("busybox") or "")
    change = FileChange(path=str(target), mode=FileMode.REPLACE, perm="0644", validate="true")
    assert write(change, look(target, home), b"after\n", home, path).returncode == 0
    assert target.read_text() == "after\n"
    backup = filestep.parse_seen(sh(filestep.backup_read_script("r", "r-1"), home, shell=path).stdout, "backup")
    script = filestep.restore_script(look(target, home), backup, "r", "r-1", "r-2")
    assert sh(script, home, shell=path).returncode == 0
    assert target.read_text() == "before\n"


def test_no_backup_is_no_undo(home: Path) -> None:
    """An attempt that wrote nothing has no backup, and the undo says so."""
    with pytest.raises(Refused, match="no backup"):
        filestep.parse_seen(sh(filestep.backup_read_script("r", "r-9"), home).stdout, "backup")


@pytest.mark.parametrize(
    ("old", "block", "new"),
    [
        ("a = 1\nb = 2\n", "b = 3\n", "a = 1\nb = 3\n"),
        ("a = 1", "c = 3\n", "a = 1\nc = 3\n"),
        ("a = 1\n  more\nb = 2\n", "a = 9\n", "a = 9\nb = 2\n"),
        ("#a = 1\na=2\n", "a = 3\n", "#a = 1\na = 3\n"),
        ("a = 1\na = 2\n", "a = 3\n", "a = 1\na = 3\n"),
        ("a = 1\n", "# why\n\na = 2\n  and 3\n", "a = 2\n  and 3\n"),
        ("ab = 1\n", "a = 2\n", "ab = 1\na = 2\n"),
    ],
)
def test_set_changes_keys_in_place(old: str, block: str, new: str) -> None:
    """`mode=set` changes the lines of its keys, continuation lines with them, and nothing else."""
    assert filestep.set_keys(old, block) == new


def test_set_refuses_what_is_no_setting() -> None:
    """A block for `set` with another kind of line is refused, not appended."""
    with pytest.raises(Refused, match="line 2"):
        filestep.set_keys("a = 1\n", "a = 2\nservice imap {\n")


def test_create_never_touches_an_existing_file(tmp_path: Path, home: Path) -> None:
    """`mode=create` on a file that is there is refused before anything is sent."""
    target = tmp_path / "file"
    target.write_text("mine\n")
    with pytest.raises(Refused, match="exists already"):
        filestep.new_content(look(target, home), FileChange(path=str(target), mode=FileMode.CREATE), "x\n")


def test_append_completes_the_last_line(tmp_path: Path, home: Path) -> None:
    """`mode=append` begins on a line of its own."""
    target = tmp_path / "file"
    target.write_bytes(b"no newline \xff")
    made = filestep.new_content(look(target, home), FileChange(path=str(target), mode=FileMode.APPEND), "more\n")
    assert made == b"no newline \xff\nmore\n"


def test_home_is_the_login_s(tmp_path: Path, home: Path) -> None:
    """A path that begins with ~/ lies in the home of the login, whatever else is in its name."""
    (home / "a b").mkdir()
    seen = filestep.parse_seen(sh(filestep.read_script("~/a b/it's"), home).stdout, "x")
    assert seen.path == str(home / "a b" / "it's")
    assert tmp_path in home.parents
