"""The outputs on disk: text, segments with true offsets, and names that stay in their folder."""

from __future__ import annotations

import hashlib
import os
import stat
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from runbook_tui.adapters.outputs import SEGMENT_SIZE, FileOutputStore
from runbook_tui.core.errors import StateDirError

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_tui.ports import OutputStore, Segment


def test_text_is_there_as_soon_as_it_is_written(tmp_path: Path) -> None:
    """Stored text can be read before the writer is closed; an attempt without output has none."""
    store: OutputStore = FileOutputStore(tmp_path)
    writer = store.writer("r1-1")
    assert store.text("r1-1") == ""
    assert writer.write(b"caf\xc3\xa9\n", "café\n") is None
    assert store.text("r1-1") == "café\n"
    assert store.text("r1-2") == ""


def test_a_file_is_private_whatever_the_umask(tmp_path: Path) -> None:
    """An output file has mode 0600 under a wide and under a strict umask."""
    for number, mask in enumerate((0o000, 0o777)):
        before = os.umask(mask)
        try:
            FileOutputStore(tmp_path).writer(f"r1-{number}").close()
        finally:
            os.umask(before)
        assert stat.S_IMODE((tmp_path / f"r1-{number}.log").stat().st_mode) == 0o600


def test_a_segment_is_completed_at_its_size_and_at_the_end(tmp_path: Path) -> None:
    """A segment ends once it holds 64 KiB of raw bytes; closing ends the last one, once."""
    writer = FileOutputStore(tmp_path).writer("r1-1")
    raw = b"\x1b[1m" + b"x" * (SEGMENT_SIZE - 5)
    assert writer.write(raw, "x" * (SEGMENT_SIZE - 5)) is None
    first = writer.write("é\n".encode(), "é\n")
    assert first is not None
    assert (first.raw_offset, first.text_offset) == (0, 0)
    assert first.text_length == SEGMENT_SIZE - 5 + 3
    writer.write(b"tail", "tail")
    last = writer.close()
    assert last is not None
    assert (last.raw_offset, last.raw_length) == (first.raw_length, 4)
    assert (last.text_offset, last.text_length) == (first.text_length, 4)
    assert last.sha256 == hashlib.sha256(b"tail").hexdigest()
    assert writer.close() is None


def test_no_output_makes_no_segment(tmp_path: Path) -> None:
    """An attempt that said nothing has no segment; text held back until the end has one without raw bytes."""
    assert FileOutputStore(tmp_path).writer("r1-1").close() is None
    writer = FileOutputStore(tmp_path).writer("r1-2")
    writer.write(b"", "held back")
    segment = writer.close()
    assert segment is not None
    assert (segment.raw_length, segment.text_length) == (0, 9)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(pieces=st.lists(st.tuples(st.binary(max_size=40_000), st.text(max_size=50)), max_size=12))
def test_segments_cover_everything_without_a_hole(
    tmp_path_factory: pytest.TempPathFactory, pieces: list[tuple[bytes, str]]
) -> None:
    """Put together, the segments stand for all raw bytes and all text, in order, with the right sums."""
    store = FileOutputStore(tmp_path_factory.mktemp("output"))
    writer = store.writer("a")
    found: list[Segment | None] = [writer.write(raw, text) for raw, text in pieces]
    found.append(writer.close())
    raw, text = b"".join(r for r, _ in pieces), "".join(t for _, t in pieces)
    raw_at = text_at = 0
    for segment in filter(None, found):
        assert (segment.raw_offset, segment.text_offset) == (raw_at, text_at)
        piece = raw[raw_at : raw_at + segment.raw_length]
        assert segment.sha256 == hashlib.sha256(piece).hexdigest()
        shown = text.encode()[text_at : text_at + segment.text_length]
        assert segment.text_sha256 == hashlib.sha256(shown).hexdigest()
        raw_at, text_at = raw_at + segment.raw_length, text_at + segment.text_length
    assert (raw_at, text_at) == (len(raw), len(text.encode()))
    assert (store._folder / "a.log").read_bytes() == text.encode()


def test_writing_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Opened again with the raw bytes stored so far, an output goes on behind its text."""
    store = FileOutputStore(tmp_path)
    writer = store.writer("r1-1")
    writer.write(b"\x07one\n", "one\n")
    writer.close()
    again = store.writer("r1-1", raw_offset=5)
    again.write(b"two\n", "two\n")
    segment = again.close()
    assert segment is not None
    assert (segment.raw_offset, segment.text_offset) == (5, 4)
    assert store.text("r1-1") == "one\ntwo\n"


def test_a_closed_output_takes_nothing(tmp_path: Path) -> None:
    """Writing after closing is refused with a sentence."""
    writer = FileOutputStore(tmp_path).writer("r1-1")
    writer.close()
    with pytest.raises(StateDirError, match="closed"):
        writer.write(b"x", "x")


@pytest.mark.parametrize("attempt", ["", ".", "../x", "/tmp/x", "a/b", "a\nb", "-x", "ä"])
def test_an_attempt_cannot_name_a_file_elsewhere(tmp_path: Path, attempt: str) -> None:
    """Only plain names are attempts; anything that could lead out of the folder is refused."""
    store = FileOutputStore(tmp_path / "output")
    with pytest.raises(StateDirError, match="no name of an attempt"):
        store.writer(attempt)
    with pytest.raises(StateDirError, match="no name of an attempt"):
        store.text(attempt)


def test_a_missing_folder_is_a_sentence(tmp_path: Path) -> None:
    """Where the output folder is gone, opening an output says so."""
    with pytest.raises(StateDirError, match="it is not there"):
        FileOutputStore(tmp_path / "gone").writer("r1-1")
