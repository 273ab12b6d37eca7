"""Mistakes that lose mail in life, for `demo --mistake`: what the scripted operator does wrongly, step by step.

Nothing of the world is changed for them. The operator goes through the same runbook, writes a command otherwise,
leaves guards out or does steps too late, and goes on where the runbook's own proofs say no.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake, by step ids. `about` says what is wrong and where MIGRATION.md tells what it costs.

    `rewritten` gives, a step, patterns of its command and what is written instead; `left_out` is never done; `late`
    gives, a step, the one after which it is done after all. `lingers` is how many real seconds may pass before
    that, until the first mail has bounced.
    """

    name: str
    about: str
    rewritten: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()
    late: Mapping[str, str] = field(default_factory=dict)
    lingers: float = 0.0

    def written(self, step: str, command: str) -> str:
        """Give the command as this operator writes it."""
        for pattern, instead in self.rewritten.get(step, ()):
            command = re.sub(pattern, instead, command)
        return command


_NO_NET = ("'soft_bounce = yes'", "")

MISTAKES: Mapping[str, Mistake] = {
    mistake.name: mistake
    for mistake in (
        Mistake(
            "relay_domains",
            "new is not told for which domain it accepts mail, and has no safety net (section 0, items 1 and 2)",
            rewritten={
                "postfix-relay": (
                    _NO_NET,
                    (r"'relay_domains = [^']*'", ""),
                    ("defer_unauth_destination", "reject_unauth_destination"),
                )
            },
            left_out=frozenset({"probe"}),
        ),
        Mistake(
            "loop",
            "old passes to new while new still passes to old, and no safety net (section 0, items 2 and 3)",
            rewritten={"postfix-relay": (_NO_NET,), "old-relays": (_NO_NET,)},
            left_out=frozenset({"loop-guard"}),
            late={"takeover": "old-relays", "flush": "old-relays"},
            lingers=300.0,
        ),
        Mistake(
            "final-before-rsync",
            "new keeps the mail before the last copy, which deletes it (section 0, item 3)",
            left_out=frozenset({"guard", "audit"}),
            late={"final-copy": "flush"},
            lingers=4.0,
        ),
    )
}
