"""The tail a pane draws from."""

from __future__ import annotations

import pytest

from runbook_tui.core.feed import Feed, percent_in
from runbook_tui.core.text import CleanLine


def numbered(first: int, last: int) -> list[CleanLine]:
    """Make lines that hold their own number."""
    return [CleanLine(str(n), len(str(n)) + 1) for n in range(first, last + 1)]


def test_feed_gives_what_is_new() -> None:
    """A reader that says what it has seen gets the rest, once."""
    feed = Feed()
    feed.append(numbered(1, 3))
    lines, seen = feed.since(0)
    assert (lines, seen) == (["1", "2", "3"], 3)
    feed.append(numbered(4, 4))
    assert feed.since(seen) == (["4"], 4)
    assert feed.since(4) == ([], 4)


def test_feed_is_bounded() -> None:
    """Old lines go, and their number is told; a reader that was too slow gets what is left."""
    feed = Feed(max_lines=5)
    feed.append(numbered(1, 12))
    assert (feed.total, feed.dropped) == (12, 7)
    assert feed.since(0) == (["8", "9", "10", "11", "12"], 12)
    assert feed.since(10) == (["11", "12"], 12)


def test_tabs_are_expanded() -> None:
    """A pane never paints a tab."""
    feed = Feed()
    feed.append([CleanLine("a\tb", 4)])
    feed.partial = "\tc"
    assert feed.since(0)[0] == ["a       b"]
    assert feed.partial == "        c"


@pytest.mark.parametrize(
    ("line", "percent"),
    [
        ("      1,234,567  71%   12.40MB/s    0:00:16 (xfr#12, to-chk=3/20)", 71),
        ("  0%", 0),
        ("100%", 100),
        ("Reading database ... 45%", 45),
        ("#####      42.9%", 42),
        ("copied 12,5 % of it", 12),
        ("[ 7%] Building", 7),
        ("nothing of the kind", None),
        ("150% of normal", None),
        ("/dev/sda1 97% /home, /dev/sdb1 12% /var", None),
        ("%d 50%d", None),
        ("load -5%", None),
        ("", None),
    ],
)
def test_percentage(line: str, percent: int | None) -> None:
    """A percentage is taken from the line, never made up."""
    assert percent_in(line) == percent


def test_percentage_of_the_newest_line() -> None:
    """The unfinished line counts, then the last finished one; when that says nothing, nothing is shown."""
    feed = Feed()
    assert feed.percent is None
    feed.append([CleanLine(" 50%", 5)])
    assert feed.percent == 50
    feed.partial = " 60%"
    assert feed.percent == 60
    feed.partial = ""
    feed.append([CleanLine("done", 5)])
    assert feed.percent is None
