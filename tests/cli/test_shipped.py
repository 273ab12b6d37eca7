"""Where shipped runbooks are found, and what a path or a name means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runbook_tui.cli import shipped
from runbook_tui.core.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path


def installed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Lay the package out in a folder; give the package's own."""
    package = folder / "runbook_tui"
    package.mkdir()
    monkeypatch.setattr(shipped, "_PACKAGE", package)
    return package


def test_an_installed_wheel_has_them_inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheel carries the runbooks in the package."""
    package = installed(tmp_path, monkeypatch)
    (package / "_runbooks").mkdir()
    (package / "_runbooks" / "move.md").touch()
    assert shipped.find("move") == package / "_runbooks" / "move.md"


def test_a_checkout_has_them_beside_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a checkout they stand beside the package and its pyproject.toml."""
    installed(tmp_path, monkeypatch)
    (tmp_path / "runbooks").mkdir()
    (tmp_path / "runbooks" / "move.md").touch()
    assert shipped.shipped() == {}
    (tmp_path / "pyproject.toml").touch()
    assert shipped.find("move") == tmp_path / "runbooks" / "move.md"


def test_a_file_goes_before_a_shipped_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there as a path is meant, also when a shipped runbook has that name."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "first-steps").touch()
    assert shipped.find("first-steps").resolve() == tmp_path / "first-steps"


def test_a_misspelt_name_is_corrected() -> None:
    """A name close to a shipped one gets a hint."""
    with pytest.raises(UsageError) as caught:
        shipped.find("first-step")
    assert caught.value.hint == "Did you mean first-steps?"
