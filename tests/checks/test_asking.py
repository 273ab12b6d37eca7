"""Asking a host several things in one script."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from runbook_tui.checks.asking import LONGEST_LINE, MOST_KEPT, ask, script
from runbook_tui.core.errors import HostError
from tests.checks.onhosts import MARK, answer, commands, heard, sight_of

if TYPE_CHECKING:
    from pathlib import Path

SHELLS = [name for name in ("dash", "bash", "mksh", "ksh", "busybox") if shutil.which(name)]
COMMANDS = {"one": "echo a; echo b >&2", "two": "printf 'no end'; exit 7", "three": "false", "four": "true"}


@pytest.mark.parametrize("shell", SHELLS)
def test_every_shell_tells_output_and_status_of_each_part(shell: str) -> None:
    """An `exit` ends its part only, and output without a newline at its end does not hide the next mark."""
    argv = [shell, "sh", "-c"] if shell == "busybox" else [shell, "-c"]
    done = subprocess.run(
        [*argv, script(COMMANDS, MARK)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
    )
    taken = heard(done.stdout)
    told = {name: (part.text, part.exit) for name, part in taken.parts.items()}
    assert told == {"one": ("a\nb", 0), "two": ("no end", 7), "three": ("", 1), "four": ("", 0)}
    assert taken.whole


async def test_a_host_is_asked_through_its_shell(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What the real shell says comes back by part."""
    commands(monkeypatch, tmp_path / "bin", my_tool='echo "it says $1"; exit 3')
    parts = await ask(sight_of("old"), "old", {"tool": "my-tool x", "none": "no-such-tool-here"})
    assert (parts["tool"].text, parts["tool"].exit) == ("it says x", 3)
    assert parts["none"].exit == 127


async def test_an_answer_that_ends_too_early_is_no_answer() -> None:
    """A shell that is killed in the middle gives an error, not what came so far."""
    with pytest.raises(HostError, match="cut off"):
        await ask(sight_of("old"), "old", {"one": "echo a", "two": "kill -9 $$"})


async def test_a_host_that_nothing_is_known_of_cannot_be_asked() -> None:
    """A name without a shell gives a sentence."""
    with pytest.raises(HostError, match="nothing says how nowhere is reached"):
        await ask(sight_of("old"), "nowhere", {"one": "true"})


def test_an_answer_cut_anywhere_is_not_whole() -> None:
    """No byte may be missing."""
    data = answer({"one": (b"a", 0), "two": (b"b\n", 1)})
    assert heard(data).whole
    assert not any(heard(data[:length]).whole for length in range(len(data)))


def test_pieces_do_not_matter() -> None:
    """An answer that comes byte by byte is the same."""
    data = answer({"one": ("größer\nzwei".encode(), 0)})
    taken = heard(b"")
    for place in range(len(data)):
        taken.feed(data[place : place + 1])
    assert taken.whole
    assert taken.parts["one"].text == "größer\nzwei"


def test_memory_is_bounded() -> None:
    """An endless line is cut, and so is an endless part."""
    taken = heard(b"%b one\n" % MARK.encode() + b"x" * 10_000_000)
    assert len(taken._line) == LONGEST_LINE
    taken = heard(answer({"one": (b"line\n" * 200_000, 0)}))
    assert taken.parts["one"].cut
    assert len(taken.parts["one"].text) <= MOST_KEPT
