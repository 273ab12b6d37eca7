"""The real sudo of a host with an /etc of its own: every way in which it asks or does not, and no secret left."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from runbook_tui.core.model import ActionKind, FileChange, FileMode, Host, LiteralSource, Undo, Verify
from runbook_tui.core.run import Status, Verb
from tests.adapters.conftest import ssh_shell
from tests.core.builders import OLD, a_literal, a_runbook, an_action
from tests.support.bench import Bench, confirm, eventually
from tests.support.sshd import operator_key, start_sshd, write_ssh_files
from tests.support.typist import Typist

if TYPE_CHECKING:
    from collections.abc import Iterator

    from runbook_tui.engine import Engine
    from runbook_tui.ports import HostKey, Shell
    from tests.support.sshd import Sshd, SshFiles

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("sudo"), reason="needs root and sudo"),
]

RIGHT, WRONG = "canary-right-e07b2", "canary-wrong-e07b2"
USERS = ("ada", "nora", "tina", "eve", "xena")

PLACE = r"""
set -e
etc=$1; key=$2; shift 2
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$etc/upper,workdir=$etc/work" /etc
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=700 tmpfs /root
mkdir -m 755 /run/sshd
hash=$(printf 'canary-right-e07b2' | openssl passwd -6 -stdin)
id=4242
for user in ada nora tina eve xena; do
echo "$user:x:$id:$id::/run/$user:/bin/sh" >>/etc/passwd
echo "$user:x:$id:" >>/etc/group
echo "$user:$hash:19000:0:99999:7:::" >>/etc/shadow
mkdir -m 700 /run/$user
[ $user != xena ] || mount -t tmpfs -o noexec,mode=700 tmpfs /run/xena
cp "$key" /run/$user/authorized_keys
chown -R $id:$id /run/$user
id=$((id+1))
done
cat >/etc/sudoers.d/lab <<E
Defaults:ada lecture=always
Defaults:tina requiretty
ada,tina,eve,xena ALL=(ALL) ALL
nora ALL=(ALL) NOPASSWD: ALL
E
chmod 440 /etc/sudoers.d/lab
exec "$@"
"""


@dataclass(frozen=True, slots=True)
class Far:
    """The host, the operator's files, and its root folder as it is seen from here."""

    server: Sshd
    files: SshFiles
    root: Path

    def bench(self, tmp_path: Path, user: str, text: str, typist: Typist) -> Bench:
        """Make a run of one step for this user."""
        hosts = {OLD: Host(OLD, f"{user}.test")}
        runbook = replace(a_runbook(an_action("a", text, host=OLD)), hosts=hosts, title=tmp_path.name)

        def shells(host: Host, pin: HostKey | None) -> Shell:
            return ssh_shell(self.files, host.ssh, pin)

        return Bench(runbook, tmp_path / "state", shells=shells, asker=typist)


@pytest.fixture(scope="module")
def far(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Far]:
    """Start the host: an overlay on /etc with users and sudoers of its own, their homes in a tmpfs on /run."""
    folder = tmp_path_factory.mktemp("far")
    for part in ("upper", "work"):
        (folder / "etc" / part).mkdir(parents=True)
    key = operator_key(folder / "operator")
    (folder / "place.sh").write_text(PLACE)
    (folder / "keys").write_text(f"{key.public}\n")
    place = ["sh", str(folder / "place.sh"), str(folder / "etc"), str(folder / "keys")]
    server = start_sshd(
        folder / "new", [key.public], environment={"LANG": "C"},
        options=["AuthorizedKeysFile %h/authorized_keys", "SetEnv LANG=C"],
        within=["unshare", "-m", "--propagation", "private", *place],
    )  # fmt: skip
    try:
        servers = {f"{user}.test": replace(server, user=user) for user in USERS}
        files = write_ssh_files(folder / "files", key, servers)
        yield Far(server, files, Path(f"/proc/{server.pid}/root"))
    finally:
        server.stop()


def found(value: str, *folders: Path) -> list[str]:
    """Give the files, command lines and environments in which a value is."""
    places = [*Path("/proc").glob("[0-9]*/cmdline"), *Path("/proc").glob("[0-9]*/environ")]
    for folder in folders:
        places += folder.rglob("*")
    hits = []
    for place in places:
        try:
            if place.is_file() and value.encode() in place.read_bytes():
                hits.append(str(place))
        except OSError:
            continue
    return hits


@dataclass(frozen=True, slots=True)
class Case:
    """What a user's step does, what is typed and stored, and what comes of it. `asked` is how often the person is."""

    user: str
    text: str
    status: Status
    says: str
    stored: str = ""
    types: tuple[tuple[str, ...], ...] = ()
    asked: int = 0


DONE, FAILED, STOPPED = Status.DONE, Status.FAILED, Status.STOPPED
NEW_ASK = "sudo -k; sudo id -un"
CASES = {
    "stored": Case("ada", "echo rest | sudo sh -c 'id -un; cat'", DONE, "root\nrest", RIGHT),
    "nested": Case("ada", 'sh -c "sudo id -un"', DONE, "root", RIGHT),
    "cached": Case("ada", "sudo true\nsudo id -un", DONE, "root", RIGHT),
    "typed": Case("ada", NEW_ASK, DONE, "root", "", ((RIGHT,),), 1),
    "wrong": Case("ada", NEW_ASK, DONE, "root", WRONG, ((RIGHT,),), 1),
    "thrice": Case("ada", NEW_ASK, FAILED, "3 incorrect", WRONG, ((WRONG,), (WRONG,)), 2),
    "cancel": Case("ada", f"{NEW_ASK} || sleep 99", STOPPED, "nobody gave a password", "", ((),), 1),
    "nopasswd": Case("nora", "sudo id -un", DONE, "root", RIGHT),
    "requiretty": Case("tina", "sudo id -un", FAILED, "must have a tty", RIGHT),
    "noexec": Case("xena", "sudo id -un", FAILED, "is it noexec?", RIGHT),
    "expired": Case("eve", "sudo id -un", FAILED, "account validation failure", RIGHT),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_every_way_of_sudo(far: Far, tmp_path: Path, case: Case) -> None:
    """The state is the true one, the person is asked as often as needed, and no file has a password afterwards."""
    user = case.user
    typist = Typist(list(case.types), {f"sudo {user}@{user}.test": case.stored})
    bench = far.bench(tmp_path, user, case.text, typist)
    async with bench.engine() as engine:
        await engine.consent()
        if user == "eve":  # who has expired is not let in: it happens while she is
            await engine.propose("a", Verb.CONFIRM)
            shadow = far.root / "etc/shadow"
            shadow.write_text(re.sub(r"(?m)^(eve:.*:7::):$", r"\g<1>1:", shadow.read_text()))
        async with asyncio.timeout(120):
            got = await confirm(engine, "a")
        said = engine.export("md")
    bench.leave()
    assert got is case.status, said
    assert case.says in said
    assert len(typist.asked) == case.asked
    assert found("e07b2", far.root / "run", tmp_path) == []


async def begun(engine: Engine, there: Path) -> Path:
    """Confirm the step; give the folder in /proc of what it runs as root."""
    await engine.consent()
    proposal = await engine.propose("a", Verb.CONFIRM)
    await engine.confirm(proposal, proposal.wants)
    await eventually(lambda: there.exists() and engine.activity is not None and engine.activity.stage == "running", 120)
    return Path(f"/proc/{there.read_text().strip()}")  # noqa: ASYNC240 -- a pid of a few bytes


def lives(process: Path) -> bool:
    """Whether it is there, and no zombie."""
    return process.exists() and "\nState:\tZ" not in (process / "status").read_text()


@pytest.mark.parametrize("user", ["nora", "ada"])
async def test_term_reaches_what_root_runs(far: Far, tmp_path: Path, user: str) -> None:
    """Sudo may be signalled by who started it, and passes it on."""
    script = f"sudo sh -c 'echo $$ >/run/{user}/pid.t; mv /run/{user}/pid.t /run/{user}/pid; exec sleep 1000'"
    bench = far.bench(tmp_path, user, script, Typist(drawer={f"sudo {user}@{user}.test": RIGHT}))
    async with bench.engine() as engine:
        running = await begun(engine, far.root / f"run/{user}/pid")
        assert "nothing of it runs any more" in await engine.stop()
        async with asyncio.timeout(120):
            await engine.idle()
        assert engine.state.of("a").status is Status.STOPPED
        assert not lives(running)


@pytest.mark.parametrize(("user", "reached"), [("nora", True), ("ada", False)])
async def test_kill_passes_sudo_by_and_that_is_said(far: Far, tmp_path: Path, user: str, reached: bool) -> None:
    """What root runs outlives a KILL of its sudo: it is ended by sudo -n, or said to live on, and not called ended."""
    there = far.root / f"run/{user}/stubborn"
    inner = f"echo $$ >/run/{user}/t; mv /run/{user}/t /run/{user}/stubborn; while :; do sleep 0.2; done"
    script = f"trap '' TERM; sudo sh -c '{inner}'"
    bench = far.bench(tmp_path, user, script, Typist(drawer={f"sudo {user}@{user}.test": RIGHT}))
    async with bench.engine() as engine:
        running = await begun(engine, there)
        try:
            assert " of it still run" in await engine.stop()
            said = await engine.stop(kill=True)
            assert ("nothing of it runs any more" in said) is reached
            assert lives(running) is not reached
            if not reached:
                assert engine.state.of("a").status is Status.RUNNING
        finally:
            if lives(running):
                os.kill(int(running.name), signal.SIGKILL)
        async with asyncio.timeout(120):
            await engine.idle()
        assert engine.state.of("a").status is Status.STOPPED


async def test_ways_back_of_different_users_run_as_each(far: Far, tmp_path: Path) -> None:
    """One by sudo, one as the login, in their order, as one confirmation."""
    who = far.root / "run/nora/who"
    undos = (Undo("id -un >>/run/nora/who", 1, become="root"), Undo("id -un >>/run/nora/who", 2))
    bench = far.bench(tmp_path, "nora", "touch /run/nora/who", Typist())
    action = an_action("a", "touch /run/nora/who", host=OLD, undos=undos)
    bench.runbook = replace(a_runbook(action), hosts=bench.runbook.hosts, title=tmp_path.name)
    async with bench.engine() as engine:
        await engine.consent()
        async with asyncio.timeout(120):
            assert await confirm(engine, "a") is DONE, engine.export("md")
            assert await confirm(engine, "a", Verb.UNDO) is Status.UNDONE, engine.export("md")
    assert who.read_text() == "root\nnora\n"


async def test_a_secret_file_of_root_holds_its_secret_alone(far: Far, tmp_path: Path) -> None:
    """Of root, 0600, through sudo's password and a FIFO; no other file, argument or environment has the value."""
    value, path = "canary-file-e07b2", "/etc/sudo-lab-secret.conf"
    target = far.root / path[1:]
    shutil.rmtree(far.root / "root/mailrunbook", ignore_errors=True)  # these runs have one name
    change = FileChange(path, FileMode.CREATE, secret=True)
    action = an_action(
        "a", "password = the_PassWord\n", host=OLD, kind=ActionKind.FILE, become="root", file=change
    )
    bench = far.bench(tmp_path, "nora", "", Typist())
    literals = [a_literal("the_PassWord", LiteralSource.SECRET, key="db")]
    bench.runbook = replace(a_runbook(action, literals=literals), hosts=bench.runbook.hosts, title=tmp_path.name)
    async with bench.engine() as engine:
        await engine.consent()
        engine.give_secret("db", value)
        async with asyncio.timeout(120):
            assert await confirm(engine, "a") is DONE, engine.export("md")
        assert target.read_text() == f"password = {value}\n"
        assert (target.stat().st_mode & 0o777, target.stat().st_uid) == (0o600, 0)
        assert found("e07b2", far.root / "run", far.root / "root/mailrunbook", tmp_path) == []


async def test_what_outlives_its_command_is_in_the_record(far: Far, tmp_path: Path) -> None:
    """TERM ends the shell of the step, but not what root runs and ignores it: stopped is not said to be all over."""
    there = far.root / "run/ada/left"
    inner = 'trap "" TERM; echo $$ >/run/ada/t; mv /run/ada/t /run/ada/left; while :; do sleep 0.2; done'
    bench = far.bench(tmp_path, "ada", f"sudo sh -c '{inner}'", Typist(drawer={"sudo ada@ada.test": RIGHT}))
    async with bench.engine() as engine:
        running = await begun(engine, there)
        try:
            assert " of it still run" in await engine.stop()
            async with asyncio.timeout(120):
                await engine.idle()
            assert engine.state.of("a").status is Status.STOPPED
            assert "of its group still ran on old a moment after the signal" in engine.export("md")
        finally:
            os.kill(int(running.name), signal.SIGKILL)


async def test_a_password_is_seen_nowhere_while_sudo_has_it(far: Far, tmp_path: Path) -> None:
    """While a command runs as root, no argument, environment or file on either side has the password."""
    flag = far.root / "run/ada/go"
    typist = Typist(drawer={"sudo ada@ada.test": RIGHT})
    script = "sudo -k; sudo sh -c 'until [ -e /run/ada/go ]; do sleep 0.1; done'"
    bench = far.bench(tmp_path, "ada", script, typist)
    async with bench.engine() as engine:
        await engine.consent()
        proposal = await engine.propose("a", Verb.CONFIRM)
        await engine.confirm(proposal, proposal.wants)
        await eventually(lambda: any("was given" in note.text for note in engine.state.notes), 120)
        assert found("e07b2", far.root / "run", tmp_path) == []
        flag.touch()
        async with asyncio.timeout(120):
            await engine.idle()
        assert engine.state.of("a").status is Status.DONE
        assert "e07b2" not in engine.export("md") + engine.export("json")


@pytest.mark.parametrize("user", ["ada", "nora"])
async def test_a_file_of_root_is_written_proved_and_put_back(far: Far, tmp_path: Path, user: str) -> None:
    """With a password or without: the diff is shown, root writes, a proof as root holds, and root takes it back."""
    path = f"/etc/sudo-lab-{user}.conf"
    target = far.root / path[1:]
    target.write_text("old\n")
    shutil.rmtree(far.root / "root/mailrunbook", ignore_errors=True)  # these runs have one name
    typist = Typist(drawer={f"sudo {user}@{user}.test": RIGHT})
    bench = far.bench(tmp_path, user, "new", typist)
    action = an_action(
        "a", "new\n", host=OLD, kind=ActionKind.FILE, become="root", file=FileChange(path, FileMode.REPLACE),
        verifies=(Verify(f"id -un; cat {path}", 1, become="root", expect="(?s)^root$.*^new$"),),
    )  # fmt: skip
    bench.runbook = replace(a_runbook(action), hosts=bench.runbook.hosts, title=tmp_path.name)
    async with bench.engine() as engine:
        await engine.consent()
        proposal = await engine.propose("a", Verb.CONFIRM)
        assert "-old\n+new" in proposal.detail
        async with asyncio.timeout(120):
            assert await confirm(engine, "a") is DONE, engine.export("md")
        assert target.read_text() == "new\n"
        undo = await engine.propose("a", Verb.UNDO)
        assert ("Neither can be shown" in undo.detail) is (user == "ada")
        async with asyncio.timeout(120):
            assert await confirm(engine, "a", Verb.UNDO) is Status.UNDONE, engine.export("md")
    bench.leave()
    assert target.read_text() == "old\n"
    assert typist.asked == []
    assert found("e07b2", far.root / "run", tmp_path) == []
