"""What is printed of a fault, and what the debug log says, has no secret in it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from runbook_tui.cli import console
from runbook_tui.cli.faults import Faults
from runbook_tui.cli.sitting import _log_to, check_no_secret
from runbook_tui.core.errors import UsageError
from runbook_tui.core.fault import plain_traceback
from runbook_tui.core.redact import KnownSecrets, mark
from runbook_tui.core.secret import Secret

if TYPE_CHECKING:
    from pathlib import Path

CANARY = "canary-7f3a9c"
KNOWN = KnownSecrets([Secret("relay", CANARY)])


def test_a_fault_is_told_without_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    """The traceback has the mark, the program's exit code is that of a fault."""

    def broken() -> None:
        with Faults(KNOWN.redact):
            raise ValueError(f"cannot use {CANARY}")

    assert console.guarded(broken) == 70
    said = capsys.readouterr().err
    assert f"ValueError: cannot use {mark('relay')}" in said
    assert CANARY not in said
    assert "a fault of mailrunbook" in said


def test_the_crash_text_of_the_app_has_no_secrets() -> None:
    """An exception's own words may hold one."""
    assert mark("relay") in plain_traceback(ValueError(CANARY), KNOWN.redact)
    assert CANARY not in plain_traceback(ValueError(CANARY), KNOWN.redact)


def test_the_debug_log_has_no_secrets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Messages, their arguments and tracebacks are written with marks."""
    root = logging.RootLogger(logging.DEBUG)
    monkeypatch.setattr(logging, "root", root)
    _log_to(tmp_path / "debug.log", KNOWN)
    root.debug("login with %s", CANARY)
    root.debug("and failed", exc_info=ValueError(CANARY))
    for handler in root.handlers:
        handler.close()
        assert isinstance(handler, logging.StreamHandler)
        handler.stream.close()
    said = (tmp_path / "debug.log").read_text()
    assert f"login with {mark('relay')}" in said
    assert f"ValueError: {mark('relay')}" in said
    assert CANARY not in said


def test_a_variable_is_no_place_for_a_secret() -> None:
    """It would be in the journal: it is refused before there is one."""
    with pytest.raises(UsageError, match="the secret relay is in it"):
        check_no_secret({"domain": f"x{CANARY}"}, KNOWN)
    check_no_secret({"domain": "example.org"}, KNOWN)
