"""A process that appends to a run's journal without end and prints the number of each record it was acked."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from runbook_tui.adapters.clock import SystemClock
from runbook_tui.adapters.runs import open_run
from runbook_tui.core.events import Noted


def main() -> None:
    """Append notes of growing length to the run named on the command line until killed."""
    state, run = sys.argv[1:]
    with open_run(Path(state), run) as folder:
        journal = folder.journal(SystemClock())
        number = 0
        while True:
            number += 1
            record = journal.append(Noted(text="x" * (number % 3000), by="appender"))
            os.write(1, b"%d\n" % record.seq)


if __name__ == "__main__":
    main()
