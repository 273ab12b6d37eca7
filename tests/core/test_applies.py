"""`os=`: which actions, proofs and ways back apply to the hosts of this migration."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runbook_tui.core import events as ev
from runbook_tui.core.applies import not_for, settled, system_of
from runbook_tui.core.errors import Refused
from runbook_tui.core.model import ActionId, HoldCode, Verify
from runbook_tui.core.overview import status_json, status_lines
from runbook_tui.core.run import RunState, Status, Verb
from runbook_tui.core.settle import check_answer, effective, holds, shown_status
from runbook_tui.core.verbs import allowed, next_action, progress, shown_word, step_status, step_word
from tests.core.builders import NEW, OLD, Stamper, a_runbook, an_action, opened, ran
from tests.core.variants import variants


def answered(system: str, host: str = "old", action: str = "") -> ev.Settled:
    """Make the record of what a host is: its own answer, or on an action the operator's."""
    return ev.Settled(what=ev.Settlement.OS, subject=host, value=system, action=action)


def state_after(*events: ev.Event, **changes: str) -> RunState:
    """Fold the variants after these events."""
    runbook = variants(**changes)
    stamper = Stamper()
    stamper(opened(runbook), *events)
    return stamper.state(runbook)


def codes(state: RunState, action: str) -> list[HoldCode]:
    """Give what holds an action back."""
    found = state.runbook.action(action)
    assert found is not None
    return [hold.code for hold in holds(state, found)]


def why_not(state: RunState, action: str) -> str:
    """Say why an action does not apply."""
    found = state.runbook.action(action)
    assert found is not None
    return not_for(state, found)


def test_a_variant_is_held_until_the_system_is_known() -> None:
    """Nobody knows what old is: both variants are held, connecting is said to ask it, and confirming may."""
    state = state_after()
    for name in ("stop-freebsd", "stop-debian"):
        assert codes(state, name) == [HoldCode.SYSTEM]
        assert why_not(state, name) == ""
    held = holds(state, next(state.runbook.actions()))
    assert held[0].why == "the system of old is not known yet: connecting asks it"
    assert allowed(state, "stop-freebsd")[Verb.CONFIRM] == allowed(state, "stop-debian")[Verb.CONFIRM] == ""


def test_the_other_variant_does_not_apply() -> None:
    """Once old said freebsd, debian's variant is neither to do nor held nor next, and says why."""
    state = state_after(answered("freebsd"))
    assert codes(state, "stop-freebsd") == []
    assert why_not(state, "stop-freebsd") == ""
    assert why_not(state, "stop-debian") == "for debian; old is freebsd"
    debian = state.runbook.action("stop-debian")
    assert debian is not None
    assert settled(state, debian)
    assert (shown_status(state, debian), shown_word(state, debian)) == (Status.SKIPPED, "n/a")
    for verb in (Verb.CONFIRM, Verb.RETRY, Verb.EDIT, Verb.SKIP, Verb.DONE):
        assert allowed(state, "stop-debian")[verb] == "it does not apply: for debian; old is freebsd"
    assert allowed(state, "stop-debian")[Verb.SETTLE] == ""


def test_a_step_of_other_variants_does_not_apply() -> None:
    """A step for freebsd alone on a debian host is n/a: not counted, not next; its status is skipped with a reason."""
    state = state_after(answered("freebsd"), *ran("stop-freebsd"))
    name = state.runbook.step("name")
    assert name is not None
    assert (step_status(state, name), step_word(state, name)) == (Status.SKIPPED, "n/a")
    assert progress(state) == (1, 3)
    upcoming = next_action(state)
    assert upcoming is not None
    assert upcoming.step == "copy"
    shown = status_json(state)["steps"][1]
    assert (shown["state"], shown["held_because"]) == ("skipped", [])
    assert shown["actions"][0]["reason"] == "for freebsd; new is debian"
    assert "1.2 n/a: Set the name (for freebsd; new is debian)" in status_lines(state)


def test_a_step_shows_its_variant_that_applies() -> None:
    """A step whose own variant is done is done, whatever its other variants are."""
    state = state_after(answered("freebsd"), *ran("stop-freebsd"))
    stop = state.runbook.step("stop")
    assert stop is not None
    assert step_status(state, stop) is Status.DONE


def test_proofs_and_ways_back_of_another_system_are_left_out() -> None:
    """Of a fence's proofs and ways back only those for its host's system remain."""
    state = state_after(answered("freebsd"))
    stop = state.runbook.action("stop-freebsd")
    assert stop is not None
    assert len(stop.verifies) == 2
    now = effective(state, stop)
    assert [v.text for v in now.verifies] == ["service postfix status\n"]
    assert [u.text for u in now.undos] == ["service postfix start\n"]


def test_a_proof_for_one_system_needs_to_know_its_host() -> None:
    """An action for any system is held too while it is not known which of its proofs holds there."""
    proofs = (Verify("service postfix status", 1, os="freebsd"), Verify("true", 1, host=NEW, os="debian"))
    action = an_action("a", verifies=proofs)
    stamper = Stamper()
    state = stamper.state(a_runbook(action))
    assert [(h.code, h.subject) for h in holds(state, action)] == [(HoldCode.SYSTEM, "old"), (HoldCode.SYSTEM, "new")]
    stamper(answered("debian"), answered("debian", "new"))
    state = stamper.state(a_runbook(action))
    assert holds(state, action) == ()
    assert effective(state, action).verifies == proofs[1:]


def test_by_hand_counts_before_the_file_and_that_before_the_host() -> None:
    """What the operator says of a system stands, also against what the host answers later."""
    assert system_of(state_after(answered("freebsd")), OLD) == "freebsd"
    state = state_after(answered("ubuntu", "new"), answered("debian", "old", action="stop-debian"), answered("ubuntu"))
    assert (system_of(state, NEW), system_of(state, OLD)) == ("debian", "debian")
    assert codes(state, "stop-debian") == []


def test_file_and_host_that_disagree_hold_until_accepted() -> None:
    """The file says freebsd, old answers debian: no variant applies by itself; both are said, `accept` lifts it."""
    state = state_after(answered("debian"), old="os: FreeBSD")
    found = state.runbook.action("stop-freebsd")
    assert found is not None
    (hold,) = holds(state, found)
    assert hold.code is HoldCode.CONTRADICTION
    assert hold.why == "the runbook says that old is freebsd, but old itself answers debian"
    assert codes(state, "stop-debian") == [HoldCode.CONTRADICTION]
    assert [why_not(state, name) for name in ("stop-freebsd", "stop-debian")] == ["", ""]
    assert allowed(state, "stop-freebsd")[Verb.CONFIRM].startswith("held: the runbook says")
    accepted = ev.Settled(what=ev.Settlement.ACCEPT, value="yes", action="stop-freebsd")
    state = state_after(answered("debian"), accepted, old="os: FreeBSD")
    assert codes(state, "stop-freebsd") == []
    assert [v.text for v in effective(state, found).verifies] == ["service postfix status\n"]
    assert [v.text for v in effective(state, replace(found, os="debian")).verifies] == ["systemctl is-active postfix\n"]
    state = state_after(answered("debian"), answered("debian", action="stop-debian"), old="os: FreeBSD")
    assert why_not(state, "stop-freebsd") == "for freebsd; old is debian"


def test_what_was_done_stays_what_it_is() -> None:
    """An answer that comes after an action ran takes nothing back."""
    state = state_after(answered("freebsd"), *ran("stop-freebsd"), answered("debian", action="stop-debian"))
    assert why_not(state, "stop-freebsd") == ""
    assert state.of("stop-freebsd").status is Status.DONE


@pytest.mark.parametrize(("host", "value"), [("mars", "debian"), ("", "debian"), ("old", "a b"), ("old", "")])
def test_a_system_is_one_word_of_a_host_that_is_there(host: str, value: str) -> None:
    """Anything else is refused as it is entered."""
    with pytest.raises(Refused):
        check_answer(state_after(), ActionId("stop-debian"), ev.Settlement.OS, value, host)
