"""OpenSSH's own password and keyboard-interactive logins over PAM: asked as often as needed, and no secret left."""

from __future__ import annotations

import asyncio
import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from runbook_tui.adapters.ssh import SshShell
from runbook_tui.adapters.ssh_target import SshSettings
from runbook_tui.core.errors import HostError
from runbook_tui.core.model import Host
from runbook_tui.ports import LoginKind
from tests.core.builders import OLD
from tests.lab.test_sudo import found
from tests.support.sshd import find_sshd, operator_key, start_sshd, write_ssh_files
from tests.support.typist import Typist

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.sshd import Sshd, SshFiles

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: the host has an /etc of its own"),
    pytest.mark.skipif(not find_sshd() or not shutil.which("unshare"), reason="needs sshd and unshare"),
]

RIGHT, WRONG = "canary-right-6f30d", "canary-wrong-6f30d"
DOORS = {LoginKind.PASSWORD: "PasswordAuthentication", LoginKind.QUESTIONS: "KbdInteractiveAuthentication"}

PLACE = r"""
set -e
etc=$1; shift
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$etc/upper,workdir=$etc/work" /etc
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -m 755 /run/sshd
mkdir -m 700 /run/ada
chown 4242:4242 /run/ada
echo "ada:x:4242:4242::/run/ada:/bin/sh" >>/etc/passwd
echo "ada:x:4242:" >>/etc/group
echo "ada:$(printf 'canary-right-6f30d' | openssl passwd -6 -stdin):19000:0:99999:7:::" >>/etc/shadow
printf '%s\n' 'auth required pam_unix.so nodelay' 'account required pam_unix.so' 'session required pam_permit.so' \
>/etc/pam.d/sshd
exec "$@"
"""


@pytest.fixture(params=sorted(DOORS))
def door(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[LoginKind, Sshd, SshFiles]]:
    """Start a host that takes no key, and asks in one of the two ways."""
    kind = LoginKind(request.param)
    for part in ("upper", "work"):
        (tmp_path / "etc" / part).mkdir(parents=True)
    (tmp_path / "place.sh").write_text(PLACE)
    ways = [f"{way} {'yes' if wanted is kind else 'no'}" for wanted, way in DOORS.items()]
    server = start_sshd(
        tmp_path / "old", [], environment={"LANG": "C"},
        options=["UsePAM yes", "PubkeyAuthentication no", "SetEnv LANG=C", *ways],
        within=["unshare", "-m", "--propagation", "private", "sh", str(tmp_path / "place.sh"), str(tmp_path / "etc")],
    )  # fmt: skip
    try:
        key = operator_key(tmp_path / "operator")
        yield kind, server, write_ssh_files(tmp_path / "files", key, {"ada.test": replace(server, user="ada")})
    finally:
        server.stop()


def shell_of(files: SshFiles, typist: Typist) -> SshShell:
    """Make the shell of the host with this person at the keyboard."""
    settings = SshSettings(
        config_files=(files.config,), known_hosts_files=(files.known_hosts,), home=files.config.parent
    )
    return SshShell(Host(OLD, "ada.test"), None, settings, typist)


async def test_the_right_password_lets_in(
    door: tuple[LoginKind, Sshd, SshFiles], tmp_path: Path
) -> None:
    """Asked once, in the server's words where it asks a question; what was typed is in no file, argument, variable."""
    kind, server, files = door
    typist = Typist([(RIGHT,)])
    shell = shell_of(files, typist)
    async with asyncio.timeout(60):
        assert (await shell.connect()).user == "ada"
    (asked,) = typist.asked
    assert asked.kind is kind
    assert "assword" in asked.fields[0].prompt
    assert asked.fields[0].hidden
    assert found("6f30d", tmp_path / "old", tmp_path / "files", server.home) == []
    await shell.close()


async def test_a_wrong_one_is_asked_again_and_not_tried_by_itself(door: tuple[LoginKind, Sshd, SshFiles]) -> None:
    """The second answer is the person's."""
    _, _, files = door
    typist = Typist([(WRONG,), (RIGHT,)])
    shell = shell_of(files, typist)
    async with asyncio.timeout(60):
        assert (await shell.connect()).user == "ada"
    assert len(typist.asked) == 2
    assert RIGHT not in typist.wrong
    await shell.close()


async def test_giving_up_leaves_the_host_alone(door: tuple[LoginKind, Sshd, SshFiles]) -> None:
    """One question, one connection, and a sentence."""
    _, server, files = door
    typist = Typist([()])
    shell = shell_of(files, typist)
    async with asyncio.timeout(60):
        with pytest.raises(HostError):
            await shell.connect()
    assert len(typist.asked) == 1
    log = (server.folder / "sshd.log").read_text()
    assert log.count("Connection from 127.0.0.1") == 2, log  # the other one found out that it listens
    assert "Accepted" not in log
    await shell.close()
