"""The engine over real SSH: two servers, cut sessions, changed keys, files on the other side."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runbook_tui.core.errors import HostError, Refused
from runbook_tui.core.model import ActionKind, FileChange, FileMode, Undo, Verify
from runbook_tui.core.run import Status, Verb
from runbook_tui.ports import CheckState, Link
from tests.core.builders import NEW, OLD, a_runbook, an_action
from tests.support.bench import Bench, confirm, eventually, until
from tests.support.sshd import KeyPair, make_key, start_sshd

if TYPE_CHECKING:
    from runbook_tui.core.model import Action
    from runbook_tui.engine import Engine, HostView
    from tests.engine.conftest import TwoHosts


def bench_of(tmp_path: Path, two: TwoHosts, *actions: Action) -> Bench:
    """Make a bench whose hosts are the two servers."""
    return Bench(replace(a_runbook(*actions), hosts=two.hosts), tmp_path / "state", shells=two.shells)


def view_of(engine: Engine) -> HostView:
    """Give what is known of old."""
    return next(view for view in engine.hosts() if view.name == OLD)


async def test_each_action_runs_on_its_own_host(tmp_path: Path, two_hosts: TwoHosts) -> None:
    """What is confirmed for old runs on old, proof on new runs on new; the dialog shows address and key of each."""
    proof = Verify("test -e arrived", 1, host=NEW)
    actions = (
        an_action("a", "touch left", host=OLD),
        an_action("b", "touch arrived", host=NEW),
        an_action("c", "test -e left", host=OLD, verifies=(proof,)),
    )
    async with bench_of(tmp_path, two_hosts, *actions).engine() as engine:
        await engine.consent()
        proposal = await engine.propose("a", Verb.CONFIRM)
        assert proposal.address == f"127.0.0.1:{two_hosts.old.port}"
        assert proposal.fingerprint.startswith("SHA256:")
        assert [await confirm(engine, name) for name in "abc"] == [Status.DONE] * 3
    assert (two_hosts.old.home / "left").exists()
    assert not (two_hosts.new.home / "left").exists()
    assert (two_hosts.new.home / "arrived").exists()
    assert two_hosts.old.log_text().count("Accepted publickey") == 1


ONCE = "echo before; echo x >> ran; until test -e go; do sleep 0.05; done; echo after"


async def test_a_killed_session_is_mended_and_the_command_ends_by_itself(tmp_path: Path, two_hosts: TwoHosts) -> None:
    """The command outlives its session: it runs once, not a byte is missing, and the gap is in the record."""
    if not two_hosts.old.is_openssh:
        pytest.skip("needs OpenSSH's session processes")
    async with bench_of(tmp_path, two_hosts, an_action("a", ONCE)).engine() as engine:
        await engine.consent()
        await engine.confirm(await engine.propose("a", Verb.CONFIRM), "y")
        await eventually(lambda: engine.feed("night-1").since(0)[0] == ["before"])
        two_hosts.old.kill_sessions()
        await until(engine, lambda: any("link was lost" in note.text for note in engine.state.notes))
        (two_hosts.old.home / "go").touch()
        await engine.idle()
        assert engine.state.of("a").status is Status.DONE
        assert engine.feed("night-1").since(0)[0] == ["before", "after"]
        assert any("is back; its output goes on at byte 7" in note.text for note in engine.state.notes)
    assert (two_hosts.old.home / "ran").read_text() == "x\n"


async def test_stop_reaches_the_group_on_the_other_side(tmp_path: Path, two_hosts: TwoHosts) -> None:
    """TERM over a second channel ends the remote pipeline; nothing of it is left."""
    text = "echo $$ > pid; (sleep 60; touch late) | cat"
    async with bench_of(tmp_path, two_hosts, an_action("a", text)).engine() as engine:
        await engine.consent()
        await engine.confirm(await engine.propose("a", Verb.CONFIRM), "y")
        await until(engine, lambda: engine.activity is not None and engine.activity.stage == "running")
        await eventually((two_hosts.old.home / "pid").exists)
        assert "nothing of it runs any more" in await engine.stop()
        await engine.idle()
        assert engine.state.of("a").status is Status.STOPPED
    pid = int((two_hosts.old.home / "pid").read_text())
    assert not Path(f"/proc/{pid}").exists()  # noqa: ASYNC240 -- no disk behind it


async def test_a_remote_file_is_changed_validated_and_restored(tmp_path: Path, two_hosts: TwoHosts) -> None:
    """Diff, write, failed validate, undo: all on the other side, in the login's home there."""
    target = two_hosts.new.home / "motd"
    target.write_text("welcome\n")
    good = FileChange(path="~/motd", mode=FileMode.APPEND)
    bad = FileChange(path="~/motd", mode=FileMode.REPLACE, validate="grep -q welcome ~/motd")
    actions = (
        an_action("good", "we move tonight\n", kind=ActionKind.FILE, file=good, host=NEW),
        an_action("bad", "nothing\n", kind=ActionKind.FILE, file=bad, host=NEW),
    )
    async with bench_of(tmp_path, two_hosts, *actions).engine() as engine:
        await engine.consent()
        assert "+we move tonight" in (await engine.propose("good", Verb.CONFIRM)).detail
        assert await confirm(engine, "good") is Status.DONE
        assert target.read_text() == "welcome\nwe move tonight\n"
        assert await confirm(engine, "bad") is Status.FAILED
        assert target.read_text() == "welcome\nwe move tonight\n"
        assert await confirm(engine, "good", Verb.UNDO) is Status.UNDONE
        assert target.read_text() == "welcome\n"


async def test_another_key_than_shown_is_not_run_on(tmp_path: Path, two_hosts: TwoHosts) -> None:
    """Between the dialog and the key press the machine was exchanged: nothing runs."""
    async with bench_of(tmp_path, two_hosts, an_action("a", "touch ran")).engine() as engine:
        await engine.consent()
        proposal = await engine.propose("a", Verb.CONFIRM)
        port = two_hosts.old.port
        two_hosts.old.stop()
        other_key = make_key(tmp_path / "other")
        impostor = start_sshd(tmp_path / "impostor", [two_hosts.files.key.public], host_key=other_key, port=port)
        try:
            await eventually(lambda: view_of(engine).link is not Link.UP)
            with pytest.raises(HostError, match=r"(?i)key"):
                await engine.confirm(proposal, "y")
            assert engine.state.of("a").status is Status.TODO
            assert not (impostor.home / "ran").exists()
        finally:
            impostor.stop()


async def test_another_machine_that_is_known_too_is_not_run_on(tmp_path: Path, two_hosts: TwoHosts) -> None:
    """known_hosts may list two keys for a name: the machine that answers must be the one that was shown."""
    other_key = make_key(tmp_path / "other")
    with two_hosts.files.known_hosts.open("a") as known:
        known.write(f"old.test {other_key.public}\n")
    async with bench_of(tmp_path, two_hosts, an_action("a", "touch ran")).engine() as engine:
        await engine.consent()
        proposal = await engine.propose("a", Verb.CONFIRM)
        port = two_hosts.old.port
        two_hosts.old.stop()
        second = start_sshd(tmp_path / "second", [two_hosts.files.key.public], host_key=other_key, port=port)
        try:
            await eventually(lambda: view_of(engine).link is not Link.UP)
            with pytest.raises(HostError, match="CHANGED"):
                await engine.confirm(proposal, "y")
            assert engine.state.of("a").attempts == ()
            assert not (second.home / "ran").exists()
        finally:
            second.stop()


async def test_an_unknown_key_is_trusted_only_by_its_typed_fingerprint(tmp_path: Path, two_hosts: TwoHosts) -> None:
    """An unknown host is refused with its fingerprint; the typed one is recorded and pins the key for the run."""
    two_hosts.files.known_hosts.write_text("")
    bench = bench_of(tmp_path, two_hosts, an_action("a"))
    async with bench.engine() as engine:
        await engine.consent()
        with pytest.raises(HostError):
            await engine.propose("a", Verb.CONFIRM)
        refusal = view_of(engine).refusal
        assert refusal is not None
        offered = refusal.key
        assert offered is not None
        with pytest.raises(Refused, match="not the fingerprint"):
            await engine.trust("old", "SHA256:wrong")
        await engine.trust("old", offered.fingerprint)
        assert await confirm(engine, "a") is Status.DONE
    async with bench.engine() as engine:
        await engine.consent()
        assert (await engine.propose("a", Verb.RETRY)).fingerprint == offered.fingerprint


async def test_a_host_that_is_down_is_said_so_and_nothing_changes(tmp_path: Path, two_hosts: TwoHosts) -> None:
    """A refused connection is a sentence, the step stays to do, and the check never turns green."""
    two_hosts.new.stop()
    async with bench_of(tmp_path, two_hosts, an_action("a", host=NEW)).engine() as engine:
        await engine.consent()
        with pytest.raises(HostError, match="new"):
            await engine.propose("a", Verb.CONFIRM)
        assert engine.state.of("a").status is Status.TODO
        await until(engine, lambda: all(c.looked and c.state is not CheckState.PENDING for c in engine.checks()))
        states = {check.name: check.state for check in engine.checks()}
        assert states == {"ssh-old": CheckState.PASS, "ssh-new": CheckState.UNKNOWN}


async def test_a_host_that_was_reached_anew_has_no_problem_any_more(tmp_path: Path, two_hosts: TwoHosts) -> None:
    """Whoever made the connection: what runs there mends its link without asking who answers."""
    new = two_hosts.new
    host_key = KeyPair(new.folder / "host_key", new.host_key)
    bench = replace(bench_of(tmp_path, two_hosts, an_action("a", host=NEW)), make_probes=lambda _: {})
    async with bench.engine() as engine:
        await engine.consent()
        new.stop()
        with pytest.raises(HostError):
            await engine.reconnect(NEW)
        (down,) = [view for view in engine.hosts() if view.name == NEW]
        assert "new" in down.problem
        again = start_sshd(new.folder, [two_hosts.files.key.public], host_key=host_key, port=new.port)
        try:
            await engine._connections.shell(NEW).connect()
            (up,) = [view for view in engine.hosts() if view.name == NEW]
            assert (up.link, up.problem) == (Link.UP, "")
        finally:
            again.stop()


async def test_a_way_back_on_the_other_side(tmp_path: Path, two_hosts: TwoHosts) -> None:
    """An undo fence runs where its action ran."""
    action = an_action("a", "touch it", undos=(Undo("rm it", 1),))
    async with bench_of(tmp_path, two_hosts, action).engine() as engine:
        await engine.consent()
        assert await confirm(engine, "a") is Status.DONE
        assert await confirm(engine, "a", Verb.UNDO) is Status.UNDONE
    assert not (two_hosts.old.home / "it").exists()
