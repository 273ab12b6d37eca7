"""Servers, keys and shells for the tests of the Shell port."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runbook_tui.adapters.ssh import SshShell
from runbook_tui.adapters.ssh_target import SshSettings
from runbook_tui.core.model import Host, HostName
from tests.support.sshd import KeyPair, Sshd, SshFiles, operator_key, running_sshd, server_notice, write_ssh_files

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runbook_tui.ports import HostKey


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say which SSH server the tests talked to."""
    terminalreporter.write_line(server_notice())


@pytest.fixture(scope="session")
def operator(tmp_path_factory: pytest.TempPathFactory) -> KeyPair:
    """The operator's key."""
    return operator_key(tmp_path_factory.mktemp("operator"))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, operator: KeyPair) -> Iterator[Sshd]:
    """A server that the tests of a module share and leave as it is."""
    with running_sshd(tmp_path_factory.mktemp("sshd"), [operator.public]) as running:
        yield running


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, operator: KeyPair, server: Sshd) -> SshFiles:
    """Configuration and known_hosts that name the shared server `old.test`."""
    return write_ssh_files(tmp_path_factory.mktemp("files"), operator, {"old.test": server})


def ssh_shell(files: SshFiles, ssh: str = "old.test", pin: HostKey | None = None, **changes: object) -> SshShell:
    """Make a shell of role `old` with these files; `changes` are fields of SshSettings."""
    files_of_test = {"config_files": (files.config,), "known_hosts_files": (files.known_hosts,)}
    fields: dict[str, object] = {**files_of_test, "home": files.config.parent, **changes}
    return SshShell(Host(HostName("old"), ssh), pin, SshSettings(**fields))  # type: ignore[arg-type]
