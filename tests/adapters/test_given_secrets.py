"""`--secrets-fd`: one bounded JSON object of texts, read once, never quoted."""

from __future__ import annotations

import os

import pytest

from runbook_tui.adapters import given_secrets
from runbook_tui.adapters.given_secrets import read_given
from runbook_tui.core.errors import UsageError

CANARY = "kanarienvogel-7"


def handed(data: bytes) -> int:
    """Give a descriptor from which the data can be read, and its end."""
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    return reading


def test_names_and_values_are_taken_and_the_descriptor_is_closed() -> None:
    """Every pair becomes a secret that says where it came from; no child can inherit the descriptor."""
    descriptor = handed('{"imap plop": "pässwörd\\n2", "b": "x"}'.encode())
    given = read_given(descriptor)
    assert {name: secret.reveal() for name, secret in given.items()} == {"imap plop": "pässwörd\n2", "b": "x"}
    assert given["b"].source == "--secrets-fd"
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(descriptor)


@pytest.mark.parametrize("data", [
    b"", b"{", f'["{CANARY}"]'.encode(), f'{{"a": ["{CANARY}"]}}'.encode(), b'{"a": ""}', b'{"a": 1}',
    f'{{"a": "{CANARY}", "a": "x"}}'.encode(), f'{{"": "{CANARY}"}}'.encode(), f'{{"a\\nb": "{CANARY}"}}'.encode(),
    f'{{"a": "{CANARY}'.encode(), b"\xff\xfe", b'{"a": "\\ud800"}', b"[" * 60_000, f"{CANARY}".encode(),
])  # fmt: skip
def test_what_is_no_object_of_texts_is_a_usage_error(data: bytes) -> None:
    """Bad JSON, other values, doubled, empty and unprintable names end with a sentence that quotes nothing."""
    with pytest.raises(UsageError) as caught:
        read_given(handed(data))
    assert CANARY not in str(caught.value)


@pytest.mark.parametrize("descriptor", [-1, 0, 1, 2, 900, 10**12])
def test_a_descriptor_that_is_closed_or_standard_is_a_usage_error(descriptor: int) -> None:
    """The standard streams have their own use, and what is not open cannot be read."""
    with pytest.raises(UsageError):
        read_given(descriptor)


def test_too_much_and_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is longer than the bound, or does not end in time, is given up."""
    monkeypatch.setattr(given_secrets, "LONGEST", 10)
    with pytest.raises(UsageError, match="more than"):
        read_given(handed(b"x" * 11))
    monkeypatch.setattr(given_secrets, "PATIENCE", 0.05)
    reading, writing = os.pipe()
    with pytest.raises(UsageError, match="did not close it"):
        read_given(reading)
    os.close(writing)
