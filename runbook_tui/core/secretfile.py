"""`.secret` file steps: values go into a configuration, and neither they nor a sum over them into anything shown.

The content and the sums that guard it come on the script's standard input: a checksum of a file whose every other
line is known is as good as the password to whoever may guess at it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.core.cksum import cksum
from runbook_tui.core.errors import Refused
from runbook_tui.core.model import LiteralSource
from runbook_tui.core.secret import Secret
from runbook_tui.core.settle import mentioned, resolve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runbook_tui.core.filestep import FileSeen
    from runbook_tui.core.model import Literal

DOTS = "•••"
"""What stands in the place of a value."""

PERM = "600"
"""The mode of a file with secrets where the step asks for no other."""


def secrets_in(text: str, literals: tuple[Literal, ...]) -> list[Literal]:
    """Give the literals of kind secret that stand in a text."""
    return [lit for lit in mentioned(text, literals) if lit.source is LiteralSource.SECRET]


def filled(text: str, literals: tuple[Literal, ...], values: Mapping[str, Secret]) -> str:
    """Put the values in for their literals' texts.

    Raises:
        Refused: a value of several lines, or with another character that cannot be seen, stands inside a line.
    """
    alone = {line.strip() for line in text.splitlines()}
    for written, secret in values.items():
        value = secret.reveal()
        lines = value.splitlines() if written in alone and text.count(written) == 1 else [value]
        if not all(line.isprintable() for line in lines):
            hint = "A key of several lines stands on a line of its own."
            raise Refused(f"the secret {secret.name} has characters in it that cannot stand there", hint=hint)
    return resolve(text, literals, {written: secret.reveal() for written, secret in values.items()})


def shown(text: str, secrets: Sequence[Literal], literals: tuple[Literal, ...], seen: FileSeen, *, same: bool) -> str:
    """Give what a confirmation shows of it: the block as the runbook has it, with dots for the values."""
    if same:
        return f"{seen.path} has this content already; nothing would change"
    dotted = resolve(text, literals, {lit.text: DOTS for lit in secrets})
    block = "\n".join(f"+{line}" for line in dotted.splitlines())
    return f"the file holds secrets: of what it has now nothing is shown, and dots are for the values\n{block}"


def standard_input(seen: FileSeen, content: bytes | None, path: str) -> Secret:
    """Give what the script reads: the sum of the file as it was shown, then sum and content of the new one.

    Raises:
        Refused: the content cannot be carried.
    """
    head = f"{seen.sum}\n"
    if content is not None:
        if b"\0" in content:
            raise Refused(f"{path} has a NUL character in it, so it is no text that can be written like this")
        if content and not content.endswith(b"\n"):
            content += b"\n"
        head += f"{cksum(content)}\n" + content.decode("utf-8", "surrogateescape")
    return Secret(f"content of {path}", head)
