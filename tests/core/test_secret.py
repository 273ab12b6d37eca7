"""A secret shows its name wherever it is put, and its value to nobody who does not ask for it."""

from __future__ import annotations

import copy
import json
import pickle
import traceback
from dataclasses import asdict, dataclass
from io import StringIO

import pytest
from rich.console import Console
from rich.traceback import Traceback

from runbook_tui.core.secret import Secret

CANARY = "kanarienvogel-7!"
SECRET = Secret("imap plop@domain.tld", CANARY)
SHOWN = "‹secret:imap plop@domain.tld›"  # noqa: RUF001 -- the marks themselves


@pytest.mark.parametrize("text", [
    str(SECRET), repr(SECRET), f"{SECRET}", f"{SECRET!r}", f"{SECRET!s}", f"{SECRET:>3}", f"{SECRET:.2}",
    "%s" % SECRET, "{}".format(SECRET),  # noqa: UP031, UP032 -- each way of its own
])  # fmt: skip
def test_every_way_to_text_gives_the_placeholder(text: str) -> None:
    """Text, format and representation are the name in marks, at any width."""
    assert text == SHOWN


def test_the_value_comes_out_of_reveal_alone() -> None:
    """Reveal gives what was put in, unchanged."""
    assert SECRET.reveal() == CANARY
    assert SECRET.name == "imap plop@domain.tld"
    assert not hasattr(SECRET, "__dict__")


def test_it_is_neither_pickled_nor_copied_nor_dumped() -> None:
    """Pickle, copy, deepcopy, asdict, JSON and concatenation end in a TypeError that shows the name only."""

    @dataclass(frozen=True, slots=True)
    class Login:
        user: str
        password: Secret

    attempts = (
        lambda: pickle.dumps(SECRET), lambda: copy.copy(SECRET), lambda: copy.deepcopy(SECRET),
        lambda: asdict(Login("plop", SECRET)), lambda: json.dumps({"password": SECRET}),
        lambda: "password " + SECRET,  # type: ignore[operator]
    )  # fmt: skip
    for attempt in attempts:
        with pytest.raises(TypeError) as caught:
            attempt()
        assert CANARY not in str(caught.value)


def test_a_traceback_with_local_variables_shows_the_name_only() -> None:
    """Rich's traceback with locals, which printed a password three times (PROMISES.md fact 8), shows the mark."""

    def login(password: Secret) -> None:
        raise ConnectionError(f"refused {password}")

    shown = StringIO()
    try:
        login(SECRET)
    except ConnectionError as error:
        trace = Traceback.from_exception(type(error), error, error.__traceback__, show_locals=True)
        Console(file=shown, width=200).print(trace)
        shown.write("".join(traceback.format_exception(error)))
    assert SHOWN in shown.getvalue()
    assert CANARY not in shown.getvalue().replace(f'CANARY = "{CANARY}"', "")
