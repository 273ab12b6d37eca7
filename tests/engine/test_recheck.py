"""A step's recheck on a real shell: what it says is shown and recorded, and nothing becomes done by it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from runbook_tui.core.errors import Refused
from runbook_tui.core.model import LOCAL
from runbook_tui.core.recheck import TAIL_LENGTH, TAIL_LINES, Recheck
from runbook_tui.core.run import Status
from runbook_tui.core.secret import Secret
from runbook_tui.engine import looking
from tests.core.builders import a_runbook, an_action
from tests.support.bench import Bench, confirm

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_tui.engine import Engine

LOOK = "looked=$((20 + 3)); printf '\\033[31mseen %s\\033[0m\\n' $looked; "


def bench_of(tmp_path: Path, recheck: str, **fields: Any) -> Bench:  # noqa: ANN401 -- fields of Action
    """Make a bench with one action on this machine that fails, and its recheck."""
    runbook = a_runbook(an_action("a", "exit 7", host=LOCAL, recheck=recheck, **fields))
    return Bench(replace(runbook, hosts={LOCAL: runbook.hosts[LOCAL]}), tmp_path / "state")


async def failed(engine: Engine) -> Engine:
    """Have the action fail."""
    await engine.consent()
    assert await confirm(engine, "a") is Status.FAILED
    return engine


@pytest.mark.parametrize(
    ("end", "status", "ended", "verdict"),
    [
        ("true", 0, "exit status 0", "the recheck says it is done"),
        ("exit 24", 24, "exit status 24", "the recheck says it is not done"),
        ("kill -9 $$", None, "ended by signal KILL", "the recheck does not say whether it is done"),
    ],
)
async def test_a_recheck_is_shown_and_recorded_and_changes_nothing(
    end: str, status: int | None, ended: str, verdict: str, tmp_path: Path
) -> None:
    """Its cleaned output, its end and its sentence are a note in the transcript; the action stands where it stood.

    A status that the action itself may end with says nothing of a recheck: only 0 is done.
    """
    bench = bench_of(tmp_path, LOOK + end, exits=frozenset({0, 24}))
    async with bench.engine() as engine:
        before = (await failed(engine)).state.of("a")
        said = await engine.recheck("a")
        assert (said.output, said.exit, said.ended, said.verdict) == ("seen 23\n", status, ended, verdict)
        assert said.done is (status == 0)
        assert engine.state.of("a") == before
        assert len(engine.state.attempts) == 1
        text = f"{verdict} (on local, {ended})\n$ {LOOK}{end}\nseen 23"
        assert [(n.by, n.action, n.text) for n in engine.state.notes] == [("ada", "a", text)]
        written = engine.export("md")
        assert f"{verdict} (on local, {ended})\n\n```text\n$ {LOOK}{end}\nseen 23\n```" in written


async def test_a_recheck_has_the_actions_folder_and_its_own_way_of_asking(tmp_path: Path) -> None:
    """It runs where the action runs; what it says is done is marked done by the operator alone."""
    async with bench_of(tmp_path, "pwd", cwd=str(tmp_path)).engine() as engine:
        assert engine.consent_lines() == ["run on local, when you ask how 1.1 stands: pwd"]
        with pytest.raises(Refused, match="a recheck is for"):
            await engine.recheck("a")
        said = await (await failed(engine)).recheck("a")
        assert said.output == f"{tmp_path}\n"
        assert said.note == "the recheck says it is done: pwd on local, exit status 0"
        await engine.mark_done("a", said.note)
        assert (engine.state.of("a").status, engine.state.of("a").reason) == (Status.BY_HAND, said.note)


async def test_a_recheck_that_does_not_end_is_ended_and_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has the time limit of every read-only look."""
    async with bench_of(tmp_path, "sleep 1000").engine() as engine:
        await failed(engine)
        monkeypatch.setattr(looking, "READ_TIMEOUT", 0.2)
        said = await engine.recheck("a")
        assert (said.exit, said.ended, said.done) == (None, "it took longer than 0 s", False)


async def test_a_recheck_shows_no_secret(tmp_path: Path) -> None:
    """What it printed stands in the answer and in the note without the secret."""
    bench = bench_of(tmp_path, "printf 'tr0ub%s\\n' 4dor-and-3")
    bench.given = [Secret("relay", "tr0ub4dor-and-3")]
    async with bench.engine() as engine:
        said = await (await failed(engine)).recheck("a")
        assert "relay" in said.output
        assert "tr0ub4dor" not in said.output + engine.state.notes[0].text


async def test_a_recheck_of_what_is_not_logged_is_shown_and_not_recorded(tmp_path: Path) -> None:
    """`.no-log` keeps its output out of the note."""
    async with bench_of(tmp_path, LOOK, no_log=True).engine() as engine:
        said = await (await failed(engine)).recheck("a")
        assert said.output == "seen 23\n"
        assert engine.state.notes[0].text.endswith("\n(its output is withheld, as .no-log asks)")


@pytest.mark.parametrize(
    ("output", "recorded"),
    [
        ("", ""),
        ("".join(f"{n}\n" for n in range(100)), "\n…\n" + "\n".join(str(n) for n in range(100 - TAIL_LINES, 100))),
        ("x" * 9000, "\n…\n" + "x" * TAIL_LENGTH),
    ],
)
def test_the_end_of_a_long_output_is_recorded(output: str, recorded: str) -> None:
    """A note has the last lines, bounded, and says that something stands before them."""
    said = Recheck("new", "ls", output, "exit status 1", 1)
    assert said.text == f"the recheck says it is not done (on new, exit status 1)\n$ ls{recorded}"
