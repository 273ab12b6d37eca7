"""The only orchestrator: an intent comes in, events go out; it owns tasks and connections, around the front end."""

from runbook_tui.checks.view import CheckView
from runbook_tui.engine.carrying import Activity
from runbook_tui.engine.connections import HostView
from runbook_tui.engine.engine import Engine, Opening
from runbook_tui.engine.following import Follower

__all__ = ["Activity", "CheckView", "Engine", "Follower", "HostView", "Opening"]
