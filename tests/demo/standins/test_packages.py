"""Packages: what apt-get brings is there afterwards, and what a system says of itself fits it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from runbook_tui.demo.standins import filters, packages, system

if TYPE_CHECKING:
    from tests.demo.standins.conftest import BareWorld, Run

APT, SYSTEM = packages.COMMANDS["debian"], system.COMMANDS["debian"]


async def test_installing_brings_files_and_a_running_service(world: BareWorld, run: Run) -> None:
    """dovecot-imapd brings dovecot-core: its settings, and a daemon that runs; a second time changes nothing."""
    new = world.machines["new"]
    first = await run(APT, new, "apt-get", "install", "-y", "-q", "dovecot-imapd")
    assert first.status == 0
    assert "0 upgraded, 3 newly installed" in first.out
    assert new.services["dovecot"].running
    assert packages.installed(new.host) == {"dovecot-imapd", "dovecot-core", "ssl-cert"}
    conf = new.host.path("/etc/dovecot/conf.d/10-mail.conf")
    assert "mbox:~/mail" in conf.read_text()
    conf.write_text("mail_location = maildir:~/Maildir\n")
    await new.services["dovecot"].stop()
    assert "0 upgraded, 0 newly installed" in (await run(APT, new, "apt-get", "install", "-y", "dovecot-imapd")).out
    assert not new.services["dovecot"].running
    await run(APT, new, "apt-get", "remove", "-y", "dovecot-core")
    await run(APT, new, "apt-get", "install", "-y", "dovecot-core")
    assert conf.read_text() == "mail_location = maildir:~/Maildir\n"


async def test_dpkg_tells_what_is_there(world: BareWorld, run: Run) -> None:
    """Dpkg -s and dpkg-query -W agree with apt-get, and fail for what is missing."""
    new = world.machines["new"]
    assert (await run(APT, new, "dpkg", "-s", "rsync")).status == 1
    await run(APT, new, "apt-get", "install", "-y", "rsync")
    assert "Status: install ok installed" in (await run(APT, new, "dpkg", "-s", "rsync")).out
    form = "${db:Status-Status} ${Version}\\n"
    assert (await run(APT, new, "dpkg-query", "-W", "-f", form, "rsync")).out == "installed 3.2.7-1+deb12u2\n"
    assert (await run(APT, new, "dpkg-query", "-W", "postfix")).status == 1


async def test_an_unknown_package_is_an_error(world: BareWorld, run: Run) -> None:
    """apt-get ends with 100 and its own sentence; on a full disk nothing is installed."""
    new = world.machines["new"]
    done = await run(APT, new, "apt-get", "install", "-y", "emacs")
    assert (done.status, done.err) == (100, "E: Unable to locate package emacs\n")
    new.host.full = True
    assert (await run(APT, new, "apt-get", "install", "-y", "rsync")).status == 100
    assert not packages.installed(new.host)
    assert (await run(APT, new, "apt-get", "dist-upgrade")).status == 64


async def test_a_site_is_a_file_that_a_reload_sees(world: BareWorld, run: Run) -> None:
    """a2ensite and a2dissite make and remove sites-enabled/NAME.conf, and refuse a site that is not there."""
    new = world.machines["new"]
    available = new.host.path("/etc/apache2/sites-available/webmail.conf")
    available.parent.mkdir(parents=True)
    available.write_text("<VirtualHost *:80>\n</VirtualHost>\n")
    enabled = new.host.path(f"{system.SITES['debian']}/webmail.conf")
    assert (await run(SYSTEM, new, "a2ensite", "-q", "webmail")).out == ""
    assert enabled.exists()
    assert "already enabled" in (await run(SYSTEM, new, "a2ensite", "webmail")).out
    assert (await run(SYSTEM, new, "a2dissite", "webmail")).status == 0
    assert not enabled.exists()
    assert (await run(SYSTEM, new, "a2ensite", "nothing")).status == 1
    assert (await run(SYSTEM, new, "a2enmod", "-q", "ssl")).status == 0
    assert (await run(SYSTEM, new, "a2enmod", "nothing")).status == 1


async def test_each_system_says_what_it_is(world: BareWorld, run: Run) -> None:
    """uname, hostname and what listens are the host's, not the machine's."""
    old, new = world.machines["old"], world.machines["new"]
    bsd = system.COMMANDS["freebsd"]
    assert (await run(bsd, old, "uname")).out == "FreeBSD\n"
    assert (await run(bsd, old, "uname", "-sr")).out == "FreeBSD 9.2-RELEASE\n"
    assert (await run(SYSTEM, new, "uname", "-s")).out == "Linux\n"
    assert (await run(SYSTEM, new, "hostnamectl", "set-hostname", "mail.example.test")).status == 0
    assert (await run(SYSTEM, new, "hostname")).out == "mail.example.test\n"
    assert (await run(SYSTEM, new, "hostname", "-s")).out == "mail\n"
    assert ":25" not in (await run(SYSTEM, new, "ss", "-tln")).out
    await new.services["postfix"].start()
    await old.services["dovecot"].start()
    assert "0.0.0.0:25" in (await run(SYSTEM, new, "ss", "-Htln", "sport = :25")).out
    assert "*:993" in (await run(bsd, old, "sockstat", "-4", "-l")).out
    await run(SYSTEM, new, "logger", "-t", "mailrunbook", "step 1")
    assert "mailrunbook[" in new.host.path("/var/log/mail.log").read_text()


async def test_what_spam_looks_like_moves(world: BareWorld, run: Run) -> None:
    """sa-learn --backup here and --restore there give the same tokens; a file that is none is refused."""
    old, new = world.machines["old"], world.machines["new"]
    tokens = old.host.path("/home/plop/.spamassassin/bayes_toks")
    tokens.parent.mkdir(parents=True)
    tokens.write_text(
        "v\t3\tdb_version # this must be the first line!!!\nv\t7\tnum_spam\nv\t9\tnum_nonspam\nt\t1\t0\t5\tabc\n"
    )
    prefix = "/home/plop/.spamassassin/bayes"
    backup = (await run(filters.COMMANDS, old, "sa-learn", "--backup", "--dbpath", prefix)).out
    new.host.path("/tmp/bayes.txt").write_text(backup)
    restore = ("--restore", "/tmp/bayes.txt", "--dbpath", "/home/plop/.spamassassin/bayes")
    assert (await run(filters.COMMANDS, new, "sa-learn", *restore)).status == 0
    magic = await run(filters.COMMANDS, new, "sa-learn", "--dump", "magic", "--dbpath", prefix)
    assert [line.split()[2] for line in magic.out.splitlines()] == ["7", "9", "1"]
    new.host.path("/tmp/bayes.txt").write_text("nonsense")
    assert (await run(filters.COMMANDS, new, "sa-learn", *restore)).status == 1


async def test_lint_finds_a_line_that_is_none(world: BareWorld, run: Run) -> None:
    """Spamassassin --lint passes good settings and names a bad one; php -l likewise."""
    new = world.machines["new"]
    conf = new.host.path("/etc/spamassassin/local.cf")
    conf.parent.mkdir(parents=True)
    conf.write_text("# fine\nrequired_score 4.5\n")
    assert (await run(filters.COMMANDS, new, "spamassassin", "--lint")).status == 0
    conf.write_text("requird_score 4.5\n")
    bad = await run(filters.COMMANDS, new, "spamassassin", "--lint")
    assert (bad.status, "requird_score" in bad.err) == (1, True)
    assert (await run(filters.COMMANDS, new, "php", "-l", "/tmp/x.php")).status == 127
    await run(APT, new, "apt-get", "install", "-y", "php-pgsql")
    page = new.host.path("/tmp/x.php")
    page.write_text("<?php\n$config['a'] = array('it\\'s', \"b)\"); // (\n")
    assert (await run(filters.COMMANDS, new, "php", "-l", "/tmp/x.php")).status == 0
    page.write_text("<?php\n$config['a'] = array('b';\n")
    assert (await run(filters.COMMANDS, new, "php", "-l", "/tmp/x.php")).status == 255


async def test_spam_is_marked_while_spamd_runs(world: BareWorld, run: Run) -> None:
    """Spamc passes a mail on unmarked when there is no spamd, and procmail delivers where DEFAULT says."""
    old = world.machines["old"]
    mail = b"Subject: x\n\n" + filters.GTUBE + b"\n"
    assert (await run(filters.COMMANDS, old, "spamc", stdin=mail)).out == mail.decode()
    assert (await run(filters.COMMANDS, old, "spamassassin", stdin=mail)).out.startswith("X-Spam-Status: Yes")
    old.host.path("/etc/passwd").write_text("plop:*:1001:1001::/home/plop:/bin/sh\n")
    assert (await run(filters.COMMANDS, old, "procmail", "-d", "plop", stdin=mail)).status == 64
    old.host.path("/home/plop").mkdir()
    old.host.path("/home/plop/.procmailrc").write_text("DEFAULT=$HOME/Maildir/\n")
    assert (await run(filters.COMMANDS, old, "procmail", "-d", "plop", stdin=mail)).status == 0
    assert [path.read_bytes() for path in old.host.path("/home/plop/Maildir/new").iterdir()] == [mail]
    assert (await run(filters.COMMANDS, old, "procmail", "-d", "carol", stdin=mail)).status == 67


async def test_freebsds_packages_are_a_list(world: BareWorld, run: Run) -> None:
    """Pkg info finds what is there; pkg install agrees with it, and can bring nothing new."""
    old = world.machines["old"]
    listed = old.host.path(packages.PORTS)
    listed.parent.mkdir(parents=True)
    listed.write_text("rsync-3.1.0      A utility\n")
    pkg = packages.COMMANDS["freebsd"]
    assert (await run(pkg, old, "pkg", "info", "rsync")).out.startswith("rsync-3.1.0")
    assert (await run(pkg, old, "pkg", "install", "-y", "rsync")).status == 0
    assert (await run(pkg, old, "pkg", "install", "-y", "emacs")).status == 64
    assert (await run(pkg, old, "pkg", "info", "emacs")).status == 70
