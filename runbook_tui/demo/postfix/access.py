"""Whether smtpd(8) takes a recipient from a client: the restriction lists, then the lists of known recipients.

Codes and words were compared with Postfix 3.7.11.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook_tui.demo.postfix.routing import Domain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from runbook_tui.demo.postfix.routing import Router
    from runbook_tui.demo.postfix.settings import Settings

GUARDS = frozenset({"reject_unauth_destination", "defer_unauth_destination", "reject", "defer"})
"""Without one of these smtpd(8) refuses to serve: it would relay for everybody."""
HARMLESS = frozenset(
    f"reject_{what}"
    for what in (
        "non_fqdn_sender", "non_fqdn_recipient", "unknown_sender_domain", "unknown_recipient_domain",
        "invalid_helo_hostname", "non_fqdn_helo_hostname", "unauth_pipelining", "unlisted_recipient",
    )
)  # fmt: skip
"""Restrictions that nothing in the world falls foul of."""
PERMISSIONS = frozenset({"permit_mynetworks", "permit_auth_destination", "permit_sasl_authenticated"})

_LISTED: Mapping[Domain, tuple[str, str]] = {
    Domain.LOCAL: ("local_recipient_maps", "unknown_local_recipient_reject_code"),
    Domain.RELAY: ("relay_recipient_maps", "unknown_relay_recipient_reject_code"),
}
_TABLES: Mapping[Domain, str] = {
    Domain.LOCAL: "local recipient", Domain.RELAY: "relay recipient", Domain.VIRTUAL_ALIAS: "virtual alias",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reply:
    """What smtpd says to a recipient it does not take: code, enhanced status (RFC 3463) and words."""

    code: int
    status: str
    text: str

    def __str__(self) -> str:
        return f"{self.code} {self.status} {self.text}"

    def softened(self) -> Reply:
        """Give the reply as soft_bounce=yes makes it: a refusal for now."""
        return Reply(self.code - 100, f"4{self.status[1:]}", self.text) if self.code >= 500 else self


class Access:
    """Answers for one configuration."""

    def __init__(self, settings: Settings, router: Router) -> None:
        self._settings = settings
        self._router = router

    def unsafe(self) -> str:
        """Give why smtpd(8) would not serve at all; empty when it would."""
        lists = ("smtpd_relay_restrictions", "smtpd_recipient_restrictions")
        if any(word in GUARDS for name in lists for word in self._settings.words(name)):
            return ""
        return (
            "in parameter smtpd_relay_restrictions or smtpd_recipient_restrictions, specify at least one working "
            "instance of: reject_unauth_destination, defer_unauth_destination, reject, defer, defer_if_permit "
            "or check_relay_domains"
        )

    def refusal(self, recipient: str, client: str) -> Reply | None:
        """Give what a client hears that names this recipient; None when the recipient is taken.

        `recipient` is as the client wrote it, and the reply repeats it; `client` is an address.

        Raises:
            TableError: a table cannot be read; `unreadable` has the reply for it.
        """
        address = self._router.complete(recipient)
        domain = self._router.domain(address)
        self._router.transport(address)  # smtpd resolves every recipient: a broken transport table stops all mail
        lists = ["smtpd_recipient_restrictions", "smtpd_relay_restrictions"]
        if self._settings.flag("smtpd_relay_before_recipient_restrictions"):
            lists.reverse()
        replies = (self._restricted(name, recipient, domain, client) for name in lists)
        reply = next(filter(None, replies), None) or self._unlisted(address, recipient, domain)
        return reply.softened() if reply and self._settings.flag("soft_bounce") else reply

    def unreadable(self, recipient: str) -> Reply:
        """Give what the client hears when a table cannot be read."""
        return Reply(451, "4.3.0", f"<{recipient}>: Temporary lookup failure")

    def _restricted(self, name: str, recipient: str, domain: Domain, client: str) -> Reply | None:
        foreign = domain is Domain.OTHER
        for word in self._settings.words(name):
            match word:
                case "permit":
                    return None
                case "permit_mynetworks" if self._router.trusted(client):
                    return None
                case "permit_auth_destination" if not foreign:
                    return None
                case "reject_unauth_destination" if foreign:
                    code = self._settings.number("relay_domains_reject_code")
                    return Reply(code, f"{code // 100}.7.1", f"<{recipient}>: Relay access denied")
                case "defer_unauth_destination" if foreign:
                    return Reply(454, "4.7.1", f"<{recipient}>: Relay access denied")
                case "reject" | "defer":
                    code = 554 if word == "reject" else 450
                    text = f"<{recipient}>: Recipient address rejected: Access denied"
                    return Reply(code, f"{code // 100}.7.1", text)
                case _ if word not in GUARDS | HARMLESS | PERMISSIONS:
                    return Reply(451, "4.3.5", "Server configuration error")
        return None

    def _unlisted(self, address: str, recipient: str, domain: Domain) -> Reply | None:
        if domain is Domain.OTHER or not self._settings.flag("smtpd_reject_unlisted_recipient"):
            return None
        if self._router.virtual(address):
            return None
        code = 550
        if domain in _LISTED:
            maps, setting = _LISTED[domain]
            specs = self._settings.words(maps)
            if not specs or self._router.find(specs, address) is not None:
                return None
            code = self._settings.number(setting)
        text = f"<{recipient}>: Recipient address rejected: User unknown in {_TABLES[domain]} table"
        return Reply(code, f"{code // 100}.1.1", text)
