"""A process that holds a run, says so, and keeps it until its standard input ends."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from runbook_tui.adapters.runs import open_run


def main() -> None:
    """Hold the run named on the command line."""
    state, run = sys.argv[1:]
    with open_run(Path(state), run):
        os.write(1, b"held\n")
        sys.stdin.read()


if __name__ == "__main__":
    main()
