"""A host whose user has a HOME that cannot be written: refused with the path, and nothing runs."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from runbook_tui.core.errors import HostError
from runbook_tui.core.run import Status, Verb
from tests.core.builders import a_runbook, an_action
from tests.engine.conftest import TwoHosts
from tests.support.bench import Bench
from tests.support.sshd import find_sshd, operator_key, start_sshd, write_ssh_files

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it mounts a read-only HOME"),
    pytest.mark.skipif(not find_sshd() or not shutil.which("unshare"), reason="needs sshd and unshare"),
]

PLACE = 'set -e; home=$1; shift; mount --bind "$home" "$home"; mount -o remount,bind,ro "$home"; exec "$@"'


async def test_a_read_only_home_is_named_and_nothing_runs(tmp_path: Path) -> None:
    """The sentence has the folder that cannot be made there; the step is still to do."""
    key = operator_key(tmp_path / "operator")
    within = ["unshare", "-m", "--propagation", "private", "sh", "-c", PLACE, "sh", str(tmp_path / "old/home")]
    old = start_sshd(tmp_path / "old", [key.public], within=within)
    try:
        two = TwoHosts(old, old, write_ssh_files(tmp_path / "files", key, {"old.test": old}))
        book = replace(a_runbook(an_action("a", f"touch {tmp_path}/ran")), hosts=two.hosts)
        bench = Bench(book, tmp_path / "state", shells=two.shells, make_probes=lambda _: {})
        async with bench.engine() as engine:
            await engine.consent()
            with pytest.raises(HostError, match="Nothing was run") as caught:
                await engine.propose("a", Verb.CONFIRM)
            assert f"{old.home} cannot be written" in caught.value.detail
            assert engine.state.of("a").status is Status.TODO
    finally:
        old.stop()
    assert not (tmp_path / "ran").exists()
