"""What stops a rehearsal before it begins."""

from __future__ import annotations

from runbook_tui.core.errors import ExitCode, RunbookTuiError


class RehearsalError(RunbookTuiError):
    """The machine does not give what a rehearsal needs: namespaces asked for, a folder, loopback ports, TLS."""

    exit_code = ExitCode.UNREACHABLE
