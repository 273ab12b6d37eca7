"""The wrapped command: the text of a fence as the one script that is shown, hashed, sent and executed."""

from __future__ import annotations

import shlex


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


def become(script: str, user: str) -> str:
    """Give the script that runs `script` as another user, by sudo."""
    return f"sudo -H -u {user} -- /bin/sh -c {shlex.quote(script)}\n" if user else script
