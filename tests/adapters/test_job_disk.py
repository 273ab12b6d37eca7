"""Detached jobs on a host whose disk is full, gets full, or is emptied under them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runbook_tui.adapters.job_text import claim_call, fence_call, launch_call
from runbook_tui.adapters.stub import Answer
from runbook_tui.ports import JobId, Standing
from tests.support.full_disk import STEP, fill, small_disk
from tests.support.jobcalls import Place
from tests.support.sshd import wait_until

if TYPE_CHECKING:
    from pathlib import Path


def test_however_little_room_is_left_a_job_is_refused_or_runs_to_its_status(tmp_path: Path) -> None:
    """With every amount of room either nothing ran and the folder is named, or it ran once and its status is there."""
    refused = ran = 0
    with small_disk(tmp_path / "disk", 1024 * 1024) as disk:
        place = Place(disk)
        assert place.ask(claim_call(JobId("R", "R-0"))).answer is Answer.STAND
        for pieces in range(14):
            filler = fill(disk, leave=pieces * STEP)
            effect = tmp_path / f"effect-{pieces}"
            # What it says fills the rest.
            script = f"echo x >>{effect}; head -c 200000 /dev/zero; exit 9"
            told = place.ask(launch_call(JobId("R", f"R-{pieces}"), script))
            if told.answer is Answer.STARTED:
                ran += 1
                assert told.last is not None, pieces
                assert (told.last.standing, told.last.exit) == (Standing.DONE, 9), pieces
                assert (effect.read_text(), len(told.output)) == ("x\n", told.last.size), pieces
            else:
                refused += 1
                assert (told.answer, effect.exists()) == (Answer.NO_SPOOL, False), pieces
                assert str(place.jobs) in told.text
            filler.unlink()
    assert refused
    assert ran


@pytest.mark.parametrize("gone", ["state/jobs/R-1/go", "state/jobs/R-1/*", "state/jobs/R-1", "state/jobs"])
def test_a_folder_that_is_deleted_under_a_job_is_never_taken_for_not_run(tmp_path: Path, gone: str) -> None:
    """Whatever of the jobs' folder the job itself removes, its start is not answered as one that did not happen."""
    place, job = Place(tmp_path), JobId("R", "R-1")
    place.ask(claim_call(job))
    told = place.ask(launch_call(job, f"rm -rf {gone}; echo x >>effect"))
    assert told.text.split()[0] not in {"claimed", "fenced", "absent", "amnesia"}
    wait_until((tmp_path / "effect").exists, "the job", 60)
    assert told.last is not None
    assert told.last.standing in {Standing.DONE, Standing.VANISHED, Standing.ABSENT, Standing.AMNESIA, Standing.CLAIMED}
    if gone.endswith("go"):
        assert place.ask(fence_call(job)).text.startswith("done 0 ")
