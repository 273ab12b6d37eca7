"""dovecot.conf as Dovecot 2.3 reads it: sections, includes, and the errors that keep it from starting."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from runbook_tui.demo.machine import ServiceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runbook_tui.demo.host import Host

VERSION = "2.3.19.1"
DEFAULTS: Mapping[str, str] = {
    "auth_mechanisms": "plain", "base_dir": "/var/run/dovecot", "disable_plaintext_auth": "yes",
    "first_valid_uid": "500", "listen": "*, ::", "log_path": "syslog", "login_greeting": "Dovecot ready.",
    "mail_location": "", "protocols": "imap pop3 lmtp", "ssl": "yes", "ssl_cert": "", "ssl_key": "",
    "ssl_min_protocol": "TLSv1.2",
}  # fmt: skip
"""Settings whose default is worth showing, with it (doveconf -d)."""

_FAMILIES: Mapping[str, str] = {
    "auth_": "cache_negative_ttl cache_size cache_ttl debug debug_passwords default_realm failure_delay "
    "gssapi_hostname krb5_keytab master_user_separator mechanisms realms socket_path "
    "ssl_require_client_cert username_chars username_format username_translation verbose "
    "verbose_passwords worker_max_count",
    "default_": "client_limit idle_kill internal_group internal_user login_user process_limit vsz_limit",
    "imap_": "capability client_workarounds hibernate_timeout id_log id_send idle_notify_interval literal_minus "
    "logout_format max_line_length metadata",
    "lda_": "mailbox_autocreate mailbox_autosubscribe original_recipient_header",
    "lmtp_": "add_received_header hdr_delivery_address proxy rcpt_check_quota save_to_detail_mailbox",
    "log_": "core_filter debug path timestamp",
    "login_": "access_sockets greeting log_format log_format_elements plugin_dir plugins source_ips "
    "trusted_networks",
    "mail_": "access_groups always_cache_fields attachment_dir attribute_dict cache_fields chroot debug fsync "
    "full_filesystem_access gid home location log_prefix max_keyword_length max_userip_connections "
    "never_cache_fields nfs_index nfs_storage plugin_dir plugins prefetch_count privileged_group "
    "save_crlf temp_dir uid",
    "mailbox_": "idle_check_interval list_index list_index_very_dirty_syncs",
    "maildir_": "broken_filename_sizes copy_with_hardlinks empty_new stat_dirs very_dirty_syncs",
    "mbox_": "dotlock_change_timeout lazy_writes lock_timeout md5 min_index_size read_locks very_dirty_syncs "
    "write_locks",
    "pop3_": "client_workarounds delete_type enable_last fast_size_lookups lock_session logout_format "
    "no_flag_updates reuse_xuidl save_uidl uidl_duplicates uidl_format",
    "ssl_": "alt_cert alt_key ca cert cert_username_field cipher_list cipher_suites client_ca_dir client_ca_file "
    "client_cert client_key crypto_device curve_list dh key key_password min_protocol options "
    "prefer_server_ciphers require_crl verify_client_cert",
    "": "base_dir debug_log_path deliver_log_format dict_db_config disable_plaintext_auth dotlock_use_excl "
    "first_valid_gid first_valid_uid haproxy_timeout haproxy_trusted_networks hostname import_environment "
    "info_log_path instance_name last_valid_gid last_valid_uid libexec_dir listen lock_method "
    "master_user_separator mmap_disable postmaster_address protocols quota_full_tempfail rawlog_dir "
    "recipient_delimiter rejection_reason rejection_subject sendmail_path shutdown_clients ssl state_dir "
    "submission_host syslog_facility valid_chroot_dirs verbose_proctitle verbose_ssl version_ignore",
}
KNOWN = frozenset(prefix + name for prefix, names in _FAMILIES.items() for name in names.split())
"""The settings that doveconf -a of Dovecot 2.3.19 shows outside sections, less proxies, director and remote stores."""

_SECTIONS: Mapping[str, str] = {
    "dict": "*", "inet_listener": "address haproxy port reuse_port ssl", "local": "", "local_name": "",
    "mailbox": "auto autoexpunge autoexpunge_max_mails comment driver special_use",
    "namespace": "alias_for disabled hidden ignore_on_failure inbox list location order prefix separator subscriptions "
    "type",
    "passdb": "args auth_verbose default_fields deny driver master mechanisms name override_fields pass result_failure "
    "result_internalfail result_success skip username_filter",
    "plugin": "*", "protocol": "", "remote": "", "unix_listener": "group mode path user",
    "fifo_listener": "group mode path user",
    "service": "chroot client_limit drop_priv_before_exec executable extra_groups group idle_kill privileged_group "
    "process_limit process_min_avail protocol service_count type user vsz_limit",
    "userdb": "args auth_verbose default_fields driver name override_fields result_failure result_internalfail "
    "result_success skip",
}  # fmt: skip
"""What may stand in a section: `*` anything, nothing the settings of the outside."""

_LATE = ("protocol ", "local ", "remote ")
"""The sections that doveconf shows after everything else."""

_SETTING = re.compile(r"([A-Za-z0-9_]+)\s*=\s*(.*)")
_OPENING = re.compile(r'([A-Za-z0-9_]+)(?:\s+("[^"]*"|[^\s{]+))?\s*\{')
_CHOICES: Mapping[str, tuple[str, ...]] = {
    "ssl": ("no", "yes", "required"), "disable_plaintext_auth": ("no", "yes"), "mail_debug": ("no", "yes"),
}  # fmt: skip
_NUMBERS = ("first_valid_uid", "last_valid_uid", "mail_max_userip_connections", "port")


@dataclass(slots=True)
class Section:
    """Settings in braces; the outermost one has no kind. `lines` tell where in the file a setting stood."""

    kind: str = ""
    name: str = ""
    opened: str = ""
    settings: dict[str, str] = field(default_factory=dict)
    sections: list[Section] = field(default_factory=list)
    lines: dict[str, str] = field(default_factory=dict)

    def value(self, name: str) -> str:
        """Give a setting, or what it is without the file saying so."""
        return self.settings.get(name, DEFAULTS.get(name, ""))

    def written(self, depth: int = 0) -> Iterator[str]:
        """Write it as doveconf -n does: by name, without what is as it would be anyway."""
        lines = {
            name: [f"{name} = {value}".rstrip() if value else f"{name} = "]
            for name, value in self.settings.items()
            if self.kind or DEFAULTS.get(name) != value
        }
        for section in self.sections:
            title = f"{section.kind} {section.name}".rstrip()
            lines.setdefault(title, []).extend([f"{title} {{", *section.written(depth + 1), "}"])
        for name in sorted(lines, key=lambda name: (name.startswith(_LATE), name)):
            yield from (("  " if depth else "") + line for line in lines[name])


class Reader:
    """Reads a configuration with the files it includes."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._open = [Section()]

    def read(self, path: str) -> Section:
        """Read the file.

        Raises:
            ServiceError: in doveconf's words, what is wrong where.
        """
        self._file(path)
        if len(self._open) > 1:
            raise ServiceError(
                f"doveconf: Fatal: Error in configuration file {path}: Missing '}}' "
                f"(section started at {self._open[-1].opened})"
            )
        return self._open[0]

    def _file(self, path: str) -> None:
        try:
            text = self._host.path(path).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise ServiceError(f"doveconf: Fatal: open({path}) failed: No such file or directory") from None
        for number, raw in enumerate(text.splitlines(), 1):
            line = raw.strip()
            if line.startswith("!include"):
                self._include(path, number, line)
            elif line and not line.startswith("#"):
                self._line(f"{path} line {number}", f"{path}:{number}", re.sub(r"\s+#.*", "", line))

    def _include(self, path: str, number: int, line: str) -> None:
        word, _, pattern = line.partition(" ")
        folder = PurePosixPath(path).parent
        wanted = folder / pattern.strip()
        found = sorted(self._host.path(wanted.parent).glob(wanted.name))
        if not found and word == "!include":
            raise _wrong(f"{path} line {number}", "No matches")
        for file in found:
            self._file(str(wanted.parent / file.name))

    def _line(self, where: str, opened: str, line: str) -> None:
        section = self._open[-1]
        if line == "}":
            if len(self._open) == 1:
                raise _wrong(where, "Unexpected '}'")
            self._open.pop()
        elif opening := _OPENING.fullmatch(line):
            self._section(where, opened, opening[1], (opening[2] or "").strip('"'))
        elif setting := _SETTING.fullmatch(line):
            name, value = setting[1], setting[2].strip('"')
            if (allowed := self._allowed()) is not None and name not in allowed:
                raise self._unknown(where, name)
            _check(where, name, value)
            section.settings[name] = value
            section.lines[name] = where
        else:
            raise _wrong(where, "Expecting '='" if re.fullmatch(r"\w+", line) else "Expecting '{'")

    def _section(self, where: str, opened: str, kind: str, name: str) -> None:
        if kind not in _SECTIONS:
            raise self._unknown(where, f"{kind} {{ {kind}")
        parent = self._open[-1]
        same = (known for known in parent.sections if name and (known.kind, known.name) == (kind, name))
        section = next(same, None)
        if section is None:
            shown_anyway = {"location": "", "prefix": ""} if kind == "namespace" else {}
            section = Section(kind, name, settings=shown_anyway)
            parent.sections.append(section)
        section.opened = opened
        self._open.append(section)

    def _unknown(self, where: str, name: str) -> ServiceError:
        kinds = [section.kind for section in self._open if _SECTIONS.get(section.kind)]
        return _wrong(where, f"Unknown setting: {' { '.join([*kinds, name])}")

    def _allowed(self) -> frozenset[str] | None:
        kind = self._open[-1].kind
        names = _SECTIONS.get(kind, "")
        if names == "*":
            return None
        return frozenset(names.split()) if names else KNOWN


def _check(where: str, name: str, value: str) -> None:
    if name in _CHOICES and value not in _CHOICES[name]:
        raise _wrong(where, f"Invalid value: {value}")
    if name in _NUMBERS and not value.isdigit():
        raise _wrong(where, f"Invalid number {value}: Not a valid number")


def _wrong(where: str, what: str) -> ServiceError:
    return ServiceError(f"doveconf: Fatal: Error in configuration file {where}: {what}")


def path_of(host: Host) -> str:
    """Give where a host's dovecot.conf is."""
    return f"{host.layout.dovecot}/dovecot.conf"


def read(host: Host, path: str = "") -> Section:
    """Read a host's configuration.

    Raises:
        ServiceError: in doveconf's words, what is wrong where.
    """
    return Reader(host).read(path or path_of(host))
