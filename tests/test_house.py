"""The house rules, kept by tools: style, types, import directions, and what the command line may load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOOLS = Path(sys.executable).parent


@pytest.mark.parametrize(
    "command",
    [
        ["ruff", "check", "."],
        ["mypy"],
        ["lint-imports", "--no-cache"],
    ],
    ids=lambda command: str(command[0]),
)
def test_the_tools_are_content(command: list[str]) -> None:
    """Style, types and import contracts hold for source and tests."""
    done = subprocess.run(
        [TOOLS / command[0], *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["lint", "first-steps"], ["outline", "first-steps"]])
def test_reading_commands_load_neither_the_screen_nor_ssh(arguments: list[str]) -> None:
    """What needs no screen and no host starts without the libraries for them."""
    script = (
        "import sys\n"
        "from runbook_tui.__main__ import main\n"
        f"sys.argv = ['mailrunbook', *{arguments!r}]\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert not end.code, end.code\n"
        "loaded = {name for name in ('textual', 'asyncssh', 'keyring', 'imapclient', 'dns') if name in sys.modules}\n"
        "assert not loaded, loaded\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
