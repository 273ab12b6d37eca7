"""A terminal that has gone must not keep the app from leaving."""

from __future__ import annotations

import os

from textual.drivers._writer_thread import MAX_QUEUED_WRITES, WriterThread

from runbook_tui.ui.driver import _Lasting


def test_drawing_goes_on_after_the_terminal_has_gone() -> None:
    """More is drawn than the writing thread may hold back, and it still stops when it is asked to."""
    master, slave = os.openpty()
    with os.fdopen(slave, "w", encoding="utf-8") as terminal:
        os.close(master)
        writer = WriterThread(_Lasting(terminal))  # type: ignore[arg-type]
        writer.start()
        for _ in range(3 * MAX_QUEUED_WRITES):
            writer.write("drawn for nobody" * 100)
        assert writer.is_alive()
        writer.stop()
    assert not writer.is_alive()
