"""Host keys by role against real SSH servers: every verdict for both roles, jump hosts, one machine in two roles."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
from typing import TYPE_CHECKING

import asyncssh
import pytest

from runbook_tui.core.errors import HostError, Refused
from runbook_tui.core.model import LOCAL, Host, HostName
from runbook_tui.core.run import Status, Verb
from runbook_tui.ports import KeyVerdict, Link
from tests.core.builders import NEW, OLD, an_action
from tests.engine.machines import NAMES, ROLES, bench_of, view_of
from tests.support.bench import confirm
from tests.support.sshd import make_key

if TYPE_CHECKING:
    from pathlib import Path

    from runbook_tui.core.model import Action
    from tests.engine.machines import Machines

def both() -> list[Action]:
    """Make a step for each role."""
    return [an_action("old", "echo o", host=OLD), an_action("new", "echo n", host=NEW)]


def hashed(line: str) -> str:
    """Give a line of known_hosts with its name hashed, as `ssh-keygen -H` does."""
    name, rest = line.split(maxsplit=1)
    salt = b"0123456789abcdefghij"
    digest = hmac.new(salt, name.encode(), hashlib.sha1).digest()
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()} {rest}"


def line_for(verdict: KeyVerdict, role: HostName, machines: Machines, folder: Path) -> str:
    """Give what known_hosts says of a role so that its key is refused with this verdict."""
    match verdict:
        case KeyVerdict.CHANGED:
            return f"{NAMES[role]} {make_key(folder, 'other').public}\n"
        case KeyVerdict.OTHER_TYPE:
            key = asyncssh.generate_private_key("ecdsa-sha2-nistp256").export_public_key().decode("ascii")
            return f"{NAMES[role]} {key}"
        case KeyVerdict.REVOKED:
            return f"{machines.known(role)}@revoked * {machines.of(role).host_key}\n"
        case _:
            return ""


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("verdict", list(KeyVerdict))
async def test_each_verdict_for_each_role(
    tmp_path: Path, machines: Machines, verdict: KeyVerdict, role: HostName
) -> None:
    """A key that is not the role's own is refused before any login, named for what it is, and nothing runs."""
    other = NEW if role == OLD else OLD
    leads = {role: machines.of(other)} if verdict is KeyVerdict.OTHER_ROLE else {}
    known = machines.known(other) + line_for(verdict, role, machines, tmp_path)
    two = machines.hosts(tmp_path, known, leads=leads)
    async with bench_of(tmp_path, two, *both()).engine() as engine:
        await engine.consent()
        await engine.propose(other, Verb.CONFIRM)
        before = machines.logins()
        with pytest.raises(HostError):
            await engine.propose(role, Verb.CONFIRM)
        view = view_of(engine, role)
        assert (view.link, view.refusal and view.refusal.verdict) == (Link.REFUSED, verdict)
        assert machines.logins() == before
        assert engine.state.of(role).attempts == ()
        assert view.refusal is not None
        shown = view.refusal.key
        assert shown is not None
        if view.refusal.role:
            assert f"the machine {other}" in view.problem
        if not view.refusal.can_be_trusted:
            with pytest.raises(Refused, match="cannot be trusted"):
                await engine.trust(role, shown.fingerprint, "I want it")
            return
        if view.refusal.alarming:
            with pytest.raises(Refused, match="whole fingerprint"):
                await engine.trust(role, shown.fingerprint[-6:], "reinstalled")
            with pytest.raises(Refused, match="say why"):
                await engine.trust(role, shown.fingerprint)
            await engine.trust(role, shown.fingerprint, "reinstalled")
        else:
            await engine.trust(role, shown.fingerprint[-6:])
        assert await confirm(engine, role) is Status.DONE
        pin = engine.state.pins[role]
        assert (pin.fingerprint, pin.by) == (shown.fingerprint, "ada")
        assert bool(pin.instead) == bool(pin.reason) == view.refusal.alarming


@pytest.mark.parametrize("role", ROLES)
async def test_a_known_key_is_pinned_to_its_role(tmp_path: Path, machines: Machines, role: HostName) -> None:
    """What known_hosts vouches for by name (hashed too) counts from then on, whatever becomes of the file."""
    two = machines.hosts(tmp_path, "garbage\n" + hashed(machines.known(role)))
    bench = bench_of(tmp_path, two, *both())
    async with bench.engine() as engine:
        await engine.consent()
        await engine.propose(role, Verb.CONFIRM)
        pin = engine.state.pins[role]
        assert f"found by name in {two.files.known_hosts} line 2" in pin.source
    two.files.known_hosts.write_text(f"{NAMES[role]} {make_key(tmp_path, 'other').public}\n", encoding="ascii")
    async with bench.engine() as engine:
        await engine.consent()
        assert (await engine.propose(role, Verb.CONFIRM)).fingerprint == pin.fingerprint
    assert "is trusted with its ssh-ed25519 key" in engine.export("md")


async def test_one_machine_is_not_both_old_and_new(tmp_path: Path, machines: Machines) -> None:
    """Both names may be known with one key, both connected to at once: the second to answer is refused."""
    known = machines.known(OLD) + machines.old.known_hosts_line(NAMES[NEW])
    two = machines.hosts(tmp_path, known, leads={NEW: machines.old})
    async with bench_of(tmp_path, two, *both()).engine() as engine:
        await engine.consent()
        found = await asyncio.gather(*(engine.propose(role, Verb.CONFIRM) for role in ROLES), return_exceptions=True)
        refused, = (one for one in found if isinstance(one, BaseException))
        assert isinstance(refused, HostError)
        assert "one machine" in str(refused) or "it is the machine" in str(refused)
        assert len(engine.state.pins) == 1
        assert [view.link for view in engine.hosts()].count(Link.REFUSED) == 1
    same = dict(two.hosts) | {NEW: Host(NEW, two.hosts[OLD].ssh)}
    async with bench_of(tmp_path / "same", two, *both(), hosts=same).engine() as engine:
        await engine.consent()
        await engine.propose(OLD, Verb.CONFIRM)
        with pytest.raises(HostError, match="it is the machine old"):
            await engine.propose(NEW, Verb.CONFIRM)


async def test_another_role_may_be_the_same_machine_by_the_same_words(tmp_path: Path, machines: Machines) -> None:
    """A name server on old is reached by old's own ssh text; by another text the same key is a mistake."""
    two = machines.hosts(tmp_path, machines.known(OLD))
    name_server = HostName("ns")
    for ssh, may in (("old.test", True), (f"ssh://{machines.old.user}@old.test", False)):
        hosts = {OLD: two.hosts[OLD], name_server: Host(name_server, ssh), LOCAL: Host(LOCAL)}
        steps = [an_action("a", host=OLD), an_action("b", host=name_server)]
        async with bench_of(tmp_path / str(may), two, *steps, hosts=hosts).engine() as engine:
            await engine.consent()
            await engine.propose("a", Verb.CONFIRM)
            if may:
                assert (await engine.propose("b", Verb.CONFIRM)).host == name_server
            else:
                with pytest.raises(HostError, match="the machine old"):
                    await engine.propose("b", Verb.CONFIRM)


async def test_a_jump_host_has_a_key_of_its_own(tmp_path: Path, machines: Machines) -> None:
    """The jump host's unknown key is named as its own, trusted for it alone, and a changed one is an alarm."""
    two = machines.hosts(tmp_path, machines.known(NEW))
    two.files.config.write_text(
        f"Host new.test\n  ProxyJump jump.test\nHost jump.test\n  HostKeyAlias jump.test\n  HostName 127.0.0.1\n"
        f"  Port {machines.old.port}\n  User {machines.old.user}\n  IdentityFile {machines.operator.private}\n"
        + two.files.config.read_text()
    )
    bench = bench_of(tmp_path, two, *both())
    async with bench.engine() as engine:
        await engine.consent()
        with pytest.raises(HostError, match=r"Jump host jump\.test: The host key .* is not known"):
            await engine.propose(NEW, Verb.CONFIRM)
        refusal = view_of(engine, NEW).refusal
        assert refusal is not None
        assert refusal.key is not None
        assert (refusal.jump, refusal.verdict) == ("jump.test", KeyVerdict.UNKNOWN)
        await engine.trust(NEW, refusal.key.fingerprint)
        assert "through" in (await engine.propose(NEW, Verb.CONFIRM)).address
        assert set(engine.state.pins) == {"jump host jump.test", "new"}
        assert engine.state.pins["jump host jump.test"].by == "ada"
    two.files.config.write_text(
        two.files.config.read_text().replace(f"Port {machines.old.port}", f"Port {machines.new.port}", 1)
    )
    async with bench.engine() as engine:
        await engine.consent()
        with pytest.raises(HostError, match="has CHANGED"):
            await engine.propose(NEW, Verb.CONFIRM)
        refusal = view_of(engine, NEW).refusal
        assert refusal is not None
        assert (refusal.jump, refusal.verdict) == ("jump.test", KeyVerdict.CHANGED)


@pytest.mark.parametrize("verdict", [KeyVerdict.CHANGED, KeyVerdict.OTHER_TYPE, KeyVerdict.REVOKED])
async def test_a_jump_host_with_a_wrong_key_is_logged_in_to_by_nobody(
    tmp_path: Path, machines: Machines, verdict: KeyVerdict
) -> None:
    """The hop is named with its own verdict, its login is not tried, and a revoked key cannot be trusted."""
    line = line_for(verdict, OLD, machines, tmp_path).replace(NAMES[OLD], "jump.test")
    two = machines.hosts(tmp_path, machines.known(NEW) + line)
    two.files.config.write_text(
        f"Host new.test\n  ProxyJump jump.test\nHost jump.test\n  HostKeyAlias jump.test\n  HostName 127.0.0.1\n"
        f"  Port {machines.old.port}\n  User {machines.old.user}\n  IdentityFile {machines.operator.private}\n"
        + two.files.config.read_text()
    )
    before = machines.logins()
    async with bench_of(tmp_path, two, *both()).engine() as engine:
        await engine.consent()
        with pytest.raises(HostError, match=r"^new: Jump host jump\.test: "):
            await engine.propose(NEW, Verb.CONFIRM)
        refusal = view_of(engine, NEW).refusal
        assert refusal is not None
        assert (refusal.jump, refusal.verdict) == ("jump.test", verdict)
        assert refusal.can_be_trusted is (verdict is not KeyVerdict.REVOKED)
        assert engine.state.pins == {}
    assert machines.logins() == before
