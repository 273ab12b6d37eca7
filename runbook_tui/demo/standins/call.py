"""One call of a stand-in: its arguments, folder and three streams; what it does not know it refuses aloud."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, BinaryIO, NoReturn, TextIO, TypeVar

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping
    from pathlib import Path

    from runbook_tui.demo.machine import Machine

NOT_IN_THE_REHEARSAL = 64
"""Exit status of what a stand-in does not know: EX_USAGE of sysexits(3); never a silent success."""

_T = TypeVar("_T")


class Exit(Exception):  # noqa: N818 -- it is an end, not an error
    """The command ends with this status."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class Options:
    """Parsed options: every flag given (letters or long names) and the values of those that take one."""

    flags: frozenset[str] = frozenset()
    values: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    rest: tuple[str, ...] = ()

    def value(self, name: str, default: str = "") -> str:
        """Give an option's last value."""
        return self.values.get(name, (default,))[-1]


@dataclass(slots=True)
class Call:
    """What a stand-in gets. It runs in a thread; `wait` carries work over to the world's loop."""

    machine: Machine
    loop: asyncio.AbstractEventLoop
    argv: tuple[str, ...]
    cwd: str
    user: str
    stdin: BinaryIO
    stdout: TextIO
    stderr: TextIO
    hung_up: Callable[[], bool] = bool
    """Whether the caller was killed; long work looks now and then."""

    def say(self, text: str = "") -> None:
        """Write a line to standard output."""
        print(text, file=self.stdout)

    def warn(self, text: str) -> None:
        """Write a line to standard error."""
        print(text, file=self.stderr)

    def fail(self, text: str, status: int = 1) -> NoReturn:
        """End with a sentence on standard error, as the real command would."""
        self.warn(text)
        raise Exit(status)

    def refuse(self, what: str = "") -> NoReturn:
        """End because the stand-in does not know this."""
        self.fail(f"{self.argv[0]}: {what or ' '.join(self.argv[1:])}: not in the rehearsal", NOT_IN_THE_REHEARSAL)

    def file(self, name: str) -> Path:
        """Give where a file is that the command names, relative to its folder or absolute."""
        return self.machine.host.path(PurePosixPath(self.cwd, name))

    def wait(self, work: Coroutine[None, None, _T]) -> _T:
        """Do something in the world's loop and wait for its result, at most five minutes."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(300)

    def ask(self, look: Callable[[], _T]) -> _T:
        """Have a plain function called in the world's loop, where the servers' state may be touched."""

        async def looked() -> _T:
            return look()

        return self.wait(looked())

    def options(self, letters: str = "", *, long: str = "", arguments: tuple[str, ...] | None = None) -> Options:
        """Parse options as getopt(3) does; refuse what is not in the table.

        `letters` is getopt's own notation (`ab:c`: b takes a value); `long` is words with a trailing `=` where a
        value follows (`verbose rsh=`), given as `--verbose`, `--rsh=x` or `--rsh x`. `arguments` default to argv's.
        """
        wants = {letter: letters[i + 1 : i + 2] == ":" for i, letter in enumerate(letters) if letter != ":"}
        words = {word.rstrip("="): word.endswith("=") for word in long.split()}
        flags: set[str] = set()
        values: dict[str, tuple[str, ...]] = {}
        rest = list(self.argv[1:] if arguments is None else arguments)
        found: list[str] = []

        def take(name: str, value: str) -> None:
            values[name] = (*values.get(name, ()), value)

        while rest:
            word = rest.pop(0)
            if word == "--":
                found += rest
                break
            if word.startswith("--"):
                name, equals, value = word[2:].partition("=")
                if name not in words or (equals and not words[name]):
                    self.refuse(word)
                if not words[name]:
                    flags.add(name)
                elif equals or rest:
                    take(name, value if equals else rest.pop(0))
                else:
                    self.refuse(f"{word} without a value")
            elif word.startswith("-") and word != "-":
                cluster = word[1:]
                while cluster:
                    letter, cluster = cluster[0], cluster[1:]
                    if letter not in wants:
                        self.refuse(f"-{letter}")
                    if not wants[letter]:
                        flags.add(letter)
                    elif cluster or rest:
                        take(letter, cluster or rest.pop(0))
                        cluster = ""
                    else:
                        self.refuse(f"-{letter} without a value")
            else:
                found.append(word)
        return Options(frozenset(flags), values, tuple(found))


Command = Callable[[Call], int | None]
"""A stand-in: gives its exit status, None for 0, or raises Exit."""
