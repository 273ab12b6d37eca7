"""What `export` and `verify` do: a run's transcript as a file, signed when asked for, and the verdict over a run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from runbook_tui.adapters.seals import verify_run
from runbook_tui.cli import console
from runbook_tui.cli.stored import folder_of, load
from runbook_tui.core.errors import UsageError
from runbook_tui.core.transcript import render
from runbook_tui.core.witness import witnesses

if TYPE_CHECKING:
    from runbook_tui.core.errors import ExitCode


def export(run: str, format_: str, output: str, sign_with: str) -> None:
    """Write a transcript to the file `output`, with a signature beside it when there is a key to make it.

    Raises:
        UsageError: a signature is asked for and no file, or a file is there already.
        SigningError: the key cannot be used; nothing was written then.
    """
    if sign_with and not output:
        raise UsageError("--sign-with needs -o FILE: a signature stands beside a file")
    stored = load(run)
    console.warn(stored.flaw)
    text = render(stored.state, stored.records, stored.folder.outputs().text, format_)
    if not output:
        console.write(text)
        return
    from runbook_tui.cli.leaving import signature  # noqa: PLC0415 -- asyncssh, only to sign
    from runbook_tui.saving import write_new  # noqa: PLC0415

    signed = signature(text.encode(), sign_with) if sign_with else None
    write_new(Path(output).expanduser(), text)
    if signed:
        write_new(Path(f"{output}.sig").expanduser(), signed.data.decode())


def verify(target: str, witness: str) -> ExitCode:
    """Print the verdict over a run, compared with a host's log when one is named (`-`: standard input)."""
    verdict = verify_run(folder_of(target), witnesses(_read_log(witness)) if witness else ())
    for line in verdict.lines(target):
        console.say(line)
    return verdict.exit_code


def _read_log(name: str) -> str:
    if name == "-":
        return sys.stdin.read()
    try:
        return Path(name).expanduser().read_text("utf-8", "replace")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise UsageError(f"--witness {name} cannot be read", reason) from None
