"""Two real SSH servers and an operator's files for whole journeys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from tests.support.sshd import Sshd, SshFiles, operator_key, running_sshd, write_ssh_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class Night:
    """The servers old and new, the operator's files, and the state folder of the runs."""

    old: Sshd
    new: Sshd
    files: SshFiles
    state: Path

    @property
    def hosts(self) -> list[str]:
        """The options that say where old and new are."""
        return ["--host", "old=old.test", "--host", "new=new.test"]

    @property
    def variables(self) -> dict[str, str]:
        """The environment in which the program finds files and servers."""
        return self.files.environment()


@pytest.fixture
def night(tmp_path: Path) -> Iterator[Night]:
    """Start both servers."""
    key = operator_key(tmp_path / "operator")
    with running_sshd(tmp_path / "old", [key.public]) as old, running_sshd(tmp_path / "new", [key.public]) as new:
        files = write_ssh_files(tmp_path / "files", key, {"old.test": old, "new.test": new})
        yield Night(old, new, files, tmp_path / "state")
