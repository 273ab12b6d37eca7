"""The attribute grammar: what it takes, what it refuses and in which column."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runbook_tui.core.markdown.attributes import parse_items, parse_tail

COLUMN = 8


@pytest.mark.parametrize(
    ("text", "name", "classes", "values"),
    [
        ("{}", "", (), {}),
        ("{ }", "", (), {}),
        ("{#a}", "a", (), {}),
        ("{.run}", "", ("run",), {}),
        ("{ #a-1 .run  host=new }", "a-1", ("run",), {"host": "new"}),
        ("{.run host=?}", "", ("run",), {"host": "?"}),
        ("{idempotent}", "", (), {"idempotent": "yes"}),
        ('{exit="0 24"}', "", (), {"exit": "0 24"}),
        ("{a='x y'}", "", (), {"a": "x y"}),
        ('{a="say \\"hi\\" \\\\ done"}', "", (), {"a": 'say "hi" \\ done'}),
        ('{a="\\d+\\.$"}', "", (), {"a": "\\d+\\.$"}),
        ('{a=""}', "", (), {"a": ""}),
        ('{a="}" .run}', "", ("run",), {"a": "}"}),
        ("{file=/etc/x,y:~%z}", "", (), {"file": "/etc/x,y:~%z"}),
        ("{.run .run}", "", ("run",), {}),
        ("{#a}   ", "a", (), {}),
    ],
)
def test_a_group_is_read(text: str, name: str, classes: tuple[str, ...], values: dict[str, str]) -> None:
    """Ids, classes, values in and out of quotes and bare words are read as FORMAT.md spells them."""
    found, errors = parse_tail(text, line=3, column=COLUMN)
    assert errors == ()
    assert (found.id, found.classes, dict(found.values), found.line) == (name, classes, values, 3)


@pytest.mark.parametrize(
    ("text", "code", "offset"),
    [
        ("{#a #b}", "two-ids", 4),
        ("{host=a host=b}", "equal-keys", 8),
        ("{.run", "unclosed-brace", 0),
        ('{a="b}', "unclosed-quote", 3),
        ("{a='b}", "unclosed-quote", 3),
        ("{.run} more", "text-after-brace", 7),
        ("{.run} {.file}", "text-after-brace", 7),
        ("{.1}", "bad-item", 1),
        ("{#}", "bad-item", 1),
        ("{Host=a}", "bad-item", 1),
        ("{a=}", "no-value", 3),
        ('{a=b"c}', "bad-item", 4),
        ("{a=b{c}", "bad-item", 4),
        ("{.run.danger}", "bad-item", 5),
        ("{a=`b`}", "no-value", 3),
        ('{a="`b`"}', "back-quote", 4),
    ],
)
def test_an_error_has_its_column(text: str, code: str, offset: int) -> None:
    """What does not fit is told with the column it stands in, counted in the file's line."""
    _, errors = parse_tail(text, line=1, column=COLUMN)
    assert [(e.code, e.column) for e in errors][:1] == [(code, COLUMN + offset)]


def test_items_know_their_columns() -> None:
    """Every item keeps its column, so that a later error can point at it."""
    found, _ = parse_tail("{#a .run host=new}", line=1, column=COLUMN)
    assert [found.column(item) for item in ("#a", ".run", "host")] == [COLUMN + 1, COLUMN + 4, COLUMN + 9]


def test_an_item_comment_has_the_same_grammar_without_braces() -> None:
    """The inside of a step comment is items; a brace there is no item."""
    found, errors = parse_items(" #id .manual gate=mx timeout=48h ", line=1, column=1)
    assert errors == ()
    assert (found.id, found.classes, dict(found.values)) == ("id", ("manual",), {"gate": "mx", "timeout": "48h"})
    assert parse_items("{.manual}", line=1, column=1)[1][0].code == "bad-item"


@given(st.text(alphabet="{}#.=\"'`\\ \tab-1Z", max_size=60))
def test_any_text_is_read_or_refused(text: str) -> None:
    """No text makes the grammar raise or point outside its line."""
    for found, errors in (parse_tail("{" + text, line=1, column=1), parse_items(text, line=1, column=1)):
        assert all(1 <= e.column <= len(text) + 2 for e in errors)
        assert all(1 <= found.column(item) <= len(text) + 1 for item in found.columns)


_WORD = st.from_regex(r"[a-z][a-z-]{0,8}", fullmatch=True)
_VALUE = st.text(st.characters(codec="utf-8", exclude_characters="`\n\r", exclude_categories=("Cs", "Cc")), max_size=20)


@given(st.dictionaries(_WORD, _VALUE, max_size=6))
def test_a_quoted_value_comes_back(values: dict[str, str]) -> None:
    """Whatever is quoted with the two escapes is read back as it was."""
    escaped = {k: v.replace("\\", "\\\\").replace('"', '\\"') for k, v in values.items()}
    text = "{" + " ".join(f'{k}="{v}"' for k, v in escaped.items()) + "}"
    found, errors = parse_tail(text, line=1, column=1)
    assert errors == ()
    assert dict(found.values) == values
