"""Detached jobs over a real OpenSSH server whose user has one login shell, and whose /bin/sh is one kind of sh."""

from __future__ import annotations

import asyncio
import contextlib
import getpass
import os
import shutil
from typing import TYPE_CHECKING

import pytest

from runbook_tui.core.errors import HostError
from runbook_tui.ports import JobId, Standing
from tests.adapters.conftest import ssh_shell
from tests.support.bench import eventually
from tests.support.sshd import find_sshd, operator_key, start_sshd, write_ssh_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.sshd import Sshd, SshFiles

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: it mounts an /etc and a /bin/sh of its own"),
    pytest.mark.skipif(not find_sshd() or not shutil.which("unshare"), reason="needs sshd and unshare"),
]

# The whole folder is laid over, never one file: a package's installation renames /etc/passwd.
PLACE = """set -e
etc=$1 login=$2 sh=$3
shift 3
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$etc/upper,workdir=$etc/work" /etc
sed "s|^\\\\($(id -un):.*:\\\\)[^:]*$|\\\\1$login|" /etc/passwd >/etc/passwd.own
mv /etc/passwd.own /etc/passwd
grep -q "^$(id -un):.*:$login$" /etc/passwd
if [ -n "$sh" ]; then mount --bind "$sh" "$(readlink -f /bin/sh)"; fi
exec "$@"
"""
LOGIN = ("/bin/sh", "/bin/bash", "/usr/bin/tcsh", "/usr/bin/fish")
KINDS = ("", "/bin/busybox", "/bin/mksh", "/bin/bash", "/bin/ksh93")
NOISE = {"tcsh": (".cshrc", "echo noise of cshrc\n"), "fish": (".config/fish/config.fish", "echo noise of fish\n")}


@pytest.fixture(params=KINDS, ids=["dash", "busybox", "mksh", "bash", "ksh93"])
def kind(request: pytest.FixtureRequest) -> str:
    """What is mounted over /bin/sh; nothing leaves it as it is."""
    if request.param and not os.path.exists(request.param):  # noqa: PTH110 -- a constant
        pytest.skip(f"{request.param} is not installed")
    return str(request.param)


@pytest.fixture(params=LOGIN, ids=["sh", "bash", "tcsh", "fish"])
def place(request: pytest.FixtureRequest, kind: str, tmp_path: Path) -> Iterator[tuple[Sshd, SshFiles]]:
    """A server whose user has this login shell, with the noise that its files may make."""
    with logged_in_by(str(request.param), kind, tmp_path) as made:
        yield made


@contextlib.contextmanager
def logged_in_by(login: str, kind: str, tmp_path: Path) -> Iterator[tuple[Sshd, SshFiles]]:
    """Start a server whose user has this login shell."""
    if not os.path.exists(login):  # noqa: PTH110 -- a constant
        pytest.skip(f"{login} is not installed")
    (tmp_path / "etc/upper").mkdir(parents=True)
    (tmp_path / "etc/work").mkdir()
    (tmp_path / "place.sh").write_text(PLACE)
    key = operator_key(tmp_path / "operator")
    server = start_sshd(
        tmp_path / "server", [key.public],
        within=["unshare", "-m", "--propagation", "private", "/bin/bash", str(tmp_path / "place.sh"),
                str(tmp_path / "etc"), login, kind],
    )  # fmt: skip
    try:
        name, text = NOISE.get(login.rpartition("/")[2], (".profile", ""))
        (server.home / name).parent.mkdir(parents=True, exist_ok=True)
        (server.home / name).write_text(text)
        yield server, write_ssh_files(tmp_path / "files", key, {"old.test": server})
    finally:
        server.stop()


async def test_a_job_runs_is_found_again_fenced_and_stopped(place: tuple[Sshd, SshFiles]) -> None:
    """Mark, start, a session that is killed, follow from the byte, fence and TERM, as under sh and dash."""
    server, files = place
    shell = ssh_shell(files)
    go = server.home / "go"
    job, fenced, loop = (JobId("R", f"R-{n}") for n in range(3))
    try:
        async with asyncio.timeout(120):
            assert (await shell.connect()).user == getpass.getuser()
            await shell.jobs.claim(job)
            said: list[bytes] = []
            script = "echo x >>effect; echo before; until test -e go; do sleep 0.05; done; printf %s 'é !x %y'; exit 5"
            following = await shell.jobs.launch(job, script, said.append)
            await eventually(lambda: b"".join(said) == b"before\n")
            server.kill_sessions()
            with pytest.raises(Exception, match="lost"):
                await following.end()
            go.touch()
            again: list[bytes] = []
            stand = await (await shell.jobs.follow(job, 7, again.append)).end()
            assert (stand.standing, stand.exit) == (Standing.DONE, 5)
            assert b"".join(again).decode() == "é !x %y"
            assert (await shell.jobs.fence(fenced)).standing is Standing.FENCED
            assert (await shell.jobs.launch(fenced, "touch no", lambda _: None)).stand.standing is Standing.FENCED
            following = await shell.jobs.launch(loop, "while :; do sleep 0.1; done", lambda _: None)
            assert await shell.jobs.signal(loop, "TERM") == 0
            assert (await following.end()).exit == 143
            assert (server.home / "effect").read_text() == "x\n"
            assert not (server.home / "no").exists()
    finally:
        await shell.close()


async def test_a_nologin_shell_is_refused_in_its_own_words(tmp_path: Path) -> None:
    """The account's login shell is nologin: refused when connecting, and nothing runs."""
    with logged_in_by("/usr/sbin/nologin", "", tmp_path) as (server, files):
        shell = ssh_shell(files)
        with pytest.raises(HostError, match="does not run commands as asked") as caught:
            await shell.connect()
        assert "This account is currently not available" in caught.value.detail
        with pytest.raises(HostError, match="Nothing was run"):
            await shell.jobs.launch(JobId("R", "R-1"), "touch ran", lambda _: None)
        await shell.close()
        assert not (server.home / "ran").exists()
