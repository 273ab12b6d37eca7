"""What every test has in common: an environment of its own, and the option that rewrites the pictures."""

from __future__ import annotations

import os
from itertools import count
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

INHERITED = (
    "COLUMNS", "LINES",  # set for its workers by pytest-xdist, believed by Textual
    "NO_COLOR", "COLORTERM", "FORCE_COLOR", "TEXTUAL", "MAILRUNBOOK_STATE_DIR", "MAILRUNBOOK_CONFIG_DIR",
)  # fmt: skip
for name in [name for name in os.environ if name in INHERITED or name.startswith("TEXTUAL_")]:
    # Textual reads its own when it is imported, which is before any fixture runs.
    del os.environ[name]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Take --update-screens."""
    parser.addoption("--update-screens", action="store_true", help="rewrite the SVG pictures in screenshots/")


@pytest.fixture(scope="session")
def state_dirs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give state folders, one a test, none of which is there yet: detached jobs of this machine make theirs."""
    above = tmp_path_factory.mktemp("states")
    return (above / str(n) for n in count())


@pytest.fixture(autouse=True)
def own_environment(monkeypatch: pytest.MonkeyPatch, state_dirs: Iterator[Path]) -> None:
    """Run under a fixed locale and terminal with a home and a state folder of its own, whatever the developer's are."""
    state = next(state_dirs)
    home = state.with_name(f"{state.name}-home")
    home.mkdir(mode=0o700)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("MAILRUNBOOK_STATE_DIR", str(state))
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("TERM", "xterm-256color")
