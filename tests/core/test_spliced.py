"""A literal of kind secret in what is shown or sent is an error with its place; where it may stand it is none."""

from __future__ import annotations

import pytest

from runbook_tui.core.markdown import read
from runbook_tui.core.model import Severity
from runbook_tui.core.secret_names import written_names

HEAD = """\
---
runbook:
  version: 1
  hosts: {new: {ssh: root@new.test}}
  literals:
    the_PassWord: {secret: "imap ada"}
---
# Move

## Do it

1. Set the password, which is the_PassWord <!-- step: #a host=new -->
"""


def found(block: str) -> list[tuple[int, int, str]]:
    """Give line, column and code of the errors in a runbook with this block."""
    book = read((HEAD + block).encode())
    return [(p.line, p.column, p.code) for p in book.problems if p.severity is Severity.ERROR]


@pytest.mark.parametrize(
    ("block", "line", "column"),
    [
        ("   ```sh {.run}\n   true\n   echo the_PassWord\n   ```\n", 15, 9),
        ("   ```conf {.file file=/etc/x mode=replace}\n   p = the_PassWord\n   ```\n", 14, 8),
        ('   ```conf {.file .secret file=/etc/x mode=replace validate="x the_PassWord"}\n   a\n   ```\n', 13, 64),
        ("   ```sh {.run}\n   true\n   ```\n   ```sh {.verify}\n   x the_PassWord\n   ```\n", 17, 6),
        ("   ```sh {.run}\n   true\n   ```\n   ```sh {.undo}\n   x the_PassWord\n   ```\n", 17, 6),
        ('   ```sh {.run dry-run="the_PassWord"}\n   true\n   ```\n', 13, 25),
    ],
)
def test_a_secret_in_the_open_is_an_error(block: str, line: int, column: int) -> None:
    """Line and column are those of the word, in commands, files, proofs, ways back and attributes."""
    assert found(block) == [(line, column, "spliced-secret")]


@pytest.mark.parametrize(
    "block",
    [
        "   ```sh {.run secret=the_PassWord}\n   read -r p\n   ```\n",
        "   ```conf {.file .secret file=/etc/x mode=replace}\n   p = the_PassWord\n   ```\n",
        "   ```text {.example}\n   a01 login ada the_PassWord\n   ```\n",
        "   ```sh {.run}\n   echo the_PassWord2\n   ```\n",
    ],
)
def test_a_secret_where_it_belongs_is_none(block: str) -> None:
    """As an attribute, in a secret file, in what is only shown, and as a part of another word."""
    assert found(block) == []


def test_attributes_of_secrets_reach_the_actions() -> None:
    """Each part has its own; what an item comment says holds for its commands; the names are listed."""
    text = HEAD.replace("host=new", 'host=new secret="one"') + (
        "   ```sh {.run}\n   read -r p\n   ```\n   ```sh {.verify secret=two}\n   read -r p\n   ```\n"
        "   ```sh {.undo secret=three}\n   read -r p\n   ```\n"
        "   ```conf {.file .secret file=/etc/x mode=replace}\n   p = the_PassWord\n   ```\n"
    )
    book = read(text.encode())
    run, file = book.actions()
    assert (run.secret, run.verifies[0].secret, run.undos[0].secret) == ("one", "two", "three")
    assert (file.secret, file.file is not None and file.file.secret) == ("", True)
    assert not run.holds
    assert written_names(book) == ["imap ada", "one", "two", "three"]
