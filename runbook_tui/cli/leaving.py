"""What is left in a run's folder when a sitting ends: the transcript beside the journal, sealed and signed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from runbook_tui.adapters.private_files import read_file
from runbook_tui.adapters.seals import add_transcript, put_signature
from runbook_tui.core.errors import RunbookTuiError, UsageError
from runbook_tui.core.seal import OUTPUT_FOLDER, SEAL_NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.adapters.signing import Signed

LARGEST = 16 * 1024 * 1024
"""Bytes of output up to which the transcript is written without being asked for: making it takes ten times as much."""


def leave(folder: Path, transcript: Callable[[], str], named: str) -> tuple[str, ...]:
    """Write and seal the transcript, sign the seal; give a sentence for each thing that could not be done.

    The run itself is sealed already: whatever fails here takes nothing from it.
    """
    said = []
    try:
        if _size(folder) > LARGEST:
            said.append("The transcript was not written, there is much output; mailrunbook export writes it.")
        else:
            add_transcript(folder, transcript())
    except RunbookTuiError as error:
        said.append(f"The transcript was not written: {error.title}")
    try:
        signed = signature(read_file(folder / SEAL_NAME), named)
        put_signature(folder, signed.data)
        said.append(f"{SEAL_NAME} is signed with the key {signed.key}.")
    except FileNotFoundError:
        said.append("Not signed: the run has no seal yet.")
    except RunbookTuiError as error:
        said.append(f"Not signed: {error.title}. {error.detail}")
    return tuple(said)


def signature(data: bytes, named: str) -> Signed:
    """Sign with the key of that name, or with the one that is found when it is empty.

    Raises:
        SigningError: there is none, or it cannot be used.
    """
    from runbook_tui.adapters.signing import environment_and_home, sign  # noqa: PLC0415 -- asyncssh

    return sign(data, Path(named).expanduser() if named else None, *environment_and_home())


def check_key(named: str) -> None:
    """Refuse a key file that is not there before anything begins.

    Raises:
        UsageError: it is not.
    """
    if named and not Path(named).expanduser().is_file():
        raise UsageError(f"--sign-with {named}: there is no such file")


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in (folder / OUTPUT_FOLDER).glob("*.log"))
