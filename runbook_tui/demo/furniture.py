"""What stands on the hosts at the start: the files of `furnishings/`, users, tables, certificates, old mail, webmail.

A file there is a template in its own syntax: `@word@` in it or in its name is replaced. `both` is for every host.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runbook_tui.demo import passwords, trust
from runbook_tui.demo.old_mail import fill
from runbook_tui.demo.postfix import maps
from runbook_tui.demo.sql import split
from runbook_tui.demo.standins import accounts, packages
from runbook_tui.demo.standins.accounts import Account

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from runbook_tui.demo.database import Databases
    from runbook_tui.demo.host import Host

USERS: Mapping[str, str] = {"plop": "Paul Lop", "alice": "Alice Doe", "bob": "Bob Roe"}
"""Who has mail on the old server, with their full names."""

_TEMPLATES = Path(__file__).with_name("furnishings")
_WORD = re.compile(r"@([a-z_]+)@")
_PRIVATE = {"master.passwd": 0o600, "shadow": 0o600, "update.key": 0o600, ".fetchmailrc": 0o600, "getmymailnow": 0o755}
_EMPTY = ("/var/log", "/var/mail", "/var/spool/postfix", "/tmp", "/root/.ssh", "/home", "/run")  # noqa: S108 -- the host's own


@dataclass(frozen=True, slots=True)
class Papers:
    """What was made for this world and nobody can guess.

    `passwords` by user; `certificates` and `host_keys` (public lines, any number each) by host; `operator` is the
    public line that lets the operator's machine in as root; `tsig` is the update key's secret, base64.
    """

    passwords: Mapping[str, str]
    certificates: Mapping[str, trust.Certificate]
    host_keys: Mapping[str, tuple[str, ...]]
    operator: str
    authority: bytes
    tsig: str
    provider_password: str = "provider"  # noqa: S105 -- of nobody


def furnish(hosts: Mapping[str, Host], papers: Papers, *, name_server: str, resolver: str) -> None:
    """Put everything but databases on the hosts `old`, `new` and `desk`, whose folders may be empty.

    `name_server` and `resolver` are addresses.
    """
    words = {name: host.address for name, host in hosts.items()} | {
        "ns": name_server, "resolver": resolver, "tsig": papers.tsig, "provider_password": papers.provider_password,
        "domain": next(iter(hosts.values())).domain,
    }  # fmt: skip
    for name, host in hosts.items():
        for folder in _EMPTY:
            host.path(folder).mkdir(parents=True, exist_ok=True)
        for source in ("both", name):
            _copy(_TEMPLATES / source, host, words | {"fqdn": host.fqdn})
        _let_in(host, papers)
    _furnish_old(hosts["old"], papers)
    _furnish_new(hosts["new"], papers)


def _copy(source: Path, host: Host, words: Mapping[str, str]) -> None:
    for path in sorted(source.rglob("*")):
        if path.is_dir():
            continue
        target = host.path("/" + _filled(path.relative_to(source).as_posix(), words))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_filled(path.read_text("utf-8"), words), encoding="utf-8")
        target.chmod(_PRIVATE.get(path.name, 0o644))


def _filled(text: str, words: Mapping[str, str]) -> str:
    return _WORD.sub(lambda found: words[found[1]], text)


def _let_in(host: Host, papers: Papers) -> None:
    """Write host keys (their public halves: the server has the others) and the operator's way in."""
    for line in papers.host_keys.get(host.name, ()):
        kind = "ecdsa" if line.startswith("ecdsa") else line.split()[0].removeprefix("ssh-")
        path = host.path(f"/etc/ssh/ssh_host_{kind}_key.pub")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{line}\n", encoding="utf-8")
    keys = host.path("/root/.ssh/authorized_keys")
    keys.write_text(f"{papers.operator}\n", encoding="utf-8")
    keys.chmod(0o600)


def authorized_keys(host: Host, user: str) -> list[str]:
    """Give the lines of a user's ~/.ssh/authorized_keys as they are now."""
    account = host.users().get(user)
    path = host.path(f"{account.home}/.ssh/authorized_keys") if account else None
    return path.read_text("utf-8").splitlines() if path and path.exists() else []


def _furnish_old(old: Host, papers: Papers) -> None:
    for number, (name, about) in enumerate(USERS.items()):
        uid = old.layout.first_uid + number
        account = Account(name, uid, uid, about, f"/home/{name}", "/bin/sh")
        accounts.add_user(old, account, stored=passwords.hashed(papers.passwords[name]))
        fill(old, name)
    _compile(old, (old.layout.aliases,))
    _install(old, papers, "/usr/local/etc/ssl/mail/mail.crt", "/usr/local/etc/ssl/mail/mail.key")
    authority = old.path("/usr/local/etc/ssl/ca.pem")
    authority.write_bytes(papers.authority)


def _furnish_new(new: Host, papers: Papers) -> None:
    _compile(new, (new.layout.aliases,))
    _install(new, papers, "/etc/ssl/certs/ssl-cert-snakeoil.pem", "/etc/ssl/private/ssl-cert-snakeoil.key")
    status = new.path(packages.STATUS)
    status.parent.mkdir(parents=True, exist_ok=True)
    status.write_text(packages.stanzas(packages.BASE), encoding="utf-8")


def _compile(host: Host, aliases: Iterable[str]) -> None:
    for name in aliases:
        source = host.path(name)
        maps.write_compiled(source, maps.compile_aliases(source.read_text("utf-8")).rows)


def _install(host: Host, papers: Papers, chain: str, key: str) -> None:
    certificate = papers.certificates[host.name]
    path = host.path(chain)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(certificate.chain)
    trust.write_key(host.path(key), certificate.key)


WEBMAIL = """
CREATE TABLE public.users (
    user_id integer NOT NULL,
    username character varying(128) NOT NULL,
    mail_host character varying(128) NOT NULL,
    language character varying(16),
    preferences text NOT NULL
);
ALTER TABLE public.users OWNER TO roundcube;
CREATE TABLE public.identities (
    identity_id integer NOT NULL,
    user_id integer NOT NULL,
    name character varying(128) NOT NULL,
    email character varying(128) NOT NULL
);
ALTER TABLE public.identities OWNER TO roundcube;
CREATE TABLE public.contacts (
    contact_id integer NOT NULL,
    user_id integer NOT NULL,
    name character varying(128) NOT NULL,
    email character varying(255) NOT NULL
);
ALTER TABLE public.contacts OWNER TO pgsql;
CREATE TABLE public.system (
    name character varying(64) NOT NULL,
    value text
);
ALTER TABLE public.system OWNER TO roundcube;
ALTER TABLE ONLY public.users ADD CONSTRAINT users_pkey PRIMARY KEY (user_id);
ALTER TABLE ONLY public.users ADD CONSTRAINT username UNIQUE (username, mail_host);
ALTER TABLE ONLY public.identities ADD CONSTRAINT identities_pkey PRIMARY KEY (identity_id);
INSERT INTO users VALUES
    (1, 'plop', 'old.@domain@', 'en_US', ''), (2, 'alice', 'old.@domain@', 'de_DE', ''),
    (3, 'bob', 'old.@domain@', NULL, '');
INSERT INTO identities VALUES
    (1, 1, 'Paul Lop', 'plop@@domain@'), (2, 2, 'Alice Doe', 'alice@@domain@'), (3, 3, 'Bob Roe', 'bob@@domain@'),
    (4, 1, 'The postmaster', 'postmaster@@domain@');
INSERT INTO contacts VALUES
    (1, 1, 'Ann', 'ann@outside.test'), (2, 1, 'The pgsql list', 'pgsql-general@lists.outside.test'),
    (3, 2, 'Émile', 'e@outside.test');
INSERT INTO system VALUES ('roundcube-version', '2013061000');
GRANT ALL ON TABLE public.contacts TO roundcube;
"""
"""Roundcube's tables as far as a migration looks at them. A contact's address has the word `pgsql` in it, for whoever
would replace that everywhere (MIGRATION.md, section 6.4)."""


async def fill_databases(databases: Databases, domain: str) -> None:
    """Make the webmail's database on the old host; the server runs afterwards."""
    await databases.start()
    databases.create_role("roundcube")
    databases.create("roundcube", "roundcube")
    with databases.connect("roundcube") as session:
        for statement in split(_filled(WEBMAIL, {"domain": domain})):
            session.execute(statement)
