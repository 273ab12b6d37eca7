"""Under which name a password is looked up: the front matter's words with the run's values in them."""

from __future__ import annotations

import pytest

from runbook_tui.core.errors import UsageError
from runbook_tui.core.fold import fold
from runbook_tui.core.markdown.reader import read
from runbook_tui.core.secret_names import (
    UnnamedSecretError,
    check_name,
    defaults_of,
    put_values,
    secret_name,
    wanted_names,
    written_names,
)

BOOK = b"""---
runbook:
  version: 1
  hosts:
    new: {ssh: root@new.server.tld, name: new.server.tld}
  literals:
    domain.tld: {var: domain, default: example.org}
    plop: {var: user, word: true}
    the_PassWord: {secret: "imap ${user}@${domain}"}
    other: {secret: "root of ${new}"}
  checks:
    imap: {type: imap, host: new, user: plop, secret: the_PassWord}
    again: {type: imap, host: new, secret: the_PassWord}
    named: {type: imap, host: new, secret: "imap ${user}"}
---
# Move

## Look

- See `plop`
"""


def test_a_literal_of_kind_secret_has_the_runs_values() -> None:
    """The check names the literal, the literal the name, and every `${word}` is a variable's value or a host's name."""
    state = fold(read(BOOK.replace(b"{var: user,", b"{var: user, default: ada,")), [])
    assert secret_name(state, "the_PassWord") == "imap ada@example.org"
    assert secret_name(state, "other") == "root of new.server.tld"
    assert secret_name(state, "imap of my own") == "imap of my own"
    assert wanted_names(state) == ["imap ada@example.org", "imap ada"]


def test_a_word_without_a_value_is_said() -> None:
    """A name is not looked up while a word of it has no value: the sentence says which."""
    state = fold(read(BOOK), [])
    with pytest.raises(UnnamedSecretError, match="user has no value"):
        secret_name(state, "the_PassWord")
    assert wanted_names(state) == []


def test_a_value_is_never_looked_into() -> None:
    """A value that looks like a place is put in as it stands."""
    assert put_values("${a} ${b}", {"a": "${b}", "b": "x"}) == "${b} x"


def test_a_runbook_alone_gives_its_names_and_defaults() -> None:
    """Before any run the names are given as they are written, and defaults and hosts are known."""
    book = read(BOOK)
    assert written_names(book) == ["imap ${user}@${domain}", "root of ${new}", "imap ${user}"]
    assert defaults_of(book) == {"new": "new.server.tld", "domain": "example.org"}


@pytest.mark.parametrize("name", ["", " ", "a\nb", "a\x1b[0m", "x" * 201, "a\u202eb"])
def test_what_cannot_be_a_name(name: str) -> None:
    """Empty, long and unprintable names are refused."""
    with pytest.raises(UsageError):
        check_name(name)
