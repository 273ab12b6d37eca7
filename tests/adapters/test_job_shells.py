"""The job protocol under the kinds of sh, login shells and toolboxes that hosts have."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

from runbook_tui.adapters import job_text, stub
from runbook_tui.adapters.job_text import claim_call, clean_call, end_call, fence_call, follow_call, launch_call
from runbook_tui.adapters.stub import Answer
from runbook_tui.ports import JobId, Standing
from tests.support.jobcalls import Place, told

if TYPE_CHECKING:
    from pathlib import Path

KINDS = {
    "/bin/sh": "sh", "busybox sh": "busybox", "mksh": "mksh", "bash": "bash", "bash --posix": "bash", "ksh93": "ksh93",
}  # fmt: skip
INNER = [sh for sh, program in KINDS.items() if shutil.which(program)]
LOGIN_SHELLS = [s for s in ("sh", "bash", "dash", "tcsh", "fish", "mksh", "ksh93") if shutil.which(s)]
DATA = bytes(range(256)) + b"\nX done 0 1 1 1\nno newline"


@pytest.fixture(params=["proc and setsid", "neither"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What a Linux has; and what a FreeBSD lacks: no proc(5) to read, no setsid(1)."""
    if request.param == "neither":
        for module, name in ((job_text, "_START"), (job_text, "_GROUP"), (job_text, "_JOB"), (stub, "_ENVIRONMENT")):
            text = getattr(module, name).replace("/proc/", "/none/").replace("-v setsid", "-v none-setsid")
            monkeypatch.setattr(module, name, text)
    return str(request.param)


@pytest.mark.parametrize("sh", INNER)
def test_every_kind_of_sh_keeps_the_job_protocol(tmp_path: Path, system: str, sh: str) -> None:
    """Mark, start, start again, follow, fence, TERM and a cut start do under each what they do under dash."""
    place = Place(tmp_path)
    job, fenced, loop, cut = (JobId("R", f"R-{n}") for n in range(4))
    assert place.ask(fence_call(job, sh=sh)).text == "amnesia"
    assert place.ask(claim_call(job, sh=sh)).answer is Answer.STAND

    for _ in range(2):
        first = place.ask(launch_call(job, "echo x >>effect; cat; exit 7", DATA, sh=sh))
        assert first.last is not None, system
        assert (first.output, first.last.standing, first.last.exit) == (DATA, Standing.DONE, 7)
    assert (tmp_path / "effect").read_text() == "x\n"
    assert place.ask(follow_call(job, 250, sh=sh), offset=250).output == DATA[250:]

    assert place.ask(fence_call(fenced, sh=sh)).text == "fenced"
    assert place.ask(launch_call(fenced, "echo x >>effect", sh=sh)).text == "fenced"

    call = launch_call(loop, "echo up; while :; do sleep 0.1; done", sh=sh)
    with place.start(call) as follower:
        try:
            assert follower.stdin is not None
            assert follower.stdout is not None
            follower.stdin.write(call.payload)
            follower.stdin.close()
            head = b""
            while b"up\n" not in head:
                head += follower.stdout.read(1) or pytest.fail(head.decode())
            assert place.ask(fence_call(loop, sh=sh)).text.startswith("running ")
            assert place.ask(end_call(loop, "TERM", sh=sh)).text == "0"
        finally:
            follower.kill()
    assert place.ask(follow_call(loop, 0, sh=sh)).text.startswith("done 143 ")
    assert [place.ask(clean_call(each, sh=sh)).text for each in (loop, fenced, loop)] == ["removed", "fence", "gone"]
    assert place.ask(fence_call(JobId(loop.run, "never-was"), sh=sh)).text == "amnesia"

    call = launch_call(cut, "echo x >>effect; echo y", sh=sh)
    assert told(call, place.start(call), call.payload[:-4]).answer is Answer.TRUNCATED
    assert (tmp_path / "effect").read_text() == "x\n"


@pytest.mark.parametrize("login", LOGIN_SHELLS)
def test_every_login_shell_brings_a_job_to_sh(tmp_path: Path, login: str) -> None:
    """Under each login shell a job starts, says what it has to say, and ends with its status."""
    made = Place(tmp_path, login).ask(launch_call(JobId("R", "R-1"), "printf '%s' 'é !x %y'; exit 3"))
    assert made.last is not None
    assert (made.output.decode(), made.last.exit) == ("é !x %y", 3)


@pytest.mark.skipif(not shutil.which("busybox"), reason="busybox is not installed")
def test_a_ps_that_cannot_tell_processes_is_named_before_anything_runs(tmp_path: Path) -> None:
    """Where ps shows no arguments of one process, a job could not be told from another: the mark is refused."""
    tools = tmp_path / "tools"
    tools.mkdir()
    (tools / "ps").symlink_to(shutil.which("busybox") or "")
    marked = Place(tmp_path, path=f"{tools}:/usr/bin:/bin").ask(claim_call(JobId("R", "R-1")))
    assert (marked.answer, marked.text) == (Answer.MISSING, "ps -ww -o args= -p PID")
