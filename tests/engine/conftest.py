"""Two real SSH servers, old and new, for the engine's tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from runbook_tui.adapters.local import LocalShell
from runbook_tui.adapters.ssh import SshShell
from runbook_tui.adapters.ssh_target import SshSettings
from runbook_tui.core.model import LOCAL, Host, HostName
from tests.core.builders import NEW, OLD
from tests.support.sshd import Sshd, SshFiles, operator_key, running_sshd, write_ssh_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from runbook_tui.ports import HostKey, Shell
    from tests.engine.machines import Machines


@dataclass(frozen=True, slots=True)
class TwoHosts:
    """The servers old and new, the operator's files that name them, and shells that reach them."""

    old: Sshd
    new: Sshd
    files: SshFiles

    @property
    def hosts(self) -> dict[HostName, Host]:
        """The hosts as a front matter would name them."""
        return {OLD: Host(OLD, "old.test"), NEW: Host(NEW, "new.test"), LOCAL: Host(LOCAL)}

    def shells(self, host: Host, pin: HostKey | None) -> Shell:
        """Make the shell of a host."""
        if host.name == LOCAL:
            return LocalShell(host)
        settings = SshSettings(
            config_files=(self.files.config,), known_hosts_files=(self.files.known_hosts,),
            home=self.files.config.parent,
        )  # fmt: skip
        return SshShell(host, pin, settings)


@pytest.fixture
def two_hosts(tmp_path: Path) -> Iterator[TwoHosts]:
    """Start both servers, with keys known by name."""
    key = operator_key(tmp_path / "operator")
    with running_sshd(tmp_path / "old", [key.public]) as old, running_sshd(tmp_path / "new", [key.public]) as new:
        yield TwoHosts(old, new, write_ssh_files(tmp_path / "files", key, {"old.test": old, "new.test": new}))


@pytest.fixture(scope="package")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """Start two servers once, for tests that change nothing on them."""
    from tests.engine.machines import Machines  # noqa: PLC0415 -- it takes TwoHosts from here

    folder = tmp_path_factory.mktemp("machines")
    key = operator_key(folder / "operator")
    with running_sshd(folder / "old", [key.public]) as old, running_sshd(folder / "new", [key.public]) as new:
        yield Machines(old, new, key)
