"""An edited runbook beside the one that was confirmed."""

from __future__ import annotations

import pytest

from runbook_tui.core.markdown import Drift, compare
from tests.core.markdown_texts import annotated, fence

OLD = "# P\n\n## One\n\n" + fence("a") + "\n## Two <!-- step: #two -->\n\n" + fence("b") + "\n## Three\n\n" + fence("c")


def drift(body: str) -> dict[str, str]:
    """Give each step's title (of the runbook it is in) and how it differs."""
    old, new = annotated(OLD), annotated(body)
    titles = {s.id: s.title for s in [*old.steps(), *new.steps()]}
    return {titles[step]: kind.value for step, kind in compare(old, new).items()}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (("", ""), {"One": "same", "Two": "same", "Three": "same"}),
        (("# P\n", "# P\n\nSome prose.\n"), {"One": "same", "Two": "same", "Three": "same"}),
        (("\na\n", "\nz\n"), {"One": "changed", "Two": "same", "Three": "same"}),
        (("\nb\n", "\nz\n"), {"One": "same", "Two": "changed", "Three": "same"}),
        (("host=old}\nb", "host=new}\nb"), {"One": "same", "Two": "changed", "Three": "same"}),
        (("## Two <", "## Other <"), {"One": "same", "Other": "changed", "Three": "same"}),
        (("## Three", "## Four"), {"One": "same", "Two": "same", "Three": "removed", "Four": "new"}),
        (
            ("## Two", "## Between\n\n" + fence("x") + "\n## Two"),
            {"One": "same", "Between": "new", "Two": "moved", "Three": "moved"},
        ),
    ],
)
def test_each_step_says_how_it_differs(change: tuple[str, str], expected: dict[str, str]) -> None:
    """Same, moved, changed, removed or new: by id, number and what the actions do."""
    assert drift(OLD.replace(change[0], change[1], 1)) == expected


def test_a_step_that_moved_and_changed_is_changed() -> None:
    """What it does matters more than where it stands."""
    moved = OLD.replace("\nc\n", "\nz\n").replace("## Two", "## Between\n\n" + fence("x") + "\n## Two")
    assert drift(moved)["Three"] == Drift.CHANGED


def test_steps_of_the_same_title_are_paired_in_order() -> None:
    """When both of two equal titles changed, the first was the first and the second the second."""
    old = annotated("# P\n\n## Do\n\n" + fence("a") + "\n## Do\n\n" + fence("b"))
    new = annotated("# P\n\n## Do\n\n" + fence("x") + "\n## Do\n\n" + fence("y") + "\n## Do\n\n" + fence("z"))
    assert [compare(old, new)[step.id] for step in new.steps()] == [Drift.CHANGED, Drift.CHANGED, Drift.NEW]
    less = annotated("# P\n\n## Do\n\n" + fence("x"))
    assert list(compare(old, less).values()) == [Drift.CHANGED, Drift.REMOVED]
    assert [*old.steps()][1].id in compare(old, less)
