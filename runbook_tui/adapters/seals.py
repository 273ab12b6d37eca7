"""Seals of run folders on disk: writing SHA256SUMS, reading it back, and `mailrunbook verify`."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING

from runbook_tui.adapters.private_files import open_file, read_file, replace_file, storage_error, sync_folder
from runbook_tui.core.chain import ChainError, read_records
from runbook_tui.core.errors import StateDirError, UsageError
from runbook_tui.core.seal import (
    JOURNAL_NAME,
    OUTPUT_FOLDER,
    RUNBOOK_NAME,
    SEAL_NAME,
    SIGNATURE_NAME,
    TRANSCRIPT_NAME,
    VARIABLES_NAME,
    Seal,
    SealedFile,
    Signature,
    copy_name,
    parse_seal,
    seal_text,
)
from runbook_tui.core.verdict import FoundFile, Stretch, Verdict, judge, stretches

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime
    from pathlib import Path

    from runbook_tui.core.witness import Witness

NAMED = {JOURNAL_NAME, SEAL_NAME, SIGNATURE_NAME, TRANSCRIPT_NAME}
"""The files by which a run can be named, too."""

BLOCK = 1024 * 1024
"""How much of a file is read at once, in bytes."""


def write_seal(folder: Path, count: int, head: str, at: datetime) -> None:
    """Seal a run folder as it is now. Raises OSError; an older seal stays then, and its signature.

    A transcript in it may be of an earlier day: `add_transcript` seals one.
    """
    _put(folder, seal_text(count, head, at, [_seal_file(folder, name) for name in _present(folder)]))


def add_transcript(folder: Path, text: str) -> None:
    """Put the transcript into a sealed run folder and its sum into the seal; without a seal, do nothing.

    Raises:
        StateDirError: it cannot be written, or the seal cannot be read.
    """
    seal = read_seal(folder)
    if seal is None:
        return
    files = [file for file in seal.files if file.name != TRANSCRIPT_NAME]
    try:
        if len(files) != len(seal.files):
            _put(folder, seal_text(seal.count, seal.head, seal.at, files))
        replace_file(folder / TRANSCRIPT_NAME, text.encode("utf-8", "backslashreplace"))
        files.append(_seal_file(folder, TRANSCRIPT_NAME))
        _put(folder, seal_text(seal.count, seal.head, seal.at, files))
    except OSError as error:
        raise storage_error(error, folder / TRANSCRIPT_NAME, "write the transcript") from None


def put_signature(folder: Path, signature: bytes) -> None:
    """Put the seal's signature beside it.

    Raises:
        StateDirError: it cannot be written.
    """
    try:
        replace_file(folder / SIGNATURE_NAME, signature)
    except OSError as error:
        raise storage_error(error, folder / SIGNATURE_NAME, "write the signature") from None


def _put(folder: Path, text: str) -> None:
    """Put a new seal in the old one's place.

    The old signature goes first: a kill in between leaves a seal without one, never one that does not fit.
    """
    fresh = folder / f"{SEAL_NAME}.fresh"
    replace_file(fresh, text.encode())
    (folder / SIGNATURE_NAME).unlink(missing_ok=True)
    fresh.replace(folder / SEAL_NAME)
    sync_folder(folder)


def read_seal(folder: Path) -> Seal | None:
    """Give the folder's seal, None when it was never sealed.

    Raises:
        StateDirError: there is one and it cannot be read or understood.
    """
    path = folder / SEAL_NAME
    try:
        return parse_seal(read_file(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise storage_error(error, path, "read the seal") from None
    except ChainError as error:
        hint = "`mailrunbook verify` says more; a seal cannot be mended."
        raise StateDirError("This run's seal cannot be understood.", f"{path}: {error}", hint) from None


def _present(folder: Path) -> list[str]:
    """Give the names of the files a seal covers: the three of every run, and the copies and outputs there are."""
    outputs = sorted((folder / OUTPUT_FOLDER).glob("*.log"))
    copies = sorted(path.name for path in folder.glob(copy_name("?" * 64)))
    return [RUNBOOK_NAME, *copies, VARIABLES_NAME, JOURNAL_NAME, *(f"{OUTPUT_FOLDER}/{path.name}" for path in outputs)]


def _seal_file(folder: Path, name: str) -> SealedFile:
    descriptor = open_file(folder / name, os.O_RDONLY)
    try:
        os.fsync(descriptor)
        size = os.fstat(descriptor).st_size
        return SealedFile(name, size, _sum(descriptor, size))
    finally:
        os.close(descriptor)


def _sum(descriptor: int, size: int) -> str:
    """Give the sha256 of the first `size` bytes, or of all there are when they are fewer."""
    digest = hashlib.sha256()
    while size > 0 and (block := os.read(descriptor, min(size, BLOCK))):
        digest.update(block)
        size -= len(block)
    return digest.hexdigest()


def verify_run(target: Path, seen: Iterable[Witness] = ()) -> Verdict:
    """Verify a run's folder, or the folder of a run one of whose files is named, and what hosts saw of it.

    Raises:
        UsageError: it is neither.
        StateDirError: a file cannot be read.
    """
    folder = target.parent if target.name in NAMED and target.is_file() else target
    if not any((folder / name).is_file() for name in (JOURNAL_NAME, SEAL_NAME)):
        raise UsageError(
            "This is no run.",
            f"{target}: there is no {JOURNAL_NAME}",
            "Name a run, its folder or its journal; `mailrunbook runs` lists the runs.",
        )
    try:
        data = _journal_bytes(folder)
        seal, unreadable = _seal_or_problem(folder)
        found = _found(folder, seal, stretches(read_records(data).records))
        signature = _signature(folder)
    except OSError as error:
        raise storage_error(error, folder, "read the run") from None
    return judge(data, seal, found, seal_problem=unreadable, signature=signature, seen=seen)


def _signature(folder: Path) -> Signature | None:
    try:
        made = read_file(folder / SIGNATURE_NAME)
    except FileNotFoundError:
        return None
    try:
        signed = read_file(folder / SEAL_NAME)
    except FileNotFoundError:
        return Signature(problem=f"{SIGNATURE_NAME} is there, but {SEAL_NAME}, which it signs, is not")
    from runbook_tui.adapters.signing import check  # noqa: PLC0415 -- asyncssh, only where something is signed

    return check(signed, made)


def _journal_bytes(folder: Path) -> bytes:
    try:
        return read_file(folder / JOURNAL_NAME)
    except FileNotFoundError:
        return b""


def _seal_or_problem(folder: Path) -> tuple[Seal | None, str]:
    try:
        return parse_seal(read_file(folder / SEAL_NAME)), ""
    except FileNotFoundError:
        return None, ""
    except ChainError as error:
        return None, f"the seal cannot be understood: {error}"


def _found(
    folder: Path, seal: Seal | None, wanted: dict[str, dict[Stretch, str]]
) -> dict[str, FoundFile]:  # fmt: skip
    sealed = {file.name: file.size for file in seal.files} if seal else {}
    found: dict[str, FoundFile] = {}
    for name in sealed.keys() | set(_present(folder)):
        try:
            descriptor = open_file(folder / name, os.O_RDONLY | os.O_NONBLOCK)
        except FileNotFoundError:
            continue
        try:
            size = os.fstat(descriptor).st_size
            whole = _sum(descriptor, sealed.get(name, size))
            found[name] = FoundFile(size, whole, {each: _piece(descriptor, each) for each in wanted.get(name, ())})
        finally:
            os.close(descriptor)
    return found


def _piece(descriptor: int, stretch: Stretch) -> str:
    start, stop = stretch
    os.lseek(descriptor, start, os.SEEK_SET)
    return _sum(descriptor, stop - start)
