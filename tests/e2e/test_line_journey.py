"""The main job from a pipe: a runbook on two real hosts, confirmed step by step, to an exported transcript."""

from __future__ import annotations

import json
import os
import signal
from typing import TYPE_CHECKING

from tests.support.talk import Talk, finished

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.conftest import Night


def test_a_runbook_on_two_hosts_from_a_pipe_to_a_transcript(night: Night, tmp_path: Path) -> None:
    """Every step of rotate-motd is confirmed, ticked, skipped or undone; the transcript proves what was done where."""
    out = tmp_path / "transcript.md"
    (night.old.home / "notice").mkdir()
    (night.old.home / "notice" / "motd").write_text("the old notice\n")
    lines = [
        "yes",
        "confirm", "yes", "confirm", "yes", "done Ada said so",
        "confirm", "yes", "confirm", "yes", "confirm", "yes",
        "skip nobody is logged in", "done looked at both",
        "confirm", "new", "confirm", "old",
        f"export md {out}", "quit",
    ]  # fmt: skip
    done = finished(
        "run", "rotate-motd", *night.hosts, "--plain", "--run-id", "motd",
        state=night.state, stdin="\n".join(lines) + "\n", more=night.variables,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert (night.old.home / "notice/motd").read_text().startswith("Maintenance on 2026-11-30")
    assert "takes over" in (night.new.home / "notice/motd").read_text()
    assert (night.old.home / "notice/kept/motd.2026-11-30").read_text() == "the old notice\n"
    text = out.read_text()
    for expected in (
        "Ada said so", "nobody is logged in", f"127.0.0.1:{night.old.port}", f"127.0.0.1:{night.new.port}",
        "SHA256:", "kept 15 bytes", "People who log in read a short notice",
    ):  # fmt: skip
        assert expected in text, expected
    status = json.loads(finished("status", "motd", "--json", state=night.state).stdout)
    assert {step["state"] for step in status["steps"]} == {"done", "by-hand", "skipped"}
    assert finished("verify", "motd", state=night.state).returncode == 0


def test_killed_while_something_runs_it_is_found_again(night: Night) -> None:
    """After kill -9 the started action is found where it runs, with all it said, and was run once."""
    effects = night.old.home / "effects"
    runbook = night.state.parent / "slow.md"
    runbook.write_text(
        "---\nrunbook:\n  version: 1\n  hosts:\n    old: {ssh: old.test}\n---\n# Slow\n\n## Phase\n\n"
        "### Go <!-- step: #go -->\n\n"
        "``` sh {.run host=old}\necho once >> ~/effects\necho started\n"
        "until test -e ~/go; do sleep 0.1; done; echo over\n```\n"
    )
    with Talk("run", str(runbook), "--plain", "--run-id", "slow", state=night.state, more=night.variables) as talk:
        talk.say("yes", "confirm", "yes")
        talk.hear(r"\| started")
        os.kill(talk.process.pid, signal.SIGKILL)
        talk.end()
    status = json.loads(finished("status", "slow", "--json", state=night.state).stdout)
    assert status["steps"][0]["state"] == "running"
    with Talk("resume", "slow", "--plain", state=night.state, more=night.variables) as talk:
        talk.hear("unknown: mailrunbook was left while it")
        talk.say("yes")
        (night.old.home / "go").touch()
        talk.hear("done in")
        assert effects.read_text() == "once\n"
        talk.hang_up()
        assert talk.end() == 0
    assert (night.state / "runs/slow/output/slow-1.log").read_text() == "started\nover\n"
    assert finished("export", "slow", "--format", "json", state=night.state).returncode == 0


def test_a_changed_key_stops_everything(night: Night) -> None:
    """A host whose name has another key in known_hosts is refused with words, and nothing runs there."""
    night.files.known_hosts.write_text(
        f"old.test {night.new.host_key}\nnew.test {night.new.host_key}\n"
        f"[127.0.0.1]:{night.old.port} {night.old.host_key}\n"
    )
    done = finished(
        "run", "rotate-motd", *night.hosts, "--plain", state=night.state,
        stdin="yes\nconfirm\nyes\nquit\n", more=night.variables,
    )  # fmt: skip
    assert done.returncode == 0
    assert "changed" in done.stdout.lower() or "another key" in done.stdout.lower(), done.stdout
    assert not (night.old.home / "notice").exists()
    assert "Traceback" not in done.stdout + done.stderr
