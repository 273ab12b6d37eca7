"""Prose is the runbook's own Markdown without what the actions show and without anything that acts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from runbook_tui.ui.prose import has_prose, prose_parser, prose_source
from tests.ui.books import action, step


def kinds(source: str, title: str = "Do it", line: int = 99) -> list[str]:
    """Give the token types that are shown of a step's source."""
    made = replace(step("1", title, action("a", title, line=line)), source=source)
    return [token.type for token in prose_parser(made).parse(prose_source(made))]


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("## Do it\n\nText.\n", ["paragraph_open", "inline", "paragraph_close"]),
        ("* Do it\n", []),
        ("* Do it <!-- step: #x .manual -->\n", []),
        ("3. Do it:\n\n   and read this\n", ["paragraph_open", "inline", "paragraph_close"]),
        ("## Do it\n\n<!-- only a comment -->\n", []),
        ("## Do it\n\n```sh {.run}\nls\n```\n", ["fence"]),
    ],
)
def test_what_is_shown(source: str, shown: list[str]) -> None:
    """Heading or item, and a paragraph that repeats the title, are left out; the rest is shown."""
    assert kinds(source) == shown


def test_the_fence_of_an_action_is_left_out() -> None:
    """A fence on the action's own line is shown with the action, not again in the prose."""
    assert kinds("## Do it\n\n```sh {.run}\nls\n```\n", line=3) == []


def test_nothing_left_is_no_prose() -> None:
    """A step that is nothing but its title has no prose."""
    assert not has_prose(replace(step("1", "Do it", action("a", "Do it")), source="* Do it\n"))
