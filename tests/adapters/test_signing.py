"""Signatures over a run's seal, with real ssh-keygen, ssh-agent and sha256sum; nothing asks, nothing hangs."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from runbook_tui.adapters import signing
from runbook_tui.adapters.runs import create_run
from runbook_tui.adapters.seals import add_transcript, put_signature, verify_run
from runbook_tui.adapters.signing import check, sign
from runbook_tui.core.errors import SigningError
from runbook_tui.core.seal import SIGNATURE_CHECK, SUMS_CHECK
from tests.support.journals import BOOT, START, HeldClock, opened, small_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NEEDED = ("ssh-keygen", "ssh-agent", "ssh-add", "sha256sum")
pytestmark = pytest.mark.skipif(not all(map(shutil.which, NEEDED)), reason="needs openssh-client and coreutils")
RUNBOOK = b"# Rotate the motd\n"
PASSPHRASE = "correct horse"
ON_A_TERMINAL = """
import fcntl, os, sys, termios
from pathlib import Path
from runbook_tui.adapters.signing import sign
from runbook_tui.core.errors import SigningError
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
try:
    sign(b"text", Path(sys.argv[1]), os.environ, Path("/nonexistent"))
except SigningError:
    print("refused")
"""
"""Takes its terminal for its own and signs with the key it is given, as the program does."""


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    """Have ssh-keygen make a key."""
    path.parent.mkdir(parents=True, exist_ok=True)
    more = ("-b", "2048") if kind == "rsa" else ()
    subprocess.run(["ssh-keygen", "-q", "-t", kind, *more, "-N", passphrase, "-f", path], check=True, timeout=60)
    return path


def fingerprint(key: Path) -> str:
    """Give what ssh-keygen says of a key."""
    said = subprocess.run(["ssh-keygen", "-l", "-f", key], check=True, capture_output=True, text=True, timeout=60)
    return said.stdout.split()[1]


def plain_environment() -> dict[str, str]:
    """Give an environment without an agent."""
    return {"PATH": os.environ["PATH"]}


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Run an agent that has no key yet; give the environment in which it is found."""
    path = tmp_path / "agent"
    process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.PIPE)
    try:
        if process.stdout is None:
            raise AssertionError("no pipe")
        process.stdout.readline()  # said once it listens
        yield plain_environment() | {"SSH_AUTH_SOCK": str(path)}
    finally:
        process.terminate()
        process.communicate(timeout=30)


def add(key: Path, agent: dict[str, str], *, confirm: bool = False) -> None:
    """Give a key to the agent."""
    flags = ("-q", "-c") if confirm else ("-q",)
    subprocess.run(["ssh-add", *flags, key], env=agent, check=True, timeout=60)


def sealed_run(tmp_path: Path) -> Path:
    """Make a closed run with an output and a transcript, sealed; give its folder."""
    with create_run(tmp_path / "state", RUNBOOK, "motd", {}, "r1", now=START) as folder:
        journal = folder.journal(HeldClock(), boot=BOOT)
        journal.append(opened(sha256=hashlib.sha256(RUNBOOK).hexdigest()))
        for event in small_run()[1:]:
            journal.append(event)
        writer = folder.outputs().writer("r1-1")
        writer.write(b"hi\n", "hi\n")
        writer.close()
        journal.seal()
        add_transcript(folder.path, "# Transcript\n")
        return folder.path


def stock(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run one of the README's commands in a run's folder, without this program."""
    return subprocess.run(
        ["/bin/sh", "-c", command], cwd=folder, capture_output=True, text=True, check=False, timeout=60
    )


def signed_run(tmp_path: Path, key: Path) -> Path:
    """Make a sealed run, signed with a key file."""
    folder = sealed_run(tmp_path)
    put_signature(folder, sign((folder / "SHA256SUMS").read_bytes(), key, plain_environment(), tmp_path).data)
    return folder


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_stock_tools_verify_a_signed_run(kind: str, tmp_path: Path) -> None:
    """Coreutils and OpenSSH alone vouch for every file of the run and for the key, whatever its kind."""
    key = make_key(tmp_path / "key", kind)
    folder = signed_run(tmp_path, key)
    sums = stock(SUMS_CHECK, folder)
    covered = {line.removesuffix(": OK") for line in sums.stdout.splitlines()}
    assert sums.returncode == 0, sums.stdout
    assert covered == {"events.jsonl", "runbook.md", "vars.json", "transcript.md", "output/r1-1.log"}
    good = stock(SIGNATURE_CHECK, folder)
    assert good.returncode == 0, good.stderr
    assert fingerprint(key) in good.stdout
    (tmp_path / "signers").write_text(f"ada {key.with_name('key.pub').read_text()}")
    verify = SIGNATURE_CHECK.replace("check-novalidate", f"verify -f {tmp_path}/signers -I ada")
    assert stock(verify, folder).returncode == 0
    ours = verify_run(folder)
    assert ours.ok
    assert any(fingerprint(key) in note for note in ours.notes)


@pytest.mark.parametrize("name", ["runbook.md", "vars.json", "events.jsonl", "transcript.md", "output/r1-1.log"])
def test_stock_tools_and_we_find_every_changed_file(name: str, tmp_path: Path) -> None:
    """A byte that changed in any file of the run is found by `sha256sum -c`, and by us, by name."""
    folder = sealed_run(tmp_path)
    data = bytearray((folder / name).read_bytes())
    data[len(data) // 2] ^= 1
    (folder / name).write_bytes(data)
    assert f"{name}: FAILED" in stock(SUMS_CHECK, folder).stdout
    found = verify_run(folder)
    assert not found.ok
    assert any(name in problem or "record" in problem for problem in found.problems)


def test_a_changed_seal_does_not_fit_its_signature(tmp_path: Path) -> None:
    """Who rewrites files and sums is found out by the signature, by ssh-keygen and by us."""
    folder = signed_run(tmp_path, make_key(tmp_path / "key"))
    seal = folder / "SHA256SUMS"
    (folder / "vars.json").write_bytes(b'{"a": "c"}\n')
    sums = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in ("vars.json",)}
    lines = seal.read_text().splitlines(keepends=True)
    lines = [f"{sums['vars.json']}  vars.json\n" if line.endswith("  vars.json\n") else line for line in lines]
    lines = ["# bytes 11 vars.json\n" if line.endswith(" vars.json\n") and line[0] == "#" else line for line in lines]
    seal.write_text("".join(lines))
    assert stock(SUMS_CHECK, folder).returncode == 0
    assert stock(SIGNATURE_CHECK, folder).returncode != 0
    assert verify_run(folder).problems == ("SHA256SUMS.sig is not a signature of this SHA256SUMS",)


def test_a_signature_for_another_purpose_does_not_count(tmp_path: Path) -> None:
    """A key that signed the same bytes as a file or a commit has not signed a run."""
    key, folder = make_key(tmp_path / "key"), sealed_run(tmp_path)
    subprocess.run(
        ["ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", key, folder / "SHA256SUMS"], check=True, timeout=60
    )
    assert stock(SIGNATURE_CHECK, folder).returncode != 0
    assert verify_run(folder).problems == ("SHA256SUMS.sig was made for another purpose than mailrunbook",)


def test_a_signature_made_by_hand_counts(tmp_path: Path) -> None:
    """What `ssh-keygen -Y sign` made in the run's folder is as good as ours."""
    key, folder = make_key(tmp_path / "key"), sealed_run(tmp_path)
    command = f"ssh-keygen -q -Y sign -n mailrunbook -f {key} SHA256SUMS"
    assert stock(command, folder).returncode == 0
    found = verify_run(folder)
    assert found.ok
    assert any(fingerprint(key) in note for note in found.notes)


@pytest.mark.parametrize(
    "made", [b"", b"junk", b"-----BEGIN SSH SIGNATURE-----\nU1NIU0lH\n-----END SSH SIGNATURE-----\n"]
)
def test_a_garbled_signature_is_a_problem_not_a_fault(made: bytes, tmp_path: Path) -> None:
    """What is no signature at all is said to be none."""
    folder = sealed_run(tmp_path)
    put_signature(folder, made)
    assert not verify_run(folder).ok


def test_a_signature_without_its_seal_is_a_problem(tmp_path: Path) -> None:
    """A seal that was taken away is noticed where its signature was left."""
    folder = signed_run(tmp_path, make_key(tmp_path / "key"))
    (folder / "SHA256SUMS").unlink()
    assert any("which it signs" in problem for problem in verify_run(folder).problems)


def test_a_new_seal_drops_the_old_signature(tmp_path: Path) -> None:
    """A run that is sealed anew is unsigned until it is signed, never signed wrongly."""
    folder = signed_run(tmp_path, make_key(tmp_path / "key"))
    add_transcript(folder, "# Another\n")
    assert not (folder / "SHA256SUMS.sig").exists()
    assert verify_run(folder).ok
    assert stock(SUMS_CHECK, folder).returncode == 0


def test_a_run_that_was_never_sealed_gets_no_transcript(tmp_path: Path) -> None:
    """Without a seal there is nothing a transcript could be added to."""
    folder = sealed_run(tmp_path)
    (folder / "SHA256SUMS").unlink()
    (folder / "transcript.md").unlink()
    add_transcript(folder, "# Transcript\n")
    assert not (folder / "transcript.md").exists()


def test_the_agents_first_key_signs(tmp_path: Path, agent: dict[str, str]) -> None:
    """With an agent its first key signs, though there is a key file, and though its own file is gone."""
    make_key(tmp_path / ".ssh" / "id_ed25519")
    first = make_key(tmp_path / "first", "ecdsa", "")
    wanted = fingerprint(first)
    add(first, agent)
    add(make_key(tmp_path / "second"), agent)
    first.unlink()
    made = sign(b"text", None, agent, tmp_path)
    assert made.key.split()[0] == wanted
    assert check(b"text", made.data).key == made.key


def test_without_agent_a_key_file_without_passphrase_signs(tmp_path: Path) -> None:
    """The first of the usual key files that can be read signs; one with a passphrase is passed over, unasked."""
    make_key(tmp_path / ".ssh" / "id_ed25519", passphrase=PASSPHRASE)
    usable = make_key(tmp_path / ".ssh" / "id_ecdsa", "ecdsa")
    assert sign(b"text", None, plain_environment(), tmp_path).key.split()[0] == fingerprint(usable)


def test_an_empty_agent_is_passed_over(tmp_path: Path, agent: dict[str, str]) -> None:
    """Where the agent has no key, a key file signs."""
    usable = make_key(tmp_path / ".ssh" / "id_ed25519")
    assert sign(b"text", None, agent, tmp_path).key.split()[0] == fingerprint(usable)


def test_without_any_key_it_says_what_was_looked_at(tmp_path: Path) -> None:
    """No key is an answer: the sentence names the agent, the folder, and how to sign by hand."""
    with pytest.raises(SigningError) as refused:
        sign(b"text", None, plain_environment(), tmp_path)
    assert "No agent is running" in refused.value.detail
    assert str(tmp_path / ".ssh") in refused.value.detail
    assert "ssh-keygen -Y sign" in refused.value.hint


def test_a_named_key_with_a_passphrase_signs_only_through_the_agent(tmp_path: Path, agent: dict[str, str]) -> None:
    """A passphrase is never asked for: without the agent the key is refused, with it the named key signs."""
    key = make_key(tmp_path / "key", passphrase=PASSPHRASE)
    other = make_key(tmp_path / "other")
    add(other, agent)
    for environment in (plain_environment(), agent):
        with pytest.raises(SigningError, match="cannot be used to sign"):
            sign(b"text", key, environment, tmp_path)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", PASSPHRASE, "-N", "", "-f", key], check=True, timeout=60)
    add(key, agent)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", PASSPHRASE, "-f", key], check=True, timeout=60)
    for named in (key, key.with_name("key.pub")):
        assert sign(b"text", named, agent, tmp_path).key.split()[0] == fingerprint(key)


def test_an_agent_that_refuses_or_is_gone_is_no_end(tmp_path: Path, agent: dict[str, str]) -> None:
    """A key whose use must be confirmed, where nobody can be asked, and a dead socket: a key file signs instead."""
    usable = make_key(tmp_path / ".ssh" / "id_ed25519")
    add(make_key(tmp_path / "asks"), agent, confirm=True)
    for environment in (agent, agent | {"SSH_AUTH_SOCK": str(tmp_path / "nothing")}):
        assert sign(b"text", None, environment, tmp_path).key.split()[0] == fingerprint(usable)


def test_an_agent_that_never_answers_is_given_up(
    tmp_path: Path, agent: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An agent that hangs costs a few seconds, not the evening."""
    monkeypatch.setattr(signing, "LIST_TIMEOUT", 0.2)
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "deaf"))
        deaf.listen()
        with pytest.raises(SigningError) as refused:
            sign(b"text", None, agent | {"SSH_AUTH_SOCK": str(tmp_path / "deaf")}, tmp_path)
    assert "did not answer" in refused.value.detail


def test_nothing_is_asked_at_the_terminal(tmp_path: Path, agent: dict[str, str]) -> None:
    """On a terminal, with a key whose passphrase nobody gave, no prompt is shown and the end comes by itself."""
    key = make_key(tmp_path / "key", passphrase=PASSPHRASE)
    master, slave = os.openpty()
    command = [sys.executable, "-c", ON_A_TERMINAL, str(key)]
    process = subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, env=agent)
    os.close(slave)
    shown = b""
    with contextlib.suppress(OSError):  # the terminal is gone when its last user is
        while piece := os.read(master, 4096):
            shown += piece
            if b"passphrase" in shown:
                process.kill()
    os.close(master)
    assert process.wait(60) == 0, shown
    assert shown.replace(b"\r", b"") == b"refused\n"


def test_a_machine_without_openssh_still_signs_with_a_key_file(tmp_path: Path) -> None:
    """Neither ssh-add nor ssh-keygen is needed for a key file; that they are missing is no fault."""
    usable = make_key(tmp_path / "usable")
    environment = {"PATH": str(tmp_path), "SSH_AUTH_SOCK": str(tmp_path / "nothing")}
    assert sign(b"text", usable, environment, tmp_path).key.split()[0] == fingerprint(usable)
    with pytest.raises(SigningError) as refused:
        sign(b"text", None, environment, tmp_path)
    assert "`ssh-add` cannot be run" in refused.value.detail
