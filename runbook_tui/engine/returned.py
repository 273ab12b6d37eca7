"""What is said when a run is opened again, from the run's state, its record and what the hosts show now."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runbook_tui.core.returning import Section, World, report, unsettled
from runbook_tui.core.verdict import gaps, missing_output

if TYPE_CHECKING:
    from runbook_tui.engine.connections import HostView
    from runbook_tui.engine.engine import Engine


def returned(engine: Engine, reload: str = "reload") -> list[Section]:
    """Give the sections; the same call later has what became known meanwhile.

    `reload` is how the front end calls the adoption of an edited file.
    """
    return report(engine.state, replace(_world(engine), reload=reload))


def wants_a_look(engine: Engine) -> bool:
    """Whether something of it becomes known only by asking hosts, and is worth a second look."""
    return unsettled(engine.state, _world(engine))


def _world(engine: Engine) -> World:
    hosts = [line for view in engine.hosts() if (line := _otherwise(view))]
    records = engine.records
    found = [engine.redact(gap) for gap in (*gaps(records), *missing_output(records))]
    return World(engine.now, engine.drift, hosts, found, contacted=engine.consented)


def _otherwise(view: HostView) -> str:
    """Say what stands against working on a host; empty where nothing is known."""
    if view.refusal is not None:
        return f"host {view.name} shows a host key that is not the expected one; Hosts… has it"
    if view.held:
        return f"host {view.name} is held by {view.held}"
    return f"host {view.name}: {view.problem.partition(chr(10))[0]}" if view.problem else ""
