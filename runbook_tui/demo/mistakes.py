"""Mistakes that lose mail in life, for `demo --mistake`: what the scripted operator does wrongly, step by step.

Nothing of the world is changed for them. The operator goes through the same runbook, writes a command otherwise,
leaves guards out or does steps too late, and goes on where the runbook's own proofs say no.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Mistake:
    """One mistake, by step ids. `about` says what is wrong and where MIGRATION.md tells what it costs.

    `rewritten` gives, a step, the pattern of what is left out of its command; `left_out` is never done; `late` gives, a
    step, the one after which it is done after all. `lingers` is how many real seconds pass before that: time for mails
    to go wrong in.
    """

    name: str
    about: str
    rewritten: Mapping[str, str] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()
    late: Mapping[str, str] = field(default_factory=dict)
    lingers: float = 0.0


MISTAKES: Mapping[str, Mistake] = {
    mistake.name: mistake
    for mistake in (
        Mistake(
            "relay_domains",
            "new is not told for which domain it accepts mail (section 0, item 1)",
            rewritten={"postfix-relay": r"'relay_domains = [^']*'"},
            left_out=frozenset({"probe"}),
        ),
        Mistake(
            "loop",
            "old passes to new while new still passes to old (section 0, item 3)",
            left_out=frozenset({"loop-guard"}),
            late={"takeover": "old-relays", "flush": "old-relays"},
            lingers=4.0,
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
