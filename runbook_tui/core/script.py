"""The wrapped command: the text of a fence as the one script that is shown, hashed, sent and executed."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def wrap(text: str, cwd: str = "") -> str:
    """Give the script for `/bin/sh`: the folder first, and an end at the first line that fails.

    A fence is one shell, so its status is its last line's; `set -e` keeps a failure further up from being
    taken for success. It is added only where there is more than one line, and it is shown like the rest.
    """
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    head = ""
    if len(lines) > 1:
        head += "set -e\n"
    if cwd:
        folder = '"$HOME"/' + shlex.quote(cwd[2:]) if cwd.startswith("~/") else shlex.quote(cwd)
        head += f"cd {folder} || exit 1\n"
    return head + text


LET_IN = "mailrunbook: let in by sudo"
"""The line that a proof's sudo comes to once it is let in: what stands before it is sudo's own."""


_BY_PATH = re.compile(
    r"(?<![\w./-])((?:/[\w.-]+)+/sudo)[ \t]+(?!-[AnS]\b|--(?:askpass|non-interactive|stdin)\b)\S"
)
"""A sudo that is not found in PATH, where ours is, and is neither told to use our askpass nor kept from asking."""


def sudo_by_path(text: str) -> str:
    """Give the path by which a script calls a sudo that cannot ask for a password; empty when it does not."""
    found = _BY_PATH.search(text)
    return found[1] if found else ""


def become(script: str, user: str, *, ask: bool = True) -> str:
    """Give the script that runs `script` as another user, by sudo; without `ask` it fails where sudo would ask."""
    sudo = "sudo" if ask else "sudo -n"
    return f"{sudo} -H -u {user} -- /bin/sh -c {shlex.quote(script)}\n" if user else script


def as_each(scripts: Sequence[tuple[str, str]]) -> str:
    """Give one script of several, each for a user; empty for the one who is logged in. It ends where one fails."""
    if len(scripts) == 1:
        return become(*scripts[0])
    return "set -e\n" + "".join(become(script, user) for script, user in scripts)
