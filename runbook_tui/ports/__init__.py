"""The Protocols through which the engine reaches the outside; adapters implement them, tests may too."""

from __future__ import annotations

from runbook_tui.ports.checks import CheckState, Hosts, Probe, Reading, Row, Secrets, Sight
from runbook_tui.ports.clock import Clock, Drift
from runbook_tui.ports.host_keys import ExpectedKeys, HostKey, KeyRefusal, KeyVerdict, ShownKey
from runbook_tui.ports.hosts import Identity, Job, Link, OutcomeUnknownError, Shell, ShellFactory
from runbook_tui.ports.jobs import (
    NOTHING,
    STDIN,
    Ask,
    Claim,
    Cleaned,
    Ended,
    Fed,
    Following,
    JobId,
    Jobs,
    LinkLostError,
    Needs,
    Owner,
    Stand,
    Standing,
)
from runbook_tui.ports.logins import Asker, Keeper, LoginAnswer, LoginAsk, LoginField, LoginKind
from runbook_tui.ports.network import Dns, MailDoors, Net, Services
from runbook_tui.ports.record import Journal, OutputStore, OutputWriter, RunbookSource, Segment
from runbook_tui.ports.rehearsal import Rehearsal

__all__ = [
    "NOTHING",
    "STDIN",
    "Ask",
    "Asker",
    "CheckState",
    "Claim",
    "Cleaned",
    "Clock",
    "Dns",
    "Drift",
    "Ended",
    "ExpectedKeys",
    "Fed",
    "Following",
    "HostKey",
    "Hosts",
    "Identity",
    "Job",
    "JobId",
    "Jobs",
    "Journal",
    "Keeper",
    "KeyRefusal",
    "KeyVerdict",
    "Link",
    "LinkLostError",
    "LoginAnswer",
    "LoginAsk",
    "LoginField",
    "LoginKind",
    "MailDoors",
    "Needs",
    "Net",
    "OutcomeUnknownError",
    "OutputStore",
    "OutputWriter",
    "Owner",
    "Probe",
    "Reading",
    "Rehearsal",
    "Row",
    "RunbookSource",
    "Secrets",
    "Segment",
    "Services",
    "Shell",
    "ShellFactory",
    "ShownKey",
    "Sight",
    "Stand",
    "Standing",
]
