"""A host started anew under a running step: its processes are gone, its boot id is another, its disk is kept."""

from __future__ import annotations

import os
import shutil
import uuid
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from runbook_tui.core.run import Status, Verb
from tests.core.builders import a_runbook, an_action
from tests.engine.conftest import TwoHosts
from tests.support.bench import Bench, confirm, eventually
from tests.support.sshd import find_sshd, make_key, operator_key, start_sshd, write_ssh_files

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.sshd import KeyPair, Sshd

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: its processes are a namespace of their own"),
    pytest.mark.skipif(not find_sshd() or not shutil.which("unshare"), reason="needs sshd and unshare"),
]

PLACE = 'set -e; mount --bind "$1" /proc/sys/kernel/random/boot_id; shift; exec "$@"'
LONG = "echo x >>ran; echo up; until test -e go; do sleep 0.1; done; echo down"


def boot(folder: Path, key: KeyPair, host_key: KeyPair, port: int | None = None) -> Sshd:
    """Start the host: PID 1 of it is its sshd, and with that all of it ends."""
    (folder / "boot_id").write_text(f"{uuid.uuid4()}\n")
    place = ["sh", "-c", PLACE, "sh", str(folder / "boot_id")]
    within = ["unshare", "-m", "-p", "--fork", "--kill-child=KILL", "--mount-proc", "--propagation", "private", *place]
    return start_sshd(folder, [key.public], host_key=host_key, port=port, within=within)


@pytest.mark.parametrize("meanwhile", ["followed", "left"])
async def test_a_reboot_leaves_the_step_unknown_and_nothing_runs_again(tmp_path: Path, meanwhile: str) -> None:
    """Whether it was followed or the program was away: said as what it was, and only a typed word runs it again."""
    (tmp_path / "old").mkdir()
    key, host_key = operator_key(tmp_path / "operator"), make_key(tmp_path, "host_key")
    old = boot(tmp_path / "old", key, host_key)
    two = TwoHosts(old, old, write_ssh_files(tmp_path / "files", key, {"old.test": old}))
    bench = Bench(
        replace(a_runbook(an_action("a", LONG)), hosts=two.hosts), tmp_path / "state", shells=two.shells,
        make_probes=lambda _: {},
    )  # fmt: skip
    engine = bench.engine()
    try:
        await engine.__aenter__()
        await engine.consent()
        proposal = await engine.propose("a", Verb.CONFIRM)
        await engine.confirm(proposal, proposal.wants)
        await eventually(lambda: "up" in engine.feed("night-1").since(0)[0])
        if meanwhile == "left":
            await engine.pause("for the night")
        old.stop()
        old = boot(tmp_path / "old", key, host_key, old.port)
        if meanwhile == "left":
            engine = bench.engine()
            await engine.__aenter__()
            await engine.consent()
        await engine.idle()
        assert engine.state.of("a").status is Status.UNKNOWN
        assert "the host was started anew while it ran" in engine.state.of("a").reason
        assert (old.home / "ran").read_text() == "x\n"
        again = await engine.propose("a", Verb.RETRY)
        assert again.wants == "rerun"
        (old.home / "go").touch()
        assert await confirm(engine, "a", Verb.RETRY) is Status.DONE
        assert (old.home / "ran").read_text() == "x\nx\n"
    finally:
        await engine.pause("the end of the test")
        old.stop()
