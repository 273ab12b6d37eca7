"""apt-get, dpkg and pkg: a short list of packages, what each brings, and which are installed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from runbook_tui.demo.host import Host
    from runbook_tui.demo.standins.call import Call, Command

STATUS = "/var/lib/dpkg/status"
"""What is installed on Debian, in dpkg's own format."""
PORTS = "/var/db/pkg/installed"
"""What is installed on FreeBSD: a line `name-version  comment` each."""


@dataclass(frozen=True, slots=True)
class Package:
    """What apt-get installs: `needs` other packages, brings `services` (running from then on) and `files`."""

    version: str
    about: str
    needs: tuple[str, ...] = ()
    services: tuple[str, ...] = ()
    files: Mapping[str, str] | None = None


DOVECOT_CONF = """# Debian's default. Settings in conf.d come first, those in local.conf last.
!include conf.d/*.conf
!include_try local.conf
"""
_DOVECOT = {
    "/etc/dovecot/dovecot.conf": DOVECOT_CONF,
    "/etc/dovecot/conf.d/10-auth.conf": "disable_plaintext_auth = yes\nauth_mechanisms = plain\n",
    "/etc/dovecot/conf.d/10-mail.conf": "mail_location = mbox:~/mail:INBOX=/var/mail/%u\n"
    "mail_privileged_group = mail\n",
    "/etc/dovecot/conf.d/10-ssl.conf": "ssl = yes\nssl_cert = </etc/ssl/certs/ssl-cert-snakeoil.pem\n"
    "ssl_key = </etc/ssl/private/ssl-cert-snakeoil.key\n",
    "/etc/dovecot/conf.d/15-mailboxes.conf": "namespace inbox {\n  inbox = yes\n  mailbox Drafts {\n"
    "    special_use = \\Drafts\n  }\n  mailbox Sent {\n    special_use = \\Sent\n  }\n}\n",
}
_ROUNDCUBE = {
    "/etc/roundcube/config.inc.php": '<?php\n$config = [];\ninclude_once("/etc/roundcube/debian-db.php");\n'
    "$config['imap_host'] = [\"localhost:143\"];\n$config['smtp_host'] = 'localhost:587';\n"
    "$config['des_key'] = 'fresh-from-the-package-24';\n$config['plugins'] = [];\n",
    "/etc/roundcube/debian-db.php": "<?php\n$dbuser='roundcube';\n$dbname='roundcube';\n$dbtype='pgsql';\n",
    "/etc/apache2/conf-available/roundcube.conf": "# Alias /roundcube /var/lib/roundcube/public_html\n",
}
_DEFAULT_SITE = "<VirtualHost *:80>\n\tDocumentRoot /var/www/html\n</VirtualHost>\n"
_APACHE = {
    "/etc/apache2/sites-available/000-default.conf": _DEFAULT_SITE,
    "/etc/apache2/sites-enabled/000-default.conf": _DEFAULT_SITE,
    "/etc/apache2/mods-available/ssl.load": "LoadModule ssl_module /usr/lib/apache2/modules/mod_ssl.so\n",
}

PACKAGES: Mapping[str, Package] = {
    "apache2": Package("2.4.62-1~deb12u1", "Apache HTTP Server", services=("apache2",), files=_APACHE),
    "apt-utils": Package("2.6.1", "package management related utility programs"),
    "bsd-mailx": Package("8.1.2-0.20220412cvs-1", "simple mail user agent"),
    "ca-certificates": Package("20230311", "Common CA certificates"),
    "cron": Package("3.0pl1-162", "process scheduling daemon", services=("cron",)),
    "curl": Package("7.88.1-10+deb12u7", "command line tool for transferring data with URL syntax"),
    "dnsutils": Package("1:9.18.28-1~deb12u2", "Clients provided with BIND 9"),
    "dovecot-core": Package("1:2.3.19.1+dfsg1-2.1", "secure POP3/IMAP server", ("ssl-cert",), ("dovecot",), _DOVECOT),
    "dovecot-imapd": Package("1:2.3.19.1+dfsg1-2.1", "secure POP3/IMAP server - IMAP daemon", ("dovecot-core",)),
    "dovecot-lmtpd": Package("1:2.3.19.1+dfsg1-2.1", "secure POP3/IMAP server - LMTP server", ("dovecot-core",)),
    "dovecot-managesieved": Package("1:2.3.19.1+dfsg1-2.1", "ManageSieve server", ("dovecot-core",)),
    "dovecot-sieve": Package("1:2.3.19.1+dfsg1-2.1", "Sieve filters support", ("dovecot-core",)),
    "fetchmail": Package("6.4.37-1", "SSL enabled POP3, APOP, IMAP mail gatherer/forwarder"),
    "libapache2-mod-php": Package("2:8.2+93", "server-side, HTML-embedded scripting language", ("apache2",)),
    "libsasl2-modules": Package("2.1.28+dfsg-10", "Cyrus SASL - pluggable authentication modules"),
    "openssh-server": Package("1:9.2p1-2+deb12u3", "secure shell (SSH) server", services=("ssh", "sshd")),
    "php-pgsql": Package("2:8.2+93", "PostgreSQL module for PHP"),
    "postfix": Package("3.7.11-0+deb12u1", "High-performance mail transport agent", (), ("postfix", "postfix@-")),
    "postgresql": Package("15+248", "object-relational SQL database", ("postgresql-15",), ("postgresql",)),
    "postgresql-15": Package("15.8-0+deb12u1", "The World's Most Advanced Open Source Relational Database"),
    "procmail": Package("3.22-27", "Versatile e-mail processor"),
    "roundcube": Package(
        "1.6.5+dfsg-1+deb12u4", "skinnable AJAX based webmail solution", ("apache2", "roundcube-core")
    ),
    "roundcube-core": Package("1.6.5+dfsg-1+deb12u4", "skinnable AJAX based webmail solution", files=_ROUNDCUBE),
    "roundcube-pgsql": Package(
        "1.6.5+dfsg-1+deb12u4", "metapackage providing PostgreSQL dependencies", ("roundcube-core", "php-pgsql")
    ),
    "rsync": Package("3.2.7-1+deb12u2", "fast, versatile, remote (and local) file-copying tool"),
    "rsyslog": Package("8.2302.0-1+deb12u1", "reliable system and kernel logging daemon"),
    "spamassassin": Package(
        "4.0.1-1~deb12u1", "Perl-based spam filter using text analysis",
        files={"/etc/spamassassin/local.cf": "# Debian's default: nothing is set\n"},
    ),
    "spamc": Package("4.0.1-1~deb12u1", "Client for SpamAssassin spam filtering daemon"),
    "spamd": Package("4.0.1-1~deb12u1", "Daemonized SpamAssassin", ("spamassassin",), ("spamd",)),
    "ssl-cert": Package("1.1.2", "simple debconf wrapper for OpenSSL"),
}  # fmt: skip

BASE = ("apt-utils", "bsd-mailx", "ca-certificates", "cron", "dnsutils", "openssh-server", "postfix")
"""What a new machine starts with."""


def installed(host: Host) -> frozenset[str]:
    """Name the packages that are installed on a Debian host."""
    path = host.path(STATUS)
    text = path.read_text("utf-8") if path.exists() else ""
    return frozenset(re.findall(r"^Package: (.+)\nStatus: install ok installed$", text, re.MULTILINE))


def brought(host: Host, service: str) -> bool:
    """Tell whether a host has a service: on Debian when an installed package brings it, or none of the list would."""
    sources = {name for name, package in PACKAGES.items() if service in package.services}
    return host.layout.system != "debian" or not sources or bool(sources & installed(host))


def stanzas(names: tuple[str, ...] | list[str]) -> str:
    """Give the text of dpkg's status file for packages."""
    return "".join(
        f"Package: {name}\nStatus: install ok installed\nVersion: {PACKAGES[name].version}\n"
        f"Description: {PACKAGES[name].about}\n\n"
        for name in names
    )


def apt_get(call: Call) -> int:
    """Install from the list above; nothing else is known."""
    given = call.options(
        "yqfso:t:", long="yes assume-yes quiet no-install-recommends install-recommends allow-downgrades simulate"
        " download-only reinstall option= purge",
    )  # fmt: skip
    verb, *names = given.rest or ("",)
    match verb:
        case "update":
            call.say("Hit:1 http://deb.debian.org/debian bookworm InRelease\nReading package lists...")
        case "clean" | "autoclean" | "autoremove":
            call.say("Reading package lists...")
        case "install":
            _install(call, names, pretend=bool(given.flags & {"s", "simulate"}))
        case "remove" | "purge":
            _remove(call, names)
        case _:
            call.refuse(verb or "no verb")
    return 0


def _install(call: Call, names: list[str], *, pretend: bool) -> None:
    wanted = [name for name in names if not name.startswith("-")]
    for name in wanted:
        if name not in PACKAGES:
            call.fail(f"E: Unable to locate package {name}", 100)
    host = call.machine.host
    have = installed(host)
    fresh: dict[str, None] = {}
    while wanted:
        name = wanted.pop(0)
        if name not in have and name not in fresh:
            fresh[name] = None
            wanted += PACKAGES[name].needs
    call.say("Reading package lists...\nBuilding dependency tree...")
    if fresh:
        call.say("The following NEW packages will be installed:\n  " + " ".join(sorted(fresh)))
    call.say(f"0 upgraded, {len(fresh)} newly installed, 0 to remove and 0 not upgraded.")
    if pretend:
        return
    if host.full and fresh:
        call.fail("E: You don't have enough free space in /var/cache/apt/archives/.", 100)
    with _status(host).open("a", encoding="utf-8") as status:
        status.write(stanzas(list(fresh)))
    for name in reversed(fresh):
        _unpack(call, name)


def _status(host: Host) -> Path:
    path = host.path(STATUS)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _unpack(call: Call, name: str) -> None:
    package = PACKAGES[name]
    for path, text in (package.files or {}).items():
        file = call.machine.host.path(path)
        if not file.exists():  # a conffile that somebody put there stays
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text, encoding="utf-8")
    call.say(f"Setting up {name} ({package.version}) ...")
    for service in package.services:
        if service in call.machine.services:
            call.wait(call.machine.services[service].start())


def _remove(call: Call, names: list[str]) -> None:
    host = call.machine.host
    have = installed(host)
    for name in names:
        if name not in PACKAGES:
            call.fail(f"E: Unable to locate package {name}", 100)
        for service in PACKAGES[name].services if name in have else ():
            if service in call.machine.services:
                call.wait(call.machine.services[service].stop())
    gone = have & set(names)
    _status(host).write_text(stanzas(sorted(have - gone)), encoding="utf-8")
    call.say(f"0 upgraded, 0 newly installed, {len(gone)} to remove and 0 not upgraded.")


def dpkg(call: Call) -> int:
    """Say what is installed: -s, -l, --get-selections."""
    given = call.options("slW", long="status list get-selections")
    have, status = installed(call.machine.host), 0
    if given.flags & {"s", "status"}:
        for name in given.rest:
            if name in have:
                call.stdout.write(stanzas([name]))
            else:
                call.warn(
                    f"dpkg-query: package '{name}' is not installed and no information is available\n"
                    "Use dpkg --info (= dpkg-deb --info) to examine archive files."
                )
                status = 1
        return status
    if not given.flags & {"l", "list", "get-selections"}:
        call.refuse()
    for name in given.rest or sorted(have):
        if name in have:
            call.say(f"ii  {name:<22} {PACKAGES[name].version:<26} amd64        {PACKAGES[name].about}")
        else:
            call.warn(f"dpkg-query: no packages found matching {name}")
            status = 1
    return status


def dpkg_query(call: Call) -> int:
    """Say what is installed: -W with -f and ${Package}, ${Version}, ${Status}, ${db:Status-Status}."""
    given = call.options("Wf:sl", long="show showformat=")
    if not given.flags & {"W", "show"}:
        return dpkg(call)
    form = given.value("f") or given.value("showformat") or "${Package}\t${Version}\\n"
    have, status = installed(call.machine.host), 0
    for name in given.rest or sorted(have):
        if name not in have:
            call.warn(f"dpkg-query: no packages found matching {name}")
            status = 1
            continue
        words = {
            "Package": name, "Version": PACKAGES[name].version, "Status": "install ok installed",
            "db:Status-Status": "installed",
        }  # fmt: skip
        text = form
        for word in re.findall(r"\$\{([^}]+)\}", form):
            text = text.replace(f"${{{word}}}", words.get(word, ""))
        call.stdout.write(text.replace("\\n", "\n").replace("\\t", "\t"))
    return status


def debconf_set_selections(call: Call) -> None:
    """Take answers for packages to come, lines `package question type value`; none of them asks anything here."""
    call.options("")
    for number, line in enumerate(call.stdin.read().decode().splitlines(), 1):
        if line.strip() and not line.startswith("#") and len(line.split(None, 3)) < 3:
            call.fail(f"error: parse error on line {number}: '{line}'")


def pkg(call: Call) -> int:
    """Pkg of FreeBSD: info says what is installed; install only agrees that something is."""
    given = call.options("qaxey")
    verb, *names = given.rest or ("",)
    if verb not in {"info", "install"}:
        call.refuse(verb)
    lines = call.machine.host.path(PORTS).read_text("utf-8").splitlines()
    found = [line for line in lines if not names or any(line.startswith(f"{name}-") for name in names)]
    if verb == "install":
        if not names or len(found) < len(names):
            call.refuse(f"install {' '.join(names)}")
        call.say("The most recent versions of packages are already installed")
        return 0
    for line in found:
        call.say(line)
    if names and not found:
        call.fail(f"pkg: No package(s) matching {' '.join(names)}", 70)
    return 0


COMMANDS: Mapping[str, Mapping[str, Command]] = {
    "freebsd": {"pkg": pkg},
    "debian": {
        "apt-get": apt_get, "apt": apt_get, "dpkg": dpkg, "dpkg-query": dpkg_query,
        "debconf-set-selections": debconf_set_selections,
    },
}  # fmt: skip
"""By system."""
