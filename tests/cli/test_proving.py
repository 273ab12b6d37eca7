"""What a run leaves behind and what proves it: transcript, seal, signature, `verify` and a signed `export`."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from runbook_tui.adapters.seals import verify_run
from runbook_tui.cli import leaving
from runbook_tui.core.chain import canonical, read_records
from runbook_tui.core.errors import Refused
from runbook_tui.core.seal import SIGNATURE_CHECK, SUMS_CHECK
from runbook_tui.core.witness import witness_line
from tests.support.journals import foreign_line
from tests.support.talk import finished

if TYPE_CHECKING:
    from pathlib import Path

NEEDED = ("ssh-keygen", "sha256sum")
pytestmark = pytest.mark.skipif(not all(map(shutil.which, NEEDED)), reason="needs openssh-client and coreutils")
BOOK = """---
runbook: {version: 1}
---
# Small

## Do it

- Say something:

  ```sh {#say .run host=local}
  printf 'one\\ntwo\\n'
  ```

- Say more:

  ```sh {#more .run host=local}
  echo more
  ```
"""


def make_key(path: Path) -> Path:
    """Have ssh-keygen make a key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", path], check=True, timeout=60)
    return path


def ran(tmp_path: Path, *options: str, lines: str = "confirm\nyes\nquit\n") -> subprocess.CompletedProcess[str]:
    """Run the small book in line mode, with a home of the test's own."""
    book = tmp_path / "small.md"
    book.write_text(BOOK)
    return finished(
        "run", str(book), "--plain", "--run-id", "night", *options, state=tmp_path / "state", stdin=lines,
        more={"HOME": str(tmp_path)},
    )  # fmt: skip


def went_on(tmp_path: Path, lines: str) -> subprocess.CompletedProcess[str]:
    """Resume the run."""
    return finished(
        "resume", "night", "--plain", state=tmp_path / "state", stdin=lines, more={"HOME": str(tmp_path)}
    )  # fmt: skip


def verified(tmp_path: Path, *options: str, target: str = "night") -> subprocess.CompletedProcess[str]:
    """Verify the run."""
    return finished("verify", target, *options, state=tmp_path / "state")


def folder_of(tmp_path: Path) -> Path:
    """Give the run's folder."""
    return tmp_path / "state" / "runs" / "night"


def stock(command: str, folder: Path) -> int:
    """Run one of the commands of the README in the run's folder; give its exit code."""
    done = subprocess.run(["/bin/sh", "-c", command], cwd=folder, capture_output=True, check=False, timeout=60)
    return done.returncode


def test_a_run_is_left_sealed_and_signed_each_time(tmp_path: Path) -> None:
    """Paused and closed alike, stock tools and `verify` agree with what lies there, the transcript included."""
    make_key(tmp_path / ".ssh" / "id_ed25519")
    done = ran(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "SHA256SUMS is signed with the key SHA256:" in done.stderr
    folder = folder_of(tmp_path)
    for lines, standing in (("quit\n", "it was paused"), ("confirm\nyes\nquit\n", "This run is finished")):
        assert (stock(SUMS_CHECK, folder), stock(SIGNATURE_CHECK, folder)) == (0, 0)
        found = verified(tmp_path)
        assert found.returncode == 0, found.stdout
        assert "signed with the key SHA256:" in found.stdout
        assert went_on(tmp_path, lines).returncode == 0
        text = (folder / "transcript.md").read_text()
        head = read_records((folder / "events.jsonl").read_bytes()).records[-1].hash
        assert standing in text
        assert head in text.split("---", 1)[0]
    assert (stock(SUMS_CHECK, folder), stock(SIGNATURE_CHECK, folder)) == (0, 0)
    assert verified(tmp_path, target=str(folder / "SHA256SUMS.sig")).returncode == 0


def test_without_a_key_a_run_is_left_unsigned_and_said_so(tmp_path: Path) -> None:
    """Where there is no key the run ends as well as ever, and both the ending and `verify` say that it is unsigned."""
    done = ran(tmp_path)
    assert done.returncode == 0
    assert "Not signed: No SSH key was found to sign with." in done.stderr
    assert stock(SUMS_CHECK, folder_of(tmp_path)) == 0
    found = verified(tmp_path)
    assert found.returncode == 0
    assert "note: not signed" in found.stdout


def test_the_named_key_signs(tmp_path: Path) -> None:
    """`--sign-with` is preferred to the operator's usual key; one that is not there is refused before anything runs."""
    make_key(tmp_path / ".ssh" / "id_ed25519")
    named = make_key(tmp_path / "named")
    missing = ran(tmp_path, "--sign-with", str(tmp_path / "none"))
    assert missing.returncode == 2
    assert "there is no such file" in missing.stderr
    assert not folder_of(tmp_path).exists()
    assert ran(tmp_path, "--sign-with", str(named)).returncode == 0
    (tmp_path / "signers").write_text("ada " + named.with_name("named.pub").read_text())
    wanted = SIGNATURE_CHECK.replace("check-novalidate", f"verify -f {tmp_path}/signers -I ada")
    assert stock(wanted, folder_of(tmp_path)) == 0


def damaged(data: bytes, how: str) -> bytes:
    """Damage a journal of at least eight records."""
    lines = data.splitlines(keepends=True)
    match how:
        case "flipped":
            lines[3] = lines[3].replace(b'"seq"', b'"sEq"', 1)
        case "removed":
            del lines[3]
        case "swapped":
            lines[3], lines[4] = lines[4], lines[3]
        case "cut":
            lines = lines[:4]
        case "continued":
            lines = [*lines[:4], *lines[5:]]
        case "newer":
            lines = [*lines[:4], foreign_line(lines[3])]
    return b"".join(lines)


DAMAGE = {
    "flipped": "record 4 is bad",
    "removed": "record 4 is bad: record 5 stands in its place, and record 4 is nowhere",
    "swapped": "record 4 is bad: record 5 stands in its place, and record 4 behind it",
    "cut": "records 5 to ",
    "continued": "record 5 is bad",
    "newer": "record 5 was written by another version",
}


@pytest.mark.parametrize("how", DAMAGE)
def test_verify_names_the_damage(how: str, left: Path, tmp_path: Path) -> None:
    """Each kind of damage to a journal ends with 1 and names the first record that is not as it was."""
    shutil.copytree(left, tmp_path / "state")
    journal = folder_of(tmp_path) / "events.jsonl"
    journal.write_bytes(damaged(journal.read_bytes(), how))
    found = verify_run(folder_of(tmp_path))
    assert found.exit_code == 1
    assert any(line.startswith(f"problem: {DAMAGE[how]}") for line in found.lines("night")), found.problems


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the state folder of a run that was left half done and unsigned."""
    folder = tmp_path_factory.mktemp("left")
    assert ran(folder).returncode == 0
    return folder / "state"


def test_a_run_of_another_version_is_refused_not_half_read(left: Path, tmp_path: Path) -> None:
    """Neither `export` nor `resume` shows the half of a run that this version understands."""
    shutil.copytree(left, tmp_path / "state")
    journal = folder_of(tmp_path) / "events.jsonl"
    lines = journal.read_bytes().splitlines(keepends=True)
    body = json.loads(lines[0]) | {"version": "9.9"}
    body["hash"] = hashlib.sha256(canonical(body)).hexdigest()
    first = json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
    journal.write_bytes(first + foreign_line(first))
    for command in ("export", "resume"):
        done = finished(command, "night", state=tmp_path / "state")
        assert done.returncode == 4, done.stdout
        assert "another version" in done.stderr
        assert "version 9.9" in done.stderr
        assert done.stdout == ""


def test_an_edited_output_is_named_without_any_seal(left: Path, tmp_path: Path) -> None:
    """A run that was killed before its seal still tells which stretch of an output was changed."""
    shutil.copytree(left, tmp_path / "state")
    folder = folder_of(tmp_path)
    (folder / "SHA256SUMS").unlink()
    (folder / "output" / "night-1.log").write_bytes(b"one\ntw0\n")
    changed = "output/night-1.log is not what the journal recorded: bytes 0 to 7 were changed"
    assert verify_run(folder).problems == (changed,)


def test_a_hosts_witness_is_compared(left: Path, tmp_path: Path) -> None:
    """`--witness` takes a host's log from a file or from a pipe, and finds a journal that was cut without a seal."""
    shutil.copytree(left, tmp_path / "state")
    folder = folder_of(tmp_path)
    (folder / "SHA256SUMS").unlink()
    data = (folder / "events.jsonl").read_bytes()
    last = read_records(data).records[-1]
    line = f"Nov 23 14:15:01 old mailrunbook[812]: {witness_line('night', last.seq, last.hash)}\n"
    log = tmp_path / "log"
    log.write_text(line)
    assert verified(tmp_path, "--witness", str(log)).returncode == 0
    (folder / "events.jsonl").write_bytes(b"".join(data.splitlines(keepends=True)[:-1]))
    assert verify_run(folder).ok
    found = finished("verify", "night", "--witness", "-", state=tmp_path / "state", stdin=line)
    assert found.returncode == 1
    assert f"record {last.seq} was witnessed, but the journal ends at record {last.seq - 1}" in found.stdout
    missing = verified(tmp_path, "--witness", str(tmp_path / "none"))
    assert missing.returncode == 2


def test_an_exported_transcript_is_signed_when_asked(left: Path, tmp_path: Path) -> None:
    """`export --sign-with` puts a signature beside the file that stock ssh-keygen verifies; it needs a file."""
    key = make_key(tmp_path / "key")
    arguments = ("export", "night", "--sign-with", str(key))
    assert finished(*arguments, state=left).returncode == 2
    file = tmp_path / "night.md"
    done = finished(*arguments, "-o", str(file), state=left)
    assert done.returncode == 0, done.stderr
    assert stock(f"ssh-keygen -Y check-novalidate -n mailrunbook -s {file}.sig < {file}", tmp_path) == 0
    bad = finished("export", "night", "--sign-with", str(file), "-o", str(tmp_path / "x.md"), state=left)
    assert bad.returncode == 2
    assert not (tmp_path / "x.md").exists()


def test_a_transcript_that_cannot_be_made_spoils_nothing(
    left: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With outputs too long for it, or a transcript that fails, the run stays sealed and it is said."""
    shutil.copytree(left, tmp_path / "state")
    folder = folder_of(tmp_path)
    key = make_key(tmp_path / "key")

    def fails() -> str:
        raise Refused("no")

    said = leaving.leave(folder, fails, str(key))
    assert said[0] == "The transcript was not written: no"
    monkeypatch.setattr(leaving, "LARGEST", 3)
    said = leaving.leave(folder, fails, str(key))
    assert "there is much output" in said[0]
    assert "is signed" in said[1]
    assert (stock(SUMS_CHECK, folder), stock(SIGNATURE_CHECK, folder)) == (0, 0)


def test_a_paused_run_in_a_few_lines(left: Path, tmp_path: Path) -> None:
    """`status --short` names the last unfinished run and how to go on; it says nothing where there is none."""
    said = finished("status", "--short", state=left)
    assert said.returncode == 0
    assert "mailrunbook night: Small, 1 of 2 steps settled" in said.stdout
    assert "go on with: mailrunbook resume night" in said.stdout
    assert len(said.stdout.splitlines()) <= 5
    nothing = finished("status", "--short", state=tmp_path / "none")
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (0, "", "")
