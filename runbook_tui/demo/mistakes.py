"""Mistakes that lose mail in life, for `demo --mistake`: which steps the scripted operator leaves out or does too late.

Nothing of the world is changed for them: the operator goes through the same runbook, only wrongly.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Mistake:
    """`left_out` are step ids never done; `late` maps a step id to the one after which it is done after all.

    `about` names what is wrong and where it stands in MIGRATION.md.
    """

    name: str
    about: str
    left_out: frozenset[str] = frozenset()
    late: Mapping[str, str] = field(default_factory=dict)


MISTAKES: Mapping[str, Mistake] = {}
