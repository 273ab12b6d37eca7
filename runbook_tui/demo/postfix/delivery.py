"""One attempt to deliver a mail: every recipient finds its delivery agent, and each comes back with an outcome."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from runbook_tui.demo.postfix.local import LocalAgent
from runbook_tui.demo.postfix.maps import TableError
from runbook_tui.demo.postfix.outcome import Outcome, Status, outcome
from runbook_tui.demo.postfix.queue import Recipient
from runbook_tui.demo.postfix.routing import Route
from runbook_tui.demo.postfix.smtp import SmtpAgent

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.demo.host import Host
    from runbook_tui.demo.postfix.local import Pipe
    from runbook_tui.demo.postfix.queue import QueuedMail
    from runbook_tui.demo.postfix.routing import Router
    from runbook_tui.demo.postfix.settings import Settings
    from runbook_tui.demo.postfix.smtp import MailNames

_SMTP_AGENTS = {"smtp": "smtp", "relay": "relay/smtp"}


class Delivery:
    """The delivery agents of one host under one configuration."""

    def __init__(
        self, host: Host, settings: Settings, router: Router, *, names: MailNames, ports: Callable[[int], int],
        pipe: Pipe | None, full: Callable[[], bool],
    ) -> None:  # fmt: skip
        self._router = router
        self._local = LocalAgent(host, settings, router, pipe, full)
        self._smtp = SmtpAgent(host, settings, names, ports)
        self._soft = settings.flag("soft_bounce")
        self._on_hold = frozenset(settings.words("defer_transports"))

    def virtual(self, recipient: str) -> list[Recipient]:
        """Give whom a new mail to `recipient` is for, after virtual_alias_maps (cleanup(8)).

        Raises:
            TableError: a table cannot be read.
        """
        address = self._router.complete(recipient)
        return [Recipient(target, recipient) for target in self._router.virtual(address) or [address]]

    async def attempt(self, mail: QueuedMail, *, flushed: bool) -> list[Outcome]:
        """Try to deliver to all recipients once; a flush does not care about defer_transports."""
        done, routed = self._routed(mail.recipients)
        for route, recipients in routed.items():
            if route.transport in self._on_hold and not flushed:
                done += [outcome(recipient, "error", "4.3.2", "deferred transport") for recipient in recipients]
            else:
                done += await self._hand_over(route, mail, recipients)
        return [one.softened() for one in done] if self._soft else done

    async def probe(self, mail: QueuedMail) -> list[Outcome]:
        """Find out what delivery would do, up to the last step but one (`sendmail -bv`)."""
        done, routed = self._routed(mail.recipients)
        for route, recipients in routed.items():
            if route.transport == "local":
                done += [self._local.probe(recipient) for recipient in recipients]
            else:
                done += await self._hand_over(route, mail, recipients, probe=True)
        return [one.probed() for one in done]

    def _routed(self, recipients: tuple[Recipient, ...]) -> tuple[list[Outcome], dict[Route, list[Recipient]]]:
        """Follow aliases and find routes; what fails is an outcome already."""
        done: list[Outcome] = []
        routed: dict[Route, list[Recipient]] = {}
        for recipient in recipients:
            try:
                for target in self._targets(recipient.address):
                    route = Route("local", "") if target[0] in "/|:" else self._router.route(target)
                    routed.setdefault(route, []).append(Recipient(target, recipient.original))
            except TableError:
                done.append(outcome(recipient, "error", "4.3.0", "address resolver failure"))
        return done, routed

    def _targets(self, address: str) -> list[str]:
        return self._router.local(address) if self._router.route(address).transport == "local" else [address]

    async def _hand_over(
        self, route: Route, mail: QueuedMail, recipients: list[Recipient], *, probe: bool = False
    ) -> list[Outcome]:
        match route.transport:
            case "local":
                return [await self._local.deliver(mail, recipient) for recipient in recipients]
            case "smtp" | "relay":
                agent = _SMTP_AGENTS[route.transport]
                return await self._smtp.deliver(agent, route.nexthop, mail, recipients, probe=probe)
            case "error" | "retry":
                dsn, text = _words(route)
                return [outcome(recipient, "error", dsn, text) for recipient in recipients]
            case "discard":
                return [Outcome(one, "discard", Status.SENT, "2.0.0", route.nexthop) for one in recipients]
        return [outcome(recipient, "error", "4.3.0", "mail transport unavailable") for recipient in recipients]


def _words(route: Route) -> tuple[str, str]:
    """Split error(8)'s `5.1.2 words`; the code must fit the transport."""
    digit = "5" if route.transport == "error" else "4"
    found = re.fullmatch(r"(\d\.\d+\.\d+)\s+(.*)", route.nexthop)
    if found and found[1][0] in "45":
        return found[1], found[2]
    return f"{digit}.0.0", route.nexthop or "mail refused"
