"""Seals and what is held against them on disk: stretches of an output, and a disk that is full when a run is left."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from runbook_tui.adapters.runs import create_run
from runbook_tui.adapters.seals import add_transcript, put_signature, verify_run
from runbook_tui.core import events as ev
from runbook_tui.core.errors import StateDirError
from tests.support.full_disk import fill, small_disk
from tests.support.journals import BOOT, START, HeldClock, opened, small_run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RUNBOOK = b"# Rotate the motd\n"
PIECES = (b"one\n", b"two\n", b"three\n")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 1 MiB."""
    with small_disk(tmp_path / "disk", 1024 * 1024) as folder:
        yield folder


def run_with_output(state: Path) -> Path:
    """Make a sealed run whose output was stored in three segments; give its folder."""
    with create_run(state, RUNBOOK, "motd", {}, "r1", now=START) as folder:
        journal = folder.journal(HeldClock(), boot=BOOT)
        journal.append(opened(sha256=hashlib.sha256(RUNBOOK).hexdigest()))
        for event in small_run()[1:]:
            journal.append(event)
        at = 0
        for piece in PIECES:
            writer = folder.outputs().writer("r1-1", raw_offset=at)
            writer.write(piece, piece.decode())
            segment = writer.close()
            assert segment is not None
            journal.append(
                ev.Output(
                    attempt="r1-1", raw_offset=segment.raw_offset, raw_length=segment.raw_length,
                    text_offset=segment.text_offset, text_length=segment.text_length, sha256=segment.sha256,
                    text_sha256=segment.text_sha256,
                )
            )  # fmt: skip
            at += len(piece)
        journal.seal()
        return folder.path


@pytest.mark.parametrize(("at", "stretch"), [(1, "0 to 3"), (5, "4 to 7"), (9, "8 to 13")])
def test_the_changed_stretch_of_an_output_is_named(at: int, stretch: str, tmp_path: Path) -> None:
    """Every segment has its own sum: the first that does not fit is named by its bytes, with no seal needed."""
    folder = run_with_output(tmp_path / "state")
    assert verify_run(folder).ok
    (folder / "SHA256SUMS").unlink()
    assert verify_run(folder).ok
    data = bytearray(b"".join(PIECES))
    data[at] ^= 1
    (folder / "output" / "r1-1.log").write_bytes(data)
    wanted = f"output/r1-1.log is not what the journal recorded: bytes {stretch} were changed"
    assert verify_run(folder).problems == (wanted,)


def test_a_full_disk_at_the_end_leaves_a_run_that_verifies(disk: Path) -> None:
    """When nothing fits any more the transcript and the signature are refused, and what was sealed stays sealed."""
    folder = run_with_output(disk / "state")
    add_transcript(folder, "# Transcript\n")
    filler = fill(disk)
    with pytest.raises(StateDirError, match="the disk is full"):
        add_transcript(folder, "# Transcript\n" * 10_000)
    with pytest.raises(StateDirError, match="the disk is full"):
        put_signature(folder, b"s" * 100_000)
    assert verify_run(folder).ok
    filler.unlink()
    add_transcript(folder, "# Transcript\n" * 10_000)
    assert verify_run(folder).ok
    assert not list(folder.glob("*.new")) + list(folder.glob("*.fresh"))
