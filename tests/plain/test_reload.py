"""`reload` in line mode: the edited file is shown, adopted by a `yes`, and the run can be read again afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.adapters.run_folder import RunFolder
from runbook_tui.adapters.run_list import inspect
from runbook_tui.adapters.seals import verify_run
from runbook_tui.core import events as ev
from runbook_tui.core.markdown.reader import read
from runbook_tui.core.run import Status
from runbook_tui.core.secret import Secret
from tests.support.bench import RUN, Bench
from tests.support.desk import Desk

if TYPE_CHECKING:
    from pathlib import Path

TEXT = """\
---
title: Two steps
runbook:
  version: 1
---
# Two steps

## One <!-- step: #one host=local -->

``` sh {.run}
echo one
```

## Two <!-- step: #two host=local -->

``` sh {.run}
echo two
```
"""


def a_bench(tmp_path: Path) -> Bench:
    """Make a run of a file that can be edited."""
    source = tmp_path / "move.md"
    source.write_text(TEXT)
    return Bench(read(TEXT.encode(), name="move.md"), tmp_path / "state", source_file=source)


def edit(tmp_path: Path, before: str, after: str) -> None:
    """Edit the file."""
    source = tmp_path / "move.md"
    source.write_text(source.read_text().replace(before, after))


async def test_an_edited_file_is_adopted_and_the_run_stays_readable(tmp_path: Path) -> None:
    """The confirmed step stays, the other runs as edited; verify, the list of runs and the transcript agree."""
    bench = a_bench(tmp_path)
    async with Desk(bench.engine()) as desk:
        desk.say("reload")
        await desk.hear("refused: the runbook's file is as this run has it")
        desk.say("confirm", "yes")
        await desk.hear("^1.1 done")
        edit(tmp_path, "echo one", "echo uno")
        edit(tmp_path, "echo two", "echo dos")
        desk.say("reload", "yes", "confirm", "yes")
        await desk.hear("^reload: changed 1.2 Two")
        await desk.hear("^reload: stays as it was confirmed: 1.1 One")
        await desk.hear(r"^reload \| \+echo dos")
        await desk.hear("^the edited runbook is adopted")
        await desk.hear(r"^1.2 \| dos")
        await desk.hear("^1.2 done")
        assert desk.engine.file_changed is False
    async with Desk(bench.engine()) as desk:
        await desk.hear("2 of 2 steps settled")
        shown = desk.engine.export("md")
        assert "the edited runbook was adopted by ada" in shown
        assert "Kept as it was when it was confirmed" in shown
        assert desk.engine.state.of("two").status is Status.DONE
    bench.leave()
    folder = tmp_path / "state" / "runs" / RUN
    assert verify_run(folder).ok
    info = inspect(RunFolder(folder))
    assert info
    assert (info.settled, info.problem) == (2, "")
    copy = next(folder.glob("runbook-*.md"))
    assert copy.name in (folder / "SHA256SUMS").read_text()
    for seal in (*folder.glob("SHA256SUMS*"),):
        seal.unlink()
    copy.write_text(TEXT)
    assert any("is not the runbook that record" in line for line in verify_run(folder).problems)
    copy.unlink()
    assert any("is gone: record" in line for line in verify_run(folder).problems)


async def test_a_file_with_errors_or_a_no_changes_nothing(tmp_path: Path) -> None:
    """Errors are named with their lines; any other line than `yes` keeps the copy; a file that is gone is said."""
    async with Desk(a_bench(tmp_path).engine()) as desk:
        await desk.hear("^1.1 next")
        before = desk.engine.state.seq
        edit(tmp_path, "## Two <!-- step: #two", "## Two <!-- step: #one")
        desk.say("reload")
        await desk.hear("has errors, so it cannot be adopted")
        await desk.hear(r"move.md:\d+:\d+: ")
        edit(tmp_path, "## Two <!-- step: #one", "## Two <!-- step: #deux")
        desk.say("reload", "no")
        await desk.hear("^not reloaded")
        (tmp_path / "move.md").unlink()
        desk.say("reload")
        await desk.hear("gone or cannot be read")
        assert desk.engine.state.seq == before
        assert not any((tmp_path / "state" / "runs" / RUN).glob("runbook-*"))


async def test_a_file_edited_again_is_not_adopted_unseen(tmp_path: Path) -> None:
    """What is adopted is what was shown; nothing is kept or recorded otherwise."""
    async with Desk(a_bench(tmp_path).engine()) as desk:
        await desk.hear("^1.1 next")
        edit(tmp_path, "echo two", "echo dos")
        desk.say("reload")
        await desk.hear("^reload asks")
        edit(tmp_path, "echo dos", "echo tres")
        desk.say("yes")
        await desk.hear("refused: the file was changed again")
        assert not any((tmp_path / "state" / "runs" / RUN).glob("runbook-*"))


async def test_a_crash_between_copy_and_record_is_harmless(tmp_path: Path) -> None:
    """A copy that no record names changes nothing: the run opens as it was, and verifies."""
    bench = a_bench(tmp_path)
    async with bench.engine():
        assert bench.folder
        bench.folder.keep_copy(TEXT.replace("two", "dos").encode())
    async with bench.engine() as engine:
        two = engine.state.runbook.action("two")
        assert two
        assert two.text == "echo two\n"
        assert not any(isinstance(r.event, ev.RunbookReloaded) for r in engine._recorder.journal.records)
    bench.leave()
    assert verify_run(tmp_path / "state" / "runs" / RUN).ok


async def test_a_secret_in_the_edited_file_is_not_shown(tmp_path: Path) -> None:
    """The differences go through the redactor."""
    bench = a_bench(tmp_path)
    bench.given = [Secret("relay", "tr0ub4dor-and-3")]
    async with bench.engine() as engine:
        await engine.consent()
        edit(tmp_path, "echo two", "echo tr0ub4dor-and-3 and more")
        planned = engine.plan_reload()
        assert "and more" in planned.diff
        assert "tr0ub4dor" not in planned.diff
