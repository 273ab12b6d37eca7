"""Asks a host several read-only things in one script, and tells what each said, how it ended, and that all came."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbook_tui.core.errors import HostError
from runbook_tui.ports import CheckState, Link, OutcomeUnknownError, Reading

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runbook_tui.ports import Sight

LONGEST_LINE = 64 * 1024
"""Bytes of a line that are looked at; the rest is dropped."""

MOST_KEPT = 256 * 1024
"""Characters that a part keeps when nobody listens to its lines."""


@dataclass(slots=True)
class Part:
    """What one command of the script said. `exit` is None while its end was not seen; `cut` when lines were dropped."""

    lines: list[str] = field(default_factory=list)
    exit: int | None = None
    cut: bool = False
    _kept: int = 0

    def keep(self, line: str) -> None:
        """Keep a line while there is room."""
        self._kept += len(line) + 1
        if self._kept <= MOST_KEPT:
            self.lines.append(line)
        else:
            self.cut = True

    @property
    def text(self) -> str:
        """The lines together, without blank ones at the end."""
        return "\n".join(self.lines).rstrip("\n")


def script(commands: Mapping[str, str], mark: str) -> str:
    """Give one script of all commands, each in a subshell, its beginning and its end told by lines with the mark."""
    told = (
        f"echo '{mark} {name}'\n(\n{command.strip()}\n)\nprintf '\\n%s %s\\n' '{mark} =' $?\n"
        for name, command in commands.items()
    )
    return "".join((*told, f"echo '{mark} .'\n"))


class Heard:
    """Takes what the script says, in any pieces. A line is handed on as soon as it is whole; memory stays bounded.

    `listeners` take the lines of a part instead of keeping them.
    """

    def __init__(self, mark: str, listeners: Mapping[str, Callable[[str], None]] | None = None) -> None:
        self.parts: dict[str, Part] = {}
        self.whole = False
        self._mark = f"{mark} "
        self._listeners = listeners or {}
        self._take: Callable[[str], None] | None = None
        self._part: Part | None = None
        self._line = bytearray()

    def feed(self, data: bytes) -> None:
        """Take what came."""
        *whole, rest = data.split(b"\n")
        for piece in whole:
            self._add(piece)
            self._end_line()
        self._add(rest)

    def _add(self, piece: bytes) -> None:
        self._line += piece[: LONGEST_LINE - len(self._line)]

    def _end_line(self) -> None:
        line = self._line.decode("utf-8", "backslashreplace")
        self._line.clear()
        if line.startswith(self._mark):
            self._turn(line.removeprefix(self._mark))
        elif self._take is not None and not self.whole:
            self._take(line)

    def _turn(self, word: str) -> None:
        if word == ".":
            self.whole = all(part.exit is not None for part in self.parts.values())
        elif word.startswith("= ") and self._part is not None:
            self._part.exit = int(word[2:])
            self._take = None
        else:
            self._part = self.parts[word] = Part()
            self._take = self._listeners.get(word, self._part.keep)


async def ask(
    sight: Sight,
    host: str,
    commands: Mapping[str, str],
    listeners: Mapping[str, Callable[[str], None]] | None = None,
) -> Mapping[str, Part]:
    """Run the commands on the host, one after the other; give what each said, standard error included.

    Raises:
        HostError: the host cannot be asked, or its answer did not arrive to its end.
    """
    shell = sight.hosts.find(host)
    if shell is None:
        raise HostError(f"nothing says how {host} is reached")
    if shell.link is Link.REFUSED:
        raise HostError(f"{host} refuses us", "see Hosts for why")
    mark = f"look-{secrets.token_hex(8)}"
    answer = Heard(mark, listeners)
    try:
        job = await shell.start(script(commands, mark), answer.feed)
    except OutcomeUnknownError as error:
        raise HostError(f"{host} did not say whether it was asked", str(error)) from error
    try:
        ended = await job.wait()
    finally:
        job.close()
    if not answer.whole:
        why = ended.lost or (f"signal {ended.signal}" if ended.signal else f"exit status {ended.exit}")
        raise HostError(f"the answer of {host} was cut off", why)
    return answer.parts


def blind(error: HostError) -> Reading:
    """Give the reading of a look that could not be taken."""
    return Reading(CheckState.UNKNOWN, error.title, error=str(error))
