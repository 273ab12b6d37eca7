"""Fixtures of the Pilot tests."""

from __future__ import annotations

import pytest

from tests.ui.books import IDENTITIES, migration
from tests.ui.pilots import HeldClock
from tests.ui.scripted import Scripted


@pytest.fixture
def clock() -> HeldClock:
    """Give a clock that stands still."""
    return HeldClock()


@pytest.fixture
def scripted() -> Scripted:
    """Give the migration, nothing done yet, everything agreed to."""
    return Scripted(migration(), identities=dict(IDENTITIES), agreed=True)
