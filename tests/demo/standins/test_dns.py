"""BIND's tools as stand-ins, against the world's real name servers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest

from runbook_tui.demo.dns.authoritative import Authoritative
from runbook_tui.demo.dns.resolver import Resolver
from runbook_tui.demo.quiet import Quiet
from runbook_tui.demo.standins.dns import COMMANDS
from tests.demo.dns.conftest import PORT, SECRET, append, edit, zone_file
from tests.demo.loopback import network

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from runbook_tui.demo.machine import Machine
    from tests.demo.standins.conftest import BareWorld, Run, Said

__all__ = ["zone_file"]


class Named:
    """The machine `old` with a name server, and a way to call a stand-in there."""

    def __init__(self, machine: Machine, server: Authoritative, run: Run, zone: Path) -> None:
        self.machine = machine
        self.server = server
        self.zone = zone
        self._run = run

    async def __call__(self, *argv: str, stdin: str = "") -> Said:
        return await self._run(COMMANDS, self.machine, *argv, stdin=stdin.encode())


async def serve(world: BareWorld, run: Run, zone: Path, keys: dict[str, str]) -> AsyncIterator[Named]:
    """Run the zone's server and a resolver around the bare world."""
    net = network()
    server = Authoritative(f"{net}.53", PORT, zone, "example.test", keys)
    resolver = Resolver("a", f"{net}.1", PORT, world.clock, (server.address, server.port))
    surroundings = cast("Any", world)
    surroundings.authoritative, surroundings.resolvers = server, (resolver,)
    world.machines["old"].services["named"] = Quiet(running=True)
    await server.start()
    await resolver.start()
    old = world.machines["old"]
    inside = old.host.path("/usr/local/etc/namedb/primary/example.test")
    inside.parent.mkdir(parents=True)
    inside.symlink_to(zone)
    yield Named(old, server, run, zone)
    await resolver.stop()
    await server.stop()


@pytest.fixture
async def named(world: BareWorld, run: Run, zone_file: Path) -> AsyncIterator[Named]:
    """A zone that is edited by hand."""
    async for one in serve(world, run, zone_file, {}):
        yield one


@pytest.fixture
async def dynamic(world: BareWorld, run: Run, zone_file: Path) -> AsyncIterator[Named]:
    """A zone that takes signed updates."""
    async for one in serve(world, run, zone_file, {"rehearsal": SECRET}):
        yield one


FILE = "/usr/local/etc/namedb/primary/example.test"


async def test_the_runbook_s_way_to_a_new_mx(named: Named) -> None:
    """Check the file, reload, ask the server: the new MX and serial number are there."""
    edit(named.zone, ("2026112301", "2026112302"), ("10 old", "10 new"))
    checked = await named("named-checkzone", "example.test", FILE)
    assert (checked.status, checked.out) == (0, "zone example.test/IN: loaded serial 2026112302\nOK\n")
    assert (await named("rndc", "reload", "example.test")).out == "zone reload queued\n"
    at = f"@{named.server.address}"
    assert (await named("dig", "+short", at, "example.test", "MX")).out == "10 new.example.test.\n"
    soa = (await named("dig", "+short", at, "example.test", "SOA")).out.split()
    assert soa[2] == "2026112302"
    shown = await named("dig", "+norecurse", "+noall", "+answer", at, "example.test", "MX")
    assert shown.out.split() == ["example.test.", "3600", "IN", "MX", "10", "new.example.test."]
    assert "serial: 2026112302" in (await named("rndc", "zonestatus", "example.test")).out


async def test_a_broken_file_fails_the_check_and_only_the_check(named: Named) -> None:
    """named-checkzone says the line and 1; rndc reload says 0 as the real one does, and the old zone is served."""
    line = append(named.zone, "foo IN BOGUS 1")
    checked = await named("named-checkzone", "example.test", FILE)
    assert checked.status == 1
    assert f":{line}: " in checked.out
    assert checked.out.endswith("zone example.test/IN: not loaded due to errors.\n")
    assert (await named("rndc", "reload", "example.test")).status == 0
    assert (await named("dig", "+short", "@ns1.example.test", "example.test", "MX")).out == "10 old.example.test.\n"


async def test_an_mx_without_address_is_a_warning(named: Named) -> None:
    """The forgotten dot passes the check, with a warning that names the host."""
    edit(named.zone, ("10 old", "10 new.example.test"))
    checked = await named("named-checkzone", "example.test", FILE)
    assert checked.status == 0
    assert "MX 'new.example.test.example.test' has no address records" in checked.out


async def test_rndc_refuses_what_it_cannot_do(named: Named, world: BareWorld, run: Run) -> None:
    """Unknown zones and words, a host without name server, and one that is stopped."""
    assert (await named("rndc", "reload", "other.test")).err.endswith("no matching zone 'other.test' in any view\n")
    assert (await named("rndc", "flush")).status == 64
    assert (await named("rndc", "freeze", "example.test")).err == "rndc: 'freeze' failed: not dynamic\n"
    elsewhere = await run(COMMANDS, world.machines["new"], "rndc", "status")
    assert "connection refused" in elsewhere.err
    await named.server.stop()
    assert (await named("rndc", "status")).status == 1


async def test_a_dynamic_zone_is_edited_between_freeze_and_thaw(dynamic: Named) -> None:
    """Reload is refused, freeze keeps updates out, thaw brings the edited file."""
    assert (await dynamic("rndc", "reload", "example.test")).err == "rndc: 'reload' failed: dynamic zone\n"
    assert (await dynamic("rndc", "freeze", "example.test")).status == 0
    update = f"key hmac-sha256:rehearsal {SECRET}\nupdate add x.example.test 60 A 127.0.0.7\nsend\n"
    denied = await dynamic("nsupdate", "-y", f"hmac-sha256:rehearsal:{SECRET}", stdin=update.partition("\n")[2])
    assert (denied.status, denied.err) == (2, "update failed: REFUSED\n")
    edit(dynamic.zone, ("2026112301", "2026112302"), ("10 old", "10 new"))
    assert (await dynamic("rndc", "thaw", "example.test")).status == 0
    assert dynamic.server.serial == 2026112302


async def test_nsupdate_changes_the_zone_with_a_key_file(dynamic: Named) -> None:
    """One message takes the old MX out and puts two in; quotes belong to a TXT record's data."""
    key = dynamic.machine.host.path("/root/rehearsal.key")
    key.write_text(f'key "rehearsal" {{\n\talgorithm hmac-sha256;\n\tsecret "{SECRET}";\n}};\n')
    words = (
        "server ns1.example.test\nzone example.test\nupdate delete example.test. MX\n"
        "update add example.test. 300 MX 10 new.example.test.\n"
        "update add example.test. 300 IN MX 20 old.example.test.\n"
        'update delete example.test. TXT\nupdate add example.test. 300 TXT "v=spf1 ip4:127.0.0.11 -all" ; both\n'
        "prereq yxdomain old.example.test.\nsend\nquit\n"
    )
    said = await dynamic("nsupdate", "-k", "/root/rehearsal.key", stdin=words)
    assert (said.status, said.err) == (0, "")
    mx = await dynamic("dig", "+short", "@ns1.example.test", "example.test", "MX")
    assert sorted(mx.out.splitlines()) == ["10 new.example.test.", "20 old.example.test."]
    txt = await dynamic("dig", "+short", "@ns1.example.test", "example.test", "TXT")
    assert txt.out == '"v=spf1 ip4:127.0.0.11 -all"\n'


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("hmac-sha256:stranger:" + SECRET, "update failed: NOTAUTH(BADKEY)"),
        ("hmac-sha256:rehearsal:d3Jvbmc=", "update failed: NOTAUTH(BADSIG)"),
    ],
)
async def test_nsupdate_with_a_wrong_key_says_so(dynamic: Named, key: str, words: str) -> None:
    """The reason is the server's, exit status 2."""
    said = await dynamic("nsupdate", "-y", key, stdin="update delete example.test. MX\nsend\n")
    assert said.status == 2
    assert words in said.err


async def test_dig_and_host_ask_the_machines_resolver_by_default(named: Named) -> None:
    """Without @server the answer comes from the cache; no such name is an empty +short and status 0."""
    assert (await named("dig", "+short", "old.example.test")).out == "127.0.0.11\n"
    assert "status: NXDOMAIN" in (await named("dig", "nope.example.test")).out
    assert (await named("dig", "+short", "nope.example.test")).out == ""
    assert (await named("host", "-t", "MX", "example.test")).out == (
        "example.test mail is handled by 10 old.example.test.\n"
    )
    missing = await named("host", "nope.example.test")
    assert (missing.status, missing.out) == (1, "Host nope.example.test not found: 3(NXDOMAIN)\n")
    assert (await named("dig", "+dnssec", "example.test")).status == 64
    assert (await named("dig", "-x", "127.0.0.1")).status == 64
    await named.server.stop()
    gone = await named("dig", "+tcp", "+short", "@ns1.example.test", "example.test", "MX")
    assert (gone.status, gone.out.splitlines()[-1]) == (9, ";; no servers could be reached")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('options { directory "/tmp"; // the folder\n};\nzone "a" { type primary; };\n', ""),
        ('options { directory "/tmp" };\n', ":1: missing ';' before '}'"),
        ("options { recursion no;\n", ":2: '}' expected near end of file"),
        ("options { recursion no; }\n", ":2: missing ';' before end of file"),
        ("options { };\n};\n", ":2: syntax error near '}'"),
        ("", ""),
    ],
)
async def test_named_checkconf_finds_what_hands_break(named: Named, text: str, words: str) -> None:
    """Braces and semicolons, with the line."""
    named.machine.host.path("/usr/local/etc/namedb/named.conf").write_text(text)
    said = await named("named-checkconf")
    assert said.status == (1 if words else 0)
    assert said.out == (f"/usr/local/etc/namedb/named.conf{words}\n" if words else "")
