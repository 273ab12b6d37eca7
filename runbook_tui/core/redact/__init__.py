"""Secrets are taken out of text, in every usual encoding, before it is stored or shown (PROMISES.md 3.6, P7)."""

from __future__ import annotations

from runbook_tui.core.redact.fields import redact_event
from runbook_tui.core.redact.known import KnownSecrets
from runbook_tui.core.redact.lines import LineRedactor
from runbook_tui.core.redact.redactor import SHORTEST, Redactor, mark
from runbook_tui.core.redact.stream import RedactStream

__all__ = ["SHORTEST", "KnownSecrets", "LineRedactor", "RedactStream", "Redactor", "mark", "redact_event"]
