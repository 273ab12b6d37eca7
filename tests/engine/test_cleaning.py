"""The hosts of a finished run are cleaned up: only when it is closed, only its own folders, and it is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runbook_tui.adapters.seals import verify_run
from runbook_tui.core import events as ev
from runbook_tui.core.errors import Refused
from runbook_tui.core.run import Status, Verb
from runbook_tui.engine.returned import returned
from tests.core.builders import NEW, OLD, an_action
from tests.engine.test_live_gates import Night, here
from tests.engine.test_two_hosts import bench_of
from tests.support.bench import RUN, confirm
from tests.support.desk import Desk

if TYPE_CHECKING:
    from pathlib import Path

    from tests.engine.conftest import TwoHosts


@pytest.fixture
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the jobs of this machine are."""
    monkeypatch.setenv("MAILRUNBOOK_STATE_DIR", str(tmp_path / "spool"))
    return tmp_path / "spool/jobs"


def folders(spool: Path, names: str = "night-*") -> list[str]:
    """Give what is there by these names."""
    return [path.name for path in spool.glob(names)]


async def test_a_closed_run_is_cleaned_up_and_says_what_cannot_be_asked_any_more(tmp_path: Path, spool: Path) -> None:
    """Refused while the run is open; then its folders go and no other, the record verifies, and a return says so."""
    night = Night(tmp_path, here(), here("b", "exit 3"))
    async with night.engine() as engine:
        await engine.consent()
        await confirm(engine, "a")
        with pytest.raises(Refused, match="the run is not closed"):
            await engine.cleaning.clean()
        await confirm(engine, "b")
        await engine.skip("b", "it is not needed")
        (spool / "somebody-else-1").mkdir()
        assert not engine.cleaning.refusal()
        assert await engine.cleaning.clean() == ["local: 2 folders removed"]
        assert folders(spool, "[!t]*") == ["somebody-else-1"]
        assert "none of its folders is on a host" in engine.cleaning.refusal()
        assert [e.attempts for e in night.recorded(ev.JobsRemoved)] == [("night-1", "night-2")]
        assert "2 folders of this run removed from local by ada" in engine.export("md")
    night.bench.leave()
    assert verify_run(night.bench.state_dir / "runs" / RUN).ok
    async with night.engine() as engine:
        await engine.consent()
        lines = [line for section in returned(engine) for line in section.lines]
        assert any("(2 on local) after the run was closed: their hosts cannot be asked" in line for line in lines)
        assert await confirm(engine, "b", Verb.RETRY) is Status.FAILED
        assert [len(names) for names in engine.cleaning.plan().values()] == [1]


async def test_a_host_that_does_not_answer_is_left_alone(tmp_path: Path, two_hosts: TwoHosts) -> None:
    """The others are cleaned; it is said, and may be tried again when it is back."""
    async with bench_of(tmp_path, two_hosts, an_action("a"), an_action("b", host=NEW)).engine() as engine:
        await engine.consent()
        for name in "ab":
            await confirm(engine, name)
        two_hosts.new.stop()
        told = await engine.cleaning.clean()
        assert told[:2] == ["old: 1 folder removed", "new: 0 folders removed"]
        assert told[2].startswith("new: kept 1 not asked about: ")
        assert list(engine.cleaning.plan()) == [NEW]
        assert not folders(two_hosts.old.home / ".local/state/mailrunbook/jobs")
        assert folders(two_hosts.new.home / ".local/state/mailrunbook/jobs")
        assert OLD not in engine.cleaning.plan()


async def test_line_mode_asks_before_it_cleans_up(tmp_path: Path, spool: Path) -> None:
    """`clean` says why not, then what it would remove; only `yes` does."""
    night = Night(tmp_path, here())
    async with Desk(night.engine()) as desk:
        await desk.hear("^asks: type yes")
        desk.say("yes", "clean", "no", "confirm", "yes")
        await desk.hear("refused: the run is not closed")
        await desk.hear("the run is closed")
        desk.say("clean", "no")
        await desk.hear("^clean local: 1 folder of this run's commands$")
        await desk.hear("^nothing was removed: that was not the answer$")
        assert folders(spool)
        desk.say("clean", "yes")
        await desk.hear("^clean local: 1 folder removed$")
        assert not folders(spool)
