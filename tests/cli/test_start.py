"""How the program starts and what it says of itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from runbook_tui import __version__
from tests.support.talk import environment, finished, program

ROOT = Path(__file__).parents[2]
COMMANDS = ("run", "resume", "check", "runs", "status", "outline", "lint", "export", "verify")


def test_the_version_needs_nothing_at_all(tmp_path: Path) -> None:
    """`--version` loads neither the event loop, nor Typer, nor a screen, nor ssh."""
    script = (
        "import sys; from runbook_tui.__main__ import main; sys.argv = ['mailrunbook', '--version']; main()\n"
        "print(*sorted({'asyncio', 'typer', 'textual', 'asyncssh'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=environment(tmp_path), cwd=ROOT
    )
    assert done.stdout == f"mailrunbook {__version__}\n\n"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(tmp_path: Path, command: str) -> None:
    """Help goes to standard output, ends with an example of that command, and exits 0."""
    done = finished(command, "--help", state=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Example: mailrunbook {command}" in done.stdout


def test_help_lists_every_command(tmp_path: Path) -> None:
    """The list of commands is whole."""
    done = finished("--help", state=tmp_path)
    assert done.returncode == 0
    assert all(f"\n  {command} " in done.stdout for command in COMMANDS)


@pytest.mark.parametrize(
    "arguments",
    [["frobnicate"], ["run"], ["run", "--frob"], ["runs", "--json", "extra"], ["export", "x", "--format", "html"]],
)
def test_misuse_ends_with_2(tmp_path: Path, arguments: list[str]) -> None:
    """A wrong command line is a sentence on standard error and exit code 2."""
    done = finished(*arguments, state=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_a_reader_that_has_seen_enough_is_no_failure(tmp_path: Path) -> None:
    """`mailrunbook … | head` ends quietly."""
    with subprocess.Popen(
        program("--help"), stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(tmp_path)
    ) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        said = process.stderr.read()
        process.wait(30)
    assert said == b""


def test_a_fault_of_the_program_ends_with_70_and_shows_no_values(tmp_path: Path) -> None:
    """An unexpected exception is a plain traceback: no values of local variables."""
    script = (
        "import sys; from runbook_tui.cli import commands, shipped\n"
        "def broken(wanted):\n    password = 'CANARY' + wanted\n    raise ZeroDivisionError('broken')\n"
        "shipped.find = broken; sys.argv = ['mailrunbook', 'lint', 'x.md']; commands.run()"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=environment(tmp_path), cwd=ROOT
    )
    assert done.returncode == 70
    assert "ZeroDivisionError: broken" in done.stderr
    assert "CANARYx.md" not in done.stderr
