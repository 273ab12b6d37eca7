"""A step reads a secret on its standard input, and a file that holds one is written: the value is nowhere else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from runbook_tui.core.errors import Refused, WantedSecretError
from runbook_tui.core.model import LOCAL, ActionKind, FileChange, FileMode, LiteralSource, Undo, Verify
from runbook_tui.core.redact import mark
from runbook_tui.core.run import Status, Verb
from runbook_tui.engine.feeding import Feeding
from tests.core.builders import a_literal, a_runbook, an_action
from tests.support.bench import Bench, confirm, eventually

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_tui.core.model import Action

CANARY = "canary-5e81d0"
READS = f"IFS= read -r v; [ \"$v\" = '{CANARY[:6]}''{CANARY[6:]}' ]"
"""Ends well where the canary is its standard input, and does not have it in its own text."""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The HOME in which jobs and backups are."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("MAILRUNBOOK_STATE_DIR", str(tmp_path / "home/state"))
    (tmp_path / "home").mkdir()
    return tmp_path / "home"


def bench_of(tmp_path: Path, *actions: Action, **fields: Any) -> Bench:  # noqa: ANN401 -- fields of Bench
    """Make a bench for a runbook on this machine only."""
    literals = [a_literal("the_PassWord", LiteralSource.SECRET, key="imap ada")]
    runbook = a_runbook(*actions, literals=literals)
    return Bench(replace(runbook, hosts={LOCAL: runbook.hosts[LOCAL]}), tmp_path / "state", **fields)


def holding(folder: Path, value: str = CANARY) -> list[str]:
    """Give the files in which the value is."""
    return [str(p) for p in folder.rglob("*") if p.is_file() and value.encode() in p.read_bytes()]


async def test_a_step_its_proof_and_its_way_back_read_a_secret(tmp_path: Path) -> None:
    """The value reaches all three; the confirmation and the journal name it; no file of either side has it."""
    action = an_action(
        "a", READS, host=LOCAL, secret="the_PassWord",
        verifies=(Verify(READS, 1, secret="the_PassWord"),), undos=(Undo(READS, 1, secret="imap ada"),),
    )  # fmt: skip
    bench = bench_of(tmp_path, action)
    async with bench.engine() as engine:
        await engine.consent()
        with pytest.raises(WantedSecretError) as wanted:
            await engine.propose("a", Verb.CONFIRM)
        assert wanted.value.name == "imap ada"
        engine.give_secret("imap ada", CANARY)
        proposal = await engine.propose("a", Verb.CONFIRM)
        assert proposal.input == "the secret imap ada, from typed by ada, and a line end"
        assert CANARY not in repr(proposal)
        assert await confirm(engine, "a") is Status.DONE, engine.state.of("a").reason
        assert await confirm(engine, "a", Verb.UNDO) is Status.UNDONE, engine.state.of("a").reason
        assert "its standard input is the secret imap ada" in engine.export("md")
        assert CANARY not in engine.export("md") + engine.export("json")
    bench.leave()
    assert holding(tmp_path) == []


async def test_a_step_that_waits_for_its_secret_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the value does not get through, the step did not run, and says so."""
    action = an_action("a", f"touch {tmp_path}/ran", host=LOCAL, secret="the_PassWord")
    async with bench_of(tmp_path, action).engine() as engine:
        await engine.consent()
        engine.give_secret("imap ada", CANARY)
        monkeypatch.setattr(Feeding, "begin", lambda *_: None)
        proposal = await engine.propose("a", Verb.CONFIRM)
        await engine.confirm(proposal, proposal.wants)
        await eventually(lambda: engine.activity is not None and engine.activity.stage == "running")
        await engine.stop()
        await engine.idle()
        assert engine.state.of("a").status is Status.NOT_RUN
        assert "did not reach it" in engine.state.of("a").reason
    assert not (tmp_path / "ran").exists()


def a_file(path: Path, text: str, mode: FileMode = FileMode.REPLACE, **fields: Any) -> Action:  # noqa: ANN401
    """Make a `.secret` file step."""
    change = FileChange(str(path), mode, secret=True, **fields)
    return an_action("a", text, host=LOCAL, kind=ActionKind.FILE, file=change)


async def test_a_secret_file_is_written_and_shown_nowhere(tmp_path: Path) -> None:
    """The file alone has the value, with mode 0600; the confirmation shows dots, and nothing of what was there."""
    path = tmp_path / "etc/sql.conf"
    path.parent.mkdir()
    path.write_text("password = an-old-one\n")
    path.chmod(0o644)
    bench = bench_of(tmp_path, a_file(path, "user = dovecot\npassword = the_PassWord\n"))
    async with bench.engine() as engine:
        await engine.consent()
        engine.give_secret("imap ada", CANARY)
        proposal = await engine.propose("a", Verb.CONFIRM)
        assert "+password = •••" in proposal.detail
        assert "+user = dovecot" in proposal.detail
        assert "an-old-one" not in proposal.detail
        assert await confirm(engine, "a") is Status.DONE, engine.export("md")
        assert path.read_text() == f"user = dovecot\npassword = {CANARY}\n"
        assert path.stat().st_mode & 0o777 == 0o600
        assert holding(tmp_path) == [str(path)]
        again = await engine.propose("a", Verb.RETRY)
        assert "has this content already" in again.detail
        undo = await engine.propose("a", Verb.UNDO)
        assert CANARY not in undo.detail + undo.command
        assert await confirm(engine, "a", Verb.UNDO) is Status.UNDONE, engine.export("md")
        assert path.read_text() == "password = an-old-one\n"
        assert path.stat().st_mode & 0o777 == 0o644
    bench.leave()
    assert holding(tmp_path) == []


async def test_a_secret_file_keeps_what_is_asked_for(tmp_path: Path) -> None:
    """`perm=` counts over 0600, and `mode=set` changes the line in the file as it is."""
    path = tmp_path / "main.cf"
    path.write_text("a = 1\nrelay_password = x\nb = 2\n")
    bench = bench_of(tmp_path, a_file(path, "relay_password = the_PassWord", FileMode.SET, perm="640"))
    async with bench.engine() as engine:
        await engine.consent()
        engine.give_secret("imap ada", CANARY)
        assert await confirm(engine, "a") is Status.DONE, engine.export("md")
    assert path.read_text() == f"a = 1\nrelay_password = {CANARY}\nb = 2\n"
    assert path.stat().st_mode & 0o777 == 0o640


async def test_a_value_of_several_lines_stands_only_on_a_line_of_its_own(tmp_path: Path) -> None:
    """A key of several lines is a file of its own; inside a line it would bring settings nobody saw."""
    path = tmp_path / "key.pem"
    bench = bench_of(tmp_path, a_file(path, "the_PassWord\n"))
    async with bench.engine() as engine:
        await engine.consent()
        engine.give_secret("imap ada", "BEGIN-5e81d0\nEND-5e81d0")
        assert await confirm(engine, "a") is Status.DONE, engine.export("md")
    assert path.read_text() == "BEGIN-5e81d0\nEND-5e81d0\n"
    (tmp_path / "more").mkdir()
    async with bench_of(tmp_path / "more", a_file(path, "key = the_PassWord\n")).engine() as engine:
        await engine.consent()
        engine.give_secret("imap ada", "one\nother = two")
        with pytest.raises(Refused, match="a line of its own"):
            await engine.propose("a", Verb.CONFIRM)


async def test_a_secret_file_that_was_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    """What was confirmed is for the file as it was then."""
    path = tmp_path / "sql.conf"
    path.write_text("old\n")
    async with bench_of(tmp_path, a_file(path, "password = the_PassWord\n")).engine() as engine:
        await engine.consent()
        engine.give_secret("imap ada", CANARY)
        proposal = await engine.propose("a", Verb.CONFIRM)
        path.write_text("another\n")
        await engine.confirm(proposal, proposal.wants)
        await engine.idle()
        assert engine.state.of("a").status is Status.FAILED
    assert path.read_text() == "another\n"
    assert mark("imap ada") not in path.read_text()
