"""Reads the operator's ssh configuration, only for what concerns address, user, keys and hops.

Nothing in it can run a program here or weaken a check: `Match exec` does not apply, other keywords are passed over.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from runbook_tui.adapters.ssh_patterns import matches
from runbook_tui.core.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_INCLUDE_DEPTH = 16
_KEYWORDS = frozenset({
    "hostname", "port", "user", "identitiesonly", "identityagent", "proxyjump", "hostkeyalias", "proxycommand",
})  # fmt: skip


@dataclass(slots=True)
class ConfigReader:
    """Collects what applies to one host; `host` and `user` are as the operator wrote them, `user` may be "".

    `options` has the first value of each keyword, in lower case; `identity_files` has them all, in order.
    """

    host: str
    user: str
    local_user: str
    home: Path
    options: dict[str, str] = field(default_factory=dict)
    identity_files: list[str] = field(default_factory=list)

    def read(self, path: Path) -> None:
        """Take what applies of a file and of those it includes; a file that does not exist says nothing.

        Raises:
            HostError: the file is there and cannot be read, or a line's quotes do not match.
        """
        self._read(path, enclosing=True, depth=0)

    def _read(self, path: Path, *, enclosing: bool, depth: int) -> None:
        applies = enclosing
        for keyword, arguments in _lines(path):
            if keyword == "host":
                applies = enclosing and matches(arguments, self.host)
            elif keyword == "match":
                applies = enclosing and self._match(arguments)
            elif not applies or not arguments:
                continue
            elif keyword == "include" and depth < _INCLUDE_DEPTH:
                for included in self._included(path, arguments):
                    self._read(included, enclosing=True, depth=depth + 1)
            elif keyword == "identityfile":
                self.identity_files.append(arguments[0])
            elif keyword in _KEYWORDS:
                self.options.setdefault(keyword, " ".join(arguments))

    def _included(self, path: Path, patterns: Sequence[str]) -> Iterator[Path]:
        for pattern in patterns:
            full = self.home / pattern[2:] if pattern.startswith("~/") else path.parent / pattern
            yield from sorted(Path("/").glob(str(full.absolute()).lstrip("/")))

    def _match(self, criteria: Sequence[str]) -> bool:
        values = {
            "host": self.options.get("hostname", self.host),
            "originalhost": self.host,
            "user": self.user or self.options.get("user", self.local_user),
            "localuser": self.local_user,
        }
        words = iter(criteria)
        for word in words:
            criterion = word.lower().removeprefix("!")
            if criterion == "all":
                holds = True
            elif criterion in values:
                holds = matches(next(words, "").split(","), values[criterion])
            else:
                return False  # exec and the like: nothing is run to find out
            if holds == word.startswith("!"):
                return False
        return True


def _lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Give keyword, in lower case, and arguments of every line."""
    try:
        text = path.read_text(encoding="utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return
    except OSError as error:
        raise HostError("The ssh configuration cannot be read.", f"{path}: {error.strerror}") from error
    for number, line in enumerate(text.splitlines(), 1):
        found = re.match(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+)(.*)", line)
        if found is None:
            continue
        keyword = found[1].lower()
        if keyword not in _KEYWORDS | {"host", "match", "include", "identityfile"}:
            continue
        try:
            yield keyword, [found[2].strip()] if keyword == "proxycommand" else shlex.split(found[2], comments=True)
        except ValueError as error:
            raise HostError("The ssh configuration cannot be read.", f"{path} line {number}: {error}") from error
