"""Accounts: users come and go in real files, and a hash that moves lets its owner in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from runbook_tui.demo import passwords
from runbook_tui.demo.standins import accounts, identity
from runbook_tui.demo.standins.accounts import Account

if TYPE_CHECKING:
    from runbook_tui.demo.machine import Machine
    from tests.demo.standins.conftest import BareWorld, Run

OLD = {**identity.COMMANDS, **accounts.COMMANDS["freebsd"]}
NEW = {**identity.COMMANDS, **accounts.COMMANDS["debian"]}


@pytest.fixture
def old(world: BareWorld) -> Machine:
    """A host with a user who has a password."""
    machine = world.machines["old"]
    account = Account("plop", 1001, 1001, "Paul Lop", "/home/plop", "/bin/sh")
    accounts.add_user(machine.host, account, stored=passwords.hashed("sesame"))
    return machine


@pytest.fixture
def new(world: BareWorld) -> Machine:
    """A host without users."""
    machine = world.machines["new"]
    machine.host.path("/etc/shadow").write_text("root:*:19000:0:99999:7:::\n")
    return machine


async def test_a_moved_hash_opens_the_new_door(old: Machine, new: Machine, run: Run) -> None:
    """Pw usershow here, useradd and chpasswd -e there: the same password is right, another is not."""
    line = (await run(OLD, old, "pw", "usershow", "plop")).out
    stored = line.split(":")[1]
    assert stored.startswith("$6$")
    assert (await run(NEW, new, "useradd", "-m", "-U", "-s", "/bin/bash", "plop")).status == 0
    assert not passwords.accepts(new.host, "plop", "sesame")
    assert (await run(NEW, new, "chpasswd", "-e", stdin=f"plop:{stored}\n".encode())).status == 0
    assert passwords.accepts(new.host, "plop", "sesame")
    assert not passwords.accepts(new.host, "plop", "simsim")
    assert new.host.users()["plop"].uid == 1000
    assert new.host.path("/home/plop").is_dir()
    assert (await run(NEW, new, "getent", "shadow", "plop")).out.startswith(f"plop:{stored}:")


async def test_only_root_sees_hashes(old: Machine, run: Run) -> None:
    """Pw usershow hides the hash from others."""
    assert (await run(OLD, old, "pw", "user", "show", "plop", user="plop")).out.startswith("plop:*:1001:")
    unknown = await run(OLD, old, "pw", "usershow", "carol")
    assert (unknown.status, unknown.err) == (67, "pw: no such user `carol'\n")


async def test_a_locked_user_stays_out(old: Machine, new: Machine, run: Run) -> None:
    """Pw lock and usermod -L keep the hash and refuse the password; unlocking restores it."""
    await run(OLD, old, "pw", "lock", "plop")
    assert not passwords.accepts(old.host, "plop", "sesame")
    await run(OLD, old, "pw", "unlock", "plop")
    assert passwords.accepts(old.host, "plop", "sesame")
    await run(NEW, new, "useradd", "alice")
    await run(NEW, new, "chpasswd", stdin=b"alice:open\n")
    await run(NEW, new, "usermod", "-L", "alice")
    assert not passwords.accepts(new.host, "alice", "open")
    await run(NEW, new, "usermod", "-U", "alice")
    assert passwords.accepts(new.host, "alice", "open")


async def test_what_cannot_be_has_the_real_status(new: Machine, run: Run) -> None:
    """useradd: 9 taken, 4 uid taken, 6 no such group, 3 no name; userdel: 6; chpasswd: 1; unknown option: 64."""
    assert (await run(NEW, new, "useradd", "-u", "1500", "plop")).status == 0
    assert not new.host.path("/home/plop").exists()
    cases = {
        ("useradd", "plop"): 9, ("useradd", "-u", "1500", "alice"): 4, ("useradd", "-G", "nogroup", "alice"): 6,
        ("useradd", "Al:ice"): 3, ("userdel", "alice"): 6, ("useradd", "--frob", "alice"): 64, ("id", "alice"): 1,
        ("getent", "passwd", "alice"): 2, ("adduser", "alice"): 64, ("usermod", "-G", "mail", "plop"): 64,
    }  # fmt: skip
    for words, status in cases.items():
        assert (await run(NEW, new, *words)).status == status, words
    assert (await run(NEW, new, "chpasswd", stdin=b"alice:x\n")).status == 1
    assert "alice" not in new.host.users()


async def test_a_user_goes_with_the_home(new: Machine, run: Run) -> None:
    """Userdel -r leaves no line and no folder."""
    await run(NEW, new, "adduser", "--disabled-password", "--gecos", "", "plop")
    assert new.host.path("/home/plop").is_dir()
    assert (await run(NEW, new, "userdel", "-r", "plop")).status == 0
    assert not new.host.path("/home/plop").exists()
    for name in ("/etc/passwd", "/etc/group", "/etc/shadow"):
        assert "plop" not in new.host.path(name).read_text()


async def test_identity_is_the_worlds(old: Machine, run: Run) -> None:
    """Id shows the host's numbers, not the machine's; members of a group are in it."""
    with old.host.path("/etc/group").open("a") as groups:
        groups.write("staff:*:20:plop\n")
    assert (await run(OLD, old, "id", "plop")).out == "uid=1001(plop) gid=1001(plop) groups=1001(plop),20(staff)\n"
    assert (await run(OLD, old, "id", "-un", user="plop")).out == "plop\n"
    assert (await run(OLD, old, "whoami", user="plop")).out == "plop\n"


async def test_owners_must_be_known(old: Machine, run: Run) -> None:
    """Chown succeeds for a name of the host and a file that is there, and for nothing else."""
    old.host.path("/tmp/file").touch()
    assert (await run(OLD, old, "chown", "-R", "plop:plop", "/tmp/file")).status == 0
    assert (await run(OLD, old, "chown", "1001:mail", "file", cwd="/tmp")).status == 0
    assert (await run(OLD, old, "chown", "carol", "/tmp/file")).err == "chown: invalid user: \u2018carol\u2019\n"
    assert (await run(OLD, old, "chown", "plop:carol", "/tmp/file")).status == 1
    assert (await run(OLD, old, "chgrp", "mail", "/tmp/nothing")).status == 1
