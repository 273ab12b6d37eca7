"""Check `routes`: configurations as Postfix prints them, the ways that come of them, and what is wrong with each."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from runbook_tui.adapters.local import LocalShell
from runbook_tui.checks.exchangers import Exchanger
from runbook_tui.checks.journey import distinct, judge
from runbook_tui.checks.routes import RoutesProbe, lookups
from runbook_tui.checks.routing import (
    Goes,
    Hop,
    MailHost,
    Networks,
    decide,
    host_of,
    networks,
    settings,
    tables,
    transport_keys,
    value,
    words,
)
from runbook_tui.core.model import CheckSpec, Host, HostName
from runbook_tui.ports import CheckState, Reading
from tests.checks.books import Book, BookNet
from tests.checks.onhosts import commands
from tests.support.sight import ShellHosts, TestSight

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from runbook_tui.adapters.stream import StreamJob

POSTMAP = shutil.which("postmap", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
needs_postfix = pytest.mark.skipif(POSTMAP is None, reason="Postfix is not installed")
DOMAIN = "example.test"
BASE = {
    "local_transport": "local:$myhostname", "virtual_transport": "virtual", "relay_transport": "relay",
    "default_transport": "smtp", "mydestination": "$myhostname, localhost.$mydomain, localhost", "relayhost": "",
    "myhostname": "new.example.test", "mydomain": "example.test",
    "parent_domain_matches_subdomains": "debug_peer_list,relay_domains",
}  # fmt: skip
OLD_MX, NEW_MX = (Exchanger(10, "old.example.test"),), (Exchanger(10, "new.example.test"),)


def decided(transport: str = "", **values: str) -> Hop:
    """Decide for the domain with these settings."""
    return decide({**BASE, **values}, DOMAIN, transport, {})


class TestSettings:
    """What is read out of postconf's words."""

    def test_values_with_references(self) -> None:
        """All spellings of a reference, conditions, and one that refers to itself."""
        values = settings(["a = $b, ${c} $(d)", "b = x", "c = y", "d = z", "e = ${b?yes}${f:none}", "f =", "g = $g."])
        assert value(values, "a") == "x, y z"
        assert value(values, "e") == "yesnone"
        assert value(values, "f") == ""
        assert len(value(values, "g")) < 20_000

    def test_lists_and_tables(self) -> None:
        """A list is split at commas and blanks, but not within braces."""
        values = {"transport_maps": "hash:/a, inline:{x = y, z = t} regexp:/b\n  static:q"}
        assert words(values, "transport_maps") == ["hash:/a", "inline:{x = y, z = t}", "regexp:/b", "static:q"]
        assert tables({"mydestination": "a, /b, hash:/c"}, "mydestination") == ["hash:/c"]

    def test_keys_of_a_transport(self) -> None:
        """In the order of transport(5)."""
        assert transport_keys("a.b.test") == ["anybody@a.b.test", "a.b.test", ".b.test", ".test", "*"]

    @pytest.mark.parametrize(("next_hop", "host"), [
        ("[Old.example.test]:25", ("old.example.test", False)), ("old.example.test:smtp", ("old.example.test", True)),
        ("[10.0.0.1]", ("10.0.0.1", False)), ("[IPv6:2001:db8::1]:25", ("2001:db8::1", False)), ("", ("", True)),
        ("[a], [b]", ("a", False)),
    ])  # fmt: skip
    def test_next_hops(self, next_hop: str, host: tuple[str, bool]) -> None:
        """Brackets turn the lookup of mail exchangers off."""
        assert host_of(next_hop) == host

    def test_mynetworks(self) -> None:
        """Networks of both kinds; a table is not known, and an unknown address neither."""
        found = networks(["127.0.0.0/8", "[2001:db8::]/32", "10.0.0.7"])
        assert [found.trust([one]) for one in ("127.9.9.9", "2001:db8::5", "10.0.0.7", "10.0.0.8", "x")] == [
            True, True, True, False, True,
        ]  # fmt: skip
        assert networks(["hash:/x"]).trust(["10.0.0.8"])


class TestDecide:
    """What one host does with the domain's mail."""

    def test_a_host_that_knows_nothing_of_the_domain(self) -> None:
        """It refuses strangers, and would bring friends' mail to the MX (MIGRATION.md section 0, item 1)."""
        assert decided() == Hop(Goes.ON, accepted=False, how="smtp", by_mx=True)

    @pytest.mark.parametrize(("values", "hop"), [
        ({"mydestination": f"{DOMAIN}, localhost"}, Hop(Goes.LOCAL, True, "local:new.example.test")),
        ({"mydestination": f"!{DOMAIN} {DOMAIN}"}, Hop(Goes.ON, False, "smtp", by_mx=True)),
        ({"mydestination": "$mydomain"}, Hop(Goes.LOCAL, True, "local:new.example.test")),
        ({"virtual_mailbox_domains": DOMAIN, "virtual_transport": "lmtp:unix:private/dovecot-lmtp"},
         Hop(Goes.LOCAL, True, "lmtp:unix:private/dovecot-lmtp")),
        ({"virtual_alias_domains": DOMAIN}, Hop(Goes.LOCAL, True, "virtual alias")),
        ({"relay_domains": DOMAIN}, Hop(Goes.ON, True, "relay", by_mx=True)),
        ({"relay_domains": "test"}, Hop(Goes.ON, True, "relay", by_mx=True)),
        ({"relay_domains": DOMAIN, "relayhost": "[old.example.test]"},
         Hop(Goes.ON, True, "relay:[old.example.test]", "old.example.test")),
        ({"mydestination": DOMAIN, "local_transport": "retry:4.2.1 x"}, Hop(Goes.NOWHERE, True, "retry:4.2.1 x")),
    ])  # fmt: skip
    def test_address_classes(self, values: dict[str, str], hop: Hop) -> None:
        """Each class has its transport, and all but the last are taken from strangers."""
        assert decided(**values) == hop

    @pytest.mark.parametrize(("transport", "how", "next_hop", "by_mx"), [
        ("smtp:[10.0.0.2]:25", "smtp:[10.0.0.2]:25", "10.0.0.2", False),
        (":[old.example.test]", "relay:[old.example.test]", "old.example.test", False),
        ("relay:old.example.test", "relay:old.example.test", "old.example.test", True),
        ("smtp:", "smtp", "", True), ("slow:[x.test]", "slow:[x.test]", "x.test", False),
    ])  # fmt: skip
    def test_a_transport_goes_before_all(self, transport: str, how: str, next_hop: str, by_mx: bool) -> None:
        """What transport_maps say replaces transport and next hop, relayhost included."""
        hop = decided(transport, relay_domains=DOMAIN, relayhost="[elsewhere.test]")
        assert hop == Hop(Goes.ON, accepted=True, how=how, next_hop=next_hop, by_mx=by_mx)

    def test_a_table_that_has_the_domain(self) -> None:
        """A list may be kept in tables."""
        values = {**BASE, "mydestination": "hash:/x"}
        assert decide(values, DOMAIN, "", {"mydestination": ["hash:/x"]}).goes is Goes.LOCAL
        assert decide(values, DOMAIN, "", {}).accepted is False


LOCAL = Hop(Goes.LOCAL, accepted=True, how="local")
OUT = Hop(Goes.ON, accepted=False, how="smtp", by_mx=True)


def to(name: str, *, accepted: bool = True) -> Hop:
    """Give the hop to a host."""
    return Hop(Goes.ON, accepted, f"smtp:[{name}]", name)


def station(name: str, domain: Hop, others: Hop = OUT, **changes: object) -> MailHost:
    """Make a host with an address of its own."""
    number = {"old": 1, "new": 2}[name]
    fields: dict[str, object] = {
        "names": frozenset({f"{name}.example.test"}), "addresses": frozenset({f"10.0.0.{number}"}),
        "trusts": networks(["10.0.0.0/24"]), **changes,
    }  # fmt: skip
    return MailHost(name, domain, others, **fields)  # type: ignore[arg-type]


def judged(new: MailHost, old: MailHost, mx: tuple[Exchanger, ...] | None) -> Reading:
    """Judge both."""
    return judge(DOMAIN, [new, old], mx)


class TestWays:
    """The stages of a migration, and the ways to lose mail in it."""

    @pytest.mark.parametrize(("new", "old", "mx", "drawn"), [
        (OUT, LOCAL, OLD_MX, "world → old(local); new(refused)"),
        (to("old.example.test"), LOCAL, OLD_MX, "world → old(local); new → old(local)"),
        (to("10.0.0.1"), LOCAL, NEW_MX, "world → new → old(local)"),
        (LOCAL, to("new.example.test"), NEW_MX, "world → new(local); old → new(local)"),
        (LOCAL, Hop(Goes.ON, True, "relay", by_mx=True), NEW_MX, "world → new(local); old → new(local)"),
        (LOCAL, OUT, (Exchanger(5, "mail.test", ("10.0.0.2",)),), "world → new(local); old(refused)"),
    ])  # fmt: skip
    def test_good_ways_are_drawn(self, new: Hop, old: Hop, mx: tuple[Exchanger, ...], drawn: str) -> None:
        """Before, during and after; what strangers may not do off the way of the world is no fault."""
        reading = judged(station("new", new), station("old", old), mx)
        assert (reading.state, reading.value) == (CheckState.PASS, drawn)

    @pytest.mark.parametrize(("new", "old", "mx", "said"), [
        (to("old.example.test"), to("new.example.test"), NEW_MX, "mail goes round: world → new → old → new"),
        (to("old.example.test"), to("new.example.test"), None, "mail goes round: new → old → new"),
        (to("old.example.test"), Hop(Goes.ON, True, "relay", by_mx=True), NEW_MX, "mail goes round"),
        (Hop(Goes.ON, True, "relay", by_mx=True), LOCAL, NEW_MX, "mail loops back to new"),
        (LOCAL, to("10.0.0.1"), NEW_MX, "mail loops back to old"),
        (OUT, LOCAL, NEW_MX, "new does not take mail for the domain"),
        (to("gone.test"), LOCAL, NEW_MX, "new hands it to gone.test, none of these hosts"),
        (Hop(Goes.NOWHERE, True, "error:no"), LOCAL, NEW_MX, "new answers error:no"),
        (LOCAL, LOCAL, (Exchanger(1, "third.test"),), "the MX is third.test"), (LOCAL, LOCAL, (), "the MX is nobody"),
    ])  # fmt: skip
    def test_circles_and_dead_ends_fail(
        self, new: Hop, old: Hop, mx: tuple[Exchanger, ...] | None, said: str
    ) -> None:
        """Every circle fails, on the way of the world or off it; and the way of the world must end in mailboxes."""
        reading = judged(station("new", new), station("old", old), mx)
        assert reading.state is CheckState.FAIL
        assert said in reading.value

    def test_a_friend_may_pass_where_a_stranger_may_not(self) -> None:
        """Old does not list the domain, but new is in its mynetworks; without that it refuses."""
        back = Hop(Goes.ON, accepted=False, how="smtp:[third.test]", next_hop="third.test")
        trusting = judged(station("new", to("10.0.0.1")), station("old", back), NEW_MX)
        assert "old hands it to third.test" in trusting.value
        closed = judged(station("new", to("10.0.0.1")), station("old", back, trusts=Networks()), NEW_MX)
        assert "old does not take mail" in closed.value

    def test_other_mail_must_not_go_round(self) -> None:
        """The relayhost of each is the other."""
        new = station("new", LOCAL, to("old.example.test", accepted=False), relayhost="[old.example.test]")
        old = station("old", to("new.example.test"), to("new.example.test", accepted=False))
        reading = judged(new, old, NEW_MX)
        assert reading.state is CheckState.FAIL
        assert "mail for others goes round: new → old → new" in reading.value

    @pytest.mark.parametrize(("new", "old", "said"), [
        (station("new", LOCAL, in_mydestination=True), station("old", LOCAL, in_mydestination=True),
         "example.test is in mydestination of new and old"),
        (station("new", LOCAL, to("old.example.test"), relayhost="[old.example.test]"), station("old", OUT),
         "relayhost of new is still [old.example.test]"),
        (station("new", LOCAL, trusts=Networks()), station("old", to("new.example.test"), to("new.example.test")),
         "new does not relay for old: mynetworks"),
        (station("new", LOCAL), station("old", Hop(Goes.ON, True, "smtp:new.example.test", "new.example.test", True)),
         "old: smtp:new.example.test means the MX of new.example.test: write [new.example.test]"),
        (station("new", LOCAL, remarks=("new: /etc/x is newer than its table: postmap",)), station("old", OUT),
         "newer than its table"),
    ])  # fmt: skip
    def test_what_is_worth_a_warning(self, new: MailHost, old: MailHost, said: str) -> None:
        """The way is right, and yet something was forgotten."""
        reading = judged(new, old, NEW_MX)
        assert reading.state is CheckState.WARN
        assert said in reading.value

    def test_a_table_that_cannot_be_asked_fails(self) -> None:
        """Postfix then puts off all mail (451 4.3.0)."""
        broken = station("new", LOCAL, broken="postmap: fatal: open database /etc/x.db")
        assert judged(broken, station("old", OUT), NEW_MX).state is CheckState.FAIL

    def test_addresses_that_several_have_name_nobody(self) -> None:
        """The bridge of a container engine has the same address everywhere."""
        both, bridge = frozenset({"172.17.0.1", "10.0.0.9"}), frozenset({"172.17.0.1"})
        hosts = distinct([station("new", LOCAL, addresses=both), station("old", OUT, addresses=bridge)])
        assert [host.addresses for host in hosts] == [frozenset({"10.0.0.9"}), frozenset()]


MAIN_CF = """compatibility_level = 3.6
myhostname = {name}.example.test
mydomain = example.test
alias_maps =
{more}
"""


class ConfiguredShell(LocalShell):
    """This machine as a host whose Postfix is configured in a folder of its own."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(Host(HostName(name), dns_name=f"{name}.example.test"))
        self._folder = folder

    async def start(self, script: str, sink: Callable[[bytes], None], stdin: bytes | None = None) -> StreamJob:
        """Run a script with MAIL_CONFIG set."""
        return await super().start(f"MAIL_CONFIG={self._folder}; export MAIL_CONFIG\n{script}", sink, stdin)


@needs_postfix
class TestRealPostfix:
    """Configurations that the real postconf and postmap read, two hosts of them on this machine."""

    @pytest.fixture
    def sight(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> TestSight:
        """Both hosts are this machine; the folder that MAIL_CONFIG names tells them apart."""
        commands(monkeypatch, tmp_path / "bin", ip="exit 1", ifconfig="exit 1", getent="exit 2")
        book = Book({("example.test", "MX"): ["10 new.example.test."], ("new.example.test", "A"): []})
        shells = {name: ConfiguredShell(name, tmp_path / name) for name in ("new", "old")}
        return TestSight(hosts=ShellHosts(shells), net=BookNet(book))

    async def read(self, folder: Path, sight: TestSight, new: str, old: str) -> Reading:
        """Look once at these two configurations."""
        for name, more in (("new", new), ("old", old)):
            config = folder / name
            config.mkdir(exist_ok=True)
            (config / "main.cf").write_text(MAIN_CF.format(name=name, more=more))
            os.utime(config / "main.cf", (1, 1))  # Postfix waits for a file of this very second to come to rest
            (config / "master.cf").write_text("")
        probe = RoutesProbe.of(CheckSpec("routes", "routes", {"name": "Example.test.", "hosts": ["new", "old"]}), str)
        return await probe.read(sight)

    async def test_new_relays_to_old(self, tmp_path: Path, sight: TestSight) -> None:
        """A compiled transport is followed; once its source is newer, it warns."""
        table = tmp_path / "transport"
        table.write_text("example.test smtp:[old.example.test]\n")
        new = f"relay_domains = $mydomain\ntransport_maps = texthash:{table}"
        old = "mydestination = $mydomain, localhost"
        reading = await self.read(tmp_path, sight, new, old)
        assert (reading.value, reading.state) == ("world → new → old(local)", CheckState.PASS)
        new = f"relay_domains = $mydomain\ntransport_maps = hash:{table}"
        reading = await self.read(tmp_path, sight, new, old)
        assert reading.state is CheckState.FAIL, "the table was never compiled"
        assert "fatal" in reading.value
        environment = {"MAIL_CONFIG": f"{tmp_path}/new", "PATH": f"{os.environ['PATH']}:/usr/sbin"}
        await asyncio.to_thread(
            subprocess.run, ["postmap", f"hash:{table}"], executable=POSTMAP, env=environment, check=True
        )
        reading = await self.read(tmp_path, sight, new, old)
        assert (reading.value, reading.state) == ("world → new → old(local)", CheckState.PASS)
        later = table.with_name("transport.db").stat().st_mtime + 60
        os.utime(table, (later, later))
        reading = await self.read(tmp_path, sight, new, old)
        assert reading.state is CheckState.WARN
        assert f"{table} is newer than its table" in reading.value

    async def test_a_circle(self, tmp_path: Path, sight: TestSight) -> None:
        """Old relays to new before new delivers: what lost a third of the mails (MIGRATION.md section 0, item 3)."""
        new = "relay_domains = example.test\nrelayhost = [old.example.test]"
        old = "relay_domains = example.test\ntransport_maps = inline:{example.test=smtp:[new.example.test]}"
        reading = await self.read(tmp_path, sight, new, old)
        assert reading.state is CheckState.FAIL
        assert reading.value.startswith("world → new → old → new · ")

    async def test_relay_domains_forgotten(self, tmp_path: Path, sight: TestSight) -> None:
        """The seed, followed literally, delivers nothing."""
        reading = await self.read(
            tmp_path, sight, "mydestination = localhost\nrelayhost = [old.example.test]",
            "mydestination = example.test",
        )  # fmt: skip
        assert reading.state is CheckState.FAIL
        assert "new does not take mail for the domain" in reading.value

    async def test_a_domain_kept_in_a_file(self, tmp_path: Path, sight: TestSight) -> None:
        """A list may name files and tables."""
        (tmp_path / "domains").write_text("other.test\nExample.test\n")
        reading = await self.read(
            tmp_path, sight, f"mydestination = {tmp_path}/domains",
            "relay_domains = inline:{example.test=x}",
        )  # fmt: skip
        assert reading.value == "world → new(local); old → new(local)"

    async def test_names_that_cannot_be_looked_up(self, tmp_path: Path, sight: TestSight) -> None:
        """Without the MX it is never green, but a circle is seen all the same."""
        sight.net = BookNet(Book(resolvers=()))
        reading = await self.read(tmp_path, sight, "mydestination = example.test", "")
        assert reading.state is CheckState.UNKNOWN
        assert reading.value.startswith("this machine has no resolver; new(local)")

    async def test_no_postfix(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sight: TestSight) -> None:
        """A host without it is UNKNOWN."""
        commands(monkeypatch, tmp_path / "bin", postconf="exit 127")
        reading = await RoutesProbe("example.test", ("new",)).read(sight)
        assert (reading.state, reading.value) == (CheckState.UNKNOWN, "postconf of new was not understood")


def test_words_of_a_configuration_stay_words() -> None:
    """What a host's main.cf says is quoted before it is sent back to its shell."""
    values = {"transport_maps": "hash:/x;reboot, static:$(reboot)", "mydestination": "/d;reboot"}
    sent = "\n".join(lookups(values, DOMAIN).values())
    assert "'hash:/x;reboot'" in sent
    assert "'/d;reboot'" in sent
    assert "static:$(reboot)" not in sent.replace("'static:$(reboot)'", "")
