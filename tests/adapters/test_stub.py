"""The stub under the login shells and the kinds of sh that hosts have."""

from __future__ import annotations

import itertools
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runbook_tui.adapters.stub import (
    NOISE_LIMIT,
    Answer,
    AnswerReader,
    Call,
    identity_call,
    run_call,
    signal_call,
    who_answers,
)

LOGIN_SHELLS = [s for s in ("sh", "bash", "dash", "tcsh", "fish", "mksh") if shutil.which(s)]
KINDS = {"/bin/sh": "sh", "busybox sh": "busybox", "mksh": "mksh", "bash": "bash"}
INNER = [sh for sh, program in KINDS.items() if shutil.which(program)]


def execute(call: Call, login: str = "sh", payload: bytes | None = None) -> subprocess.CompletedProcess[bytes]:
    """Run a call as sshd does: the login shell with -c, in a session of its own."""
    given = call.payload if payload is None else payload
    return subprocess.run(
        [login, "-c", call.line], input=given, capture_output=True, start_new_session=True, check=False
    )


@pytest.mark.parametrize("login", LOGIN_SHELLS)
@pytest.mark.parametrize("sh", INNER)
def test_every_login_shell_runs_the_script_under_sh(login: str, sh: str) -> None:
    """The same line works in every login shell and kind of sh: output, order, status, standard input."""
    call = run_call("printf '%s\\n' 'é !x %y'; echo \"$LC_ALL\" >&2; cat; exit 7\n\n", b"data", sh=sh)
    done = execute(call, login)
    said = AnswerReader(call.nonce).feed(done.stdout)
    assert said is not None
    assert (said.answer, said.rest) == (Answer.STARTED, "é !x %y\nC\ndata".encode())
    assert int(said.text) > 1
    assert (done.returncode, done.stderr) == (7, b"")


@pytest.mark.parametrize("login", LOGIN_SHELLS)
@pytest.mark.parametrize("sh", INNER)
def test_every_login_shell_answers_who_it_is(login: str, sh: str) -> None:
    """The identity has user, host name and system: the kernel's name, and what distribution a Linux is."""
    call = identity_call(sh=sh)
    said = AnswerReader(call.nonce).feed(execute(call, login).stdout)
    assert said is not None
    asked = (["id", "-un"], ["uname", "-n"], ["uname", "-s"])
    user, name, kernel = (subprocess.check_output(c, text=True).strip() for c in asked)
    release = Path("/etc/os-release")
    lines = release.read_text().splitlines() if kernel == "Linux" and release.exists() else []
    distribution = next((line[3:].strip("\"'") for line in lines if line.startswith("ID=")), kernel)
    assert said.answer is Answer.IDENTITY
    assert who_answers(said.text) == (user, name, distribution.lower())


@pytest.mark.parametrize(
    ("text", "system"),
    [
        ("root old FreeBSD ID=freebsd", "freebsd"),
        ("root old FreeBSD", "freebsd"),
        ('root new Linux ID="Debian"', "debian"),
        ("root new Linux ID=ubuntu", "ubuntu"),
        ("root new Linux", "linux"),
        ("root old", ""),
    ],
)
def test_a_system_is_one_word(text: str, system: str) -> None:
    """The kernel's name is the system, and on Linux the distribution's id; nothing where nothing was said."""
    assert who_answers(text)[2] == system


@pytest.mark.parametrize("login", LOGIN_SHELLS)
@pytest.mark.parametrize("sh", INNER)
def test_every_login_shell_signals_a_group(login: str, sh: str) -> None:
    """The group of a pipeline is ended and counted as gone."""
    with subprocess.Popen(["/bin/sh", "-c", "sleep 600 | sleep 601"], start_new_session=True) as victim:
        call = signal_call(victim.pid, "TERM", sh=sh)
        said = AnswerReader(call.nonce).feed(execute(call, login).stdout)
        assert victim.wait(5) == -15
    assert said is not None
    assert (said.answer, said.text) == (Answer.ALIVE, "0")


def test_line_has_nothing_that_a_login_shell_reads_differently() -> None:
    """The line is ASCII without newline, history mark, backslash, and single quotes only around its program."""
    for call in (run_call("x"), run_call("x", b""), identity_call(), signal_call(99, "KILL")):
        assert call.line.isascii()
        assert not set(call.line) & set("\n!\\")
        assert call.line.count("'") == 2


@pytest.mark.parametrize("given", [None, b"some data"])
def test_script_cut_anywhere_never_runs(tmp_path: Path, given: bytes | None) -> None:
    """Cut at any place before the script's last byte, nothing of it runs and the reason is told."""
    witness = tmp_path / "ran"
    call = run_call(f"touch {witness}\ntouch {witness}\n", given)
    whole = len(call.payload) - len(given or b"")
    for cut in [*range(0, whole - 60, 97), *range(whole - 60, whole)]:
        done = execute(call, payload=call.payload[:cut])
        said = AnswerReader(call.nonce).feed(done.stdout)
        assert said is not None, cut
        assert said.answer in {Answer.TRUNCATED, Answer.NO_PROGRAM}, cut
        assert done.returncode in {92, 97}, cut
        assert not witness.exists(), cut


def test_script_with_a_changed_byte_never_runs(tmp_path: Path) -> None:
    """A script of the right length with another byte in it does not run: the checksum tells."""
    call = run_call(f"touch {tmp_path}/ran")
    done = execute(call, payload=call.payload[:-3] + b"rao")
    said = AnswerReader(call.nonce).feed(done.stdout)
    assert said is not None
    assert said.answer is Answer.TRUNCATED
    assert not list(tmp_path.iterdir())


def test_own_process_group_is_not_signalled() -> None:
    """A call never signals the group that it runs in itself."""
    program = 'read line; exec sh -c "$line"'
    with subprocess.Popen(["sh", "-c", program], stdin=-1, stdout=-1, start_new_session=True) as process:
        call = signal_call(process.pid, "KILL")
        output, _ = process.communicate(call.line.encode() + b"\n" + call.payload, 10)
    said = AnswerReader(call.nonce).feed(output)
    assert said is not None
    assert said.answer is Answer.REFUSED


def test_noise_of_a_login_shell_is_no_answer() -> None:
    """A banner before the answer, also one that looks like an answer or lacks a newline, is not mistaken for it."""
    reader = AnswerReader("abc")
    noise = b"MRB started 12\nMRB started 0000 77\nWelcome to the machine"
    assert reader.feed(noise) is None
    said = reader.feed(b"MRB started abc 42\nMRB started abc 43\n")
    assert said is not None
    assert (said.text, said.rest) == ("42", b"MRB started abc 43\n")
    assert reader.noise == noise.decode()


def test_endless_noise_is_not_kept() -> None:
    """A login shell that never stops talking costs no more than the limit."""
    reader = AnswerReader("abc")
    for _ in range(40):
        assert reader.feed(b"x" * 10_000) is None
    assert len(reader.noise) == NOISE_LIMIT


@given(st.binary(max_size=40), st.lists(st.integers(0, 90), max_size=6))
@settings(deadline=None)
def test_answer_is_found_however_it_is_cut(rest: bytes, cuts: list[int]) -> None:
    """The answer and the bytes after it come out the same, whatever pieces they arrive in."""
    data = b"hello\nMRB started 0123 77\n" + rest
    places = sorted({min(c, len(data)) for c in cuts} | {0, len(data)})
    reader, after, answer = AnswerReader("0123"), b"", None
    for start, end in itertools.pairwise(places):
        piece = data[start:end]
        if answer is None:
            if said := reader.feed(piece):
                answer, after = said.text, said.rest
        else:
            after += piece
    assert (answer, after) == ("77", rest)
