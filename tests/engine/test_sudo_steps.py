"""sudo in a step asks what is stored once, then the person; what was given is told, never what it was."""

from __future__ import annotations

import asyncio
import os
import pwd
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from runbook_tui.core.markdown import read
from runbook_tui.core.model import LOCAL, Verify
from runbook_tui.core.run import Status, Verb
from runbook_tui.core.secret import Secret
from runbook_tui.ports import LoginAnswer, LoginKind
from tests.core.builders import a_runbook, an_action
from tests.support.bench import Bench, confirm, eventually
from tests.support.typist import Typist

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_tui.core.model import Action

RIGHT, WRONG = "canary-right-51c9", "canary-wrong-51c9"
FAKE = """#!/bin/sh
n=0
[ "$1" = -A ] && shift
while [ $n -lt 3 ]; do
p=$("$SUDO_ASKPASS" "[sudo] password for $USER: ") || { echo "sudo: no password was provided"; exit 1; }
if [ "$p" = "$(cat "${0%/*}/password")" ]; then
while [ $# -gt 0 ]; do case $1 in -u) shift 2 ;; --) shift; break ;; -*) shift ;; *) break ;; esac; done
exec "$@"
fi
echo "Sorry, try again."
n=$((n+1))
done
echo "sudo: 3 incorrect password attempts"; exit 1
"""
"""Asks as the real one does, which tests/lab has."""


@pytest.fixture(autouse=True)
def outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A HOME for the jobs, and a sudo that knows one password, which no file within the tested folders has."""
    home, tools = tmp_path / "home", tmp_path / "tools"
    home.mkdir()
    tools.mkdir()
    (tools / "sudo").write_text(FAKE)
    (tools / "sudo").chmod(0o755)
    (tools / "password").write_text(RIGHT)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("MAILRUNBOOK_STATE_DIR", str(home / "state"))
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")


def bench_of(tmp_path: Path, typist: Typist | None, text: str = "sudo echo it ran") -> Bench:
    """Make a bench for one step on this machine."""
    runbook = a_runbook(an_action("a", text, host=LOCAL))
    hosts = {LOCAL: runbook.hosts[LOCAL]}
    return Bench(replace(runbook, hosts=hosts), tmp_path / "home/runs", asker=typist)


def drawer(value: str) -> dict[str, str]:
    """Give a drawer with this password for sudo on this machine."""
    return {f"sudo {_me()}@localhost": value}


def _me() -> str:
    return pwd.getpwuid(os.getuid()).pw_name


async def run(bench: Bench, tmp_path: Path) -> tuple[Status, str]:
    """Confirm the step; give its state and the transcript, and look that no file has a password."""
    async with bench.engine() as engine:
        await engine.consent()
        status = await confirm(engine, "a")
        said = engine.export("md")
    bench.leave()
    found = [p for p in (tmp_path / "home").rglob("*") if p.is_file() and b"-51c9" in p.read_bytes()]
    assert found == []
    return status, said


async def test_what_is_stored_is_given_by_itself(tmp_path: Path) -> None:
    """Nobody is asked, and the transcript says whence it came."""
    typist = Typist(drawer=drawer(RIGHT))
    status, said = await run(bench_of(tmp_path, typist), tmp_path)
    assert status is Status.DONE, said
    assert typist.asked == []
    assert [right for _, right, _ in typist.right] == [RIGHT]
    assert "the password from the keyring (Test) was given" in said
    assert "password for" in said


async def test_the_second_question_is_the_persons(tmp_path: Path) -> None:
    """A stored password that is wrong goes out once; the person hears which step wants what, and is right."""
    typist = Typist([(RIGHT,)], drawer(WRONG))
    status, said = await run(bench_of(tmp_path, typist), tmp_path)
    assert status is Status.DONE, said
    (wanted,) = typist.asked
    assert (wanted.kind, wanted.host, wanted.name) == (LoginKind.SUDO, LOCAL, f"sudo {_me()}@localhost")
    assert wanted.fields[0].prompt.startswith("[sudo] password for")
    assert "was not taken" in wanted.again
    assert "night-1" in wanted.again
    assert (typist.wrong, [right for _, right, _ in typist.right]) == ([WRONG], [RIGHT])


async def test_another_sudo_of_the_command_asks_the_person(tmp_path: Path) -> None:
    """The stored password goes out once a job, also where the first sudo took it; the first was right all the same."""
    typist = Typist([(RIGHT,)], drawer(RIGHT))
    status, said = await run(bench_of(tmp_path, typist, "sudo echo one\nsudo echo two"), tmp_path)
    assert status is Status.DONE, said
    (wanted,) = typist.asked
    assert "question 2" in wanted.again
    assert "not taken" not in wanted.again
    assert typist.wrong == []


async def test_three_wrong_passwords_end_the_step(tmp_path: Path) -> None:
    """Each is asked of the person; none is taken for right."""
    typist = Typist([(WRONG,), (WRONG + "2",), (WRONG + "3",)])
    status, said = await run(bench_of(tmp_path, typist), tmp_path)
    assert (status, len(typist.asked), typist.right) == (Status.FAILED, 3, [])
    assert "3 incorrect password attempts" in said


@pytest.mark.parametrize("typist", [Typist([()]), None])
async def test_a_cancelled_question_ends_the_job(tmp_path: Path, typist: Typist | None) -> None:
    """What comes after sudo does not run without it; nobody to ask is the same."""
    bench = bench_of(tmp_path, typist, f"sudo true || sleep 100\ntouch {tmp_path}/ran")
    status, said = await run(bench, tmp_path)
    assert status is Status.STOPPED, said
    assert "nobody gave a password" in said
    assert not (tmp_path / "ran").exists()


async def test_a_question_waits_for_its_person(tmp_path: Path) -> None:
    """While nobody types, the step runs on and may be stopped; the sitting ends in order."""
    typist = Typist([(RIGHT,)])
    typist.awake.clear()
    async with bench_of(tmp_path, typist).engine() as engine:
        await engine.consent()
        proposal = await engine.propose("a", Verb.CONFIRM)
        await engine.confirm(proposal, proposal.wants)
        async with asyncio.timeout(60):
            await typist.called.wait()
        await eventually(lambda: engine.activity is not None and engine.activity.stage == "running", 60)
        typist.awake.set()
        await engine.idle()
        assert engine.state.of("a").status is Status.DONE


async def test_who_attends_the_logins_answers_sudo_too(tmp_path: Path) -> None:
    """What was typed and right is given by itself in the next step of this sitting."""
    async with bench_of(tmp_path, None).engine() as engine:
        engine.logins.attend()
        await engine.consent()
        proposal = await engine.propose("a", Verb.CONFIRM)
        await engine.confirm(proposal, proposal.wants)
        await eventually(lambda: engine.logins.waiting is not None, 60)
        question = engine.logins.waiting
        assert question is not None
        assert question.wanted.sentence == f"sudo on {_me()}@localhost wants a password."
        engine.logins.give(question, LoginAnswer((Secret("typed", RIGHT),)))
        await engine.idle()
        assert engine.state.of("a").status is Status.DONE
        assert await confirm(engine, "a", Verb.RETRY) is Status.DONE
        said = engine.export("md")
        assert said.count("the password from typed by ada was given") == 2
        assert "51c9" not in said


def actions_of(block: str) -> list[Action]:
    """Give the actions of a runbook with this block."""
    head = "---\nrunbook:\n  version: 1\n  hosts: {new: {ssh: ada@new.test}}\n---\n# Move\n\n## Do it\n\n"
    head += "1. Do <!-- step: #a host=new -->\n\n"
    book = read((head + block).encode())
    assert not book.errors, book.errors
    return list(book.actions())


async def test_another_user_is_had_by_sudo_and_shown(tmp_path: Path) -> None:
    """`sudo=yes` and `user=` make one sudo of the whole step, which is what is confirmed."""
    bench = bench_of(tmp_path, Typist(drawer=drawer(RIGHT)))
    action = an_action("a", "echo 'it'\necho ran", host=LOCAL, become="nobody")
    bench.runbook = replace(a_runbook(action), hosts=bench.runbook.hosts)
    async with bench.engine() as engine:
        await engine.consent()
        proposal = await engine.propose("a", Verb.CONFIRM)
        assert proposal.command.startswith("sudo -H -u nobody -- /bin/sh -c 'set -e\necho ")
        assert await confirm(engine, "a") is Status.DONE, engine.export("md")
        assert "it\nran" in engine.export("md")


def test_the_attributes_of_other_users() -> None:
    """They name whom, on a command, a way back, a proof and a file step."""
    (one,) = actions_of("   ```sh {.run sudo=yes}\n   id\n   ```\n   ```sh {.undo user=postfix}\n   id\n   ```\n")
    assert (one.become, one.undos[0].become, one.holds) == ("root", "postfix", ())
    (proved,) = actions_of("   ```sh {.run}\n   id\n   ```\n   ```sh {.verify sudo=yes}\n   id\n   ```\n")
    assert (proved.become, proved.verifies[0].become, proved.holds) == ("", "root", ())
    (file,) = actions_of("   ```conf {.file file=/etc/x mode=replace sudo=yes}\n   a\n   ```\n")
    assert (file.become, file.holds) == ("root", ())


@pytest.mark.parametrize(("value", "status"), [(RIGHT, Status.DONE), ("", Status.UNKNOWN)])
async def test_a_proof_as_another_user_asks_like_a_step(tmp_path: Path, value: str, status: Status) -> None:
    """Let in, it proves; where nobody gives a password it is not known whether it holds, and it is asked once."""
    typist = Typist([()], drawer(value))
    bench = bench_of(tmp_path, typist)
    proof = Verify("echo proved", 1, become="nobody", expect="^proved$", retry=3)
    bench.runbook = replace(a_runbook(an_action("a", "true", host=LOCAL, verifies=(proof,))), hosts=bench.runbook.hosts)
    got, said = await run(bench, tmp_path)
    assert got is status, said
    assert len(typist.asked) == (0 if value else 1)
    assert ("sudo did not let it in as nobody" in said) is not bool(value)


def test_a_sudo_called_by_its_path_is_warned_of() -> None:
    """It does not find ours: lint says so; one that is told to ask, or not to, is well."""
    head = b"---\nrunbook:\n  version: 1\n---\n# Move\n\n## Do it\n\n1. Do <!-- step: #a host=local -->\n\n"
    head += b"   ```sh {.run}\n   "
    found = {
        command: [p.line for p in read(head + command + b"\n   ```\n").problems if p.code == "sudo-by-path"] != []
        for command in (b"/usr/bin/sudo id", b"/usr/bin/sudo -A id", b"/usr/bin/sudo -n id", b"sudo id")
    }
    assert list(found.values()) == [True, False, False, False]
