"""A host of the world with everything that runs on it, as the stand-ins and the control socket see it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping

    from runbook_tui.demo.clock import WorldClock
    from runbook_tui.demo.database import Databases
    from runbook_tui.demo.dns.authoritative import Authoritative
    from runbook_tui.demo.dns.resolver import Resolver
    from runbook_tui.demo.host import Host
    from runbook_tui.demo.imap.server import ImapServer
    from runbook_tui.demo.outside import Provider
    from runbook_tui.demo.postfix.daemon import Postfix


class ServiceError(Exception):
    """A daemon could not do what its service was asked for; the text is what the daemon would say."""


class Service(Protocol):
    """A daemon of a host, as `service` and `systemctl` handle it."""

    @property
    def running(self) -> bool:
        """Whether it serves now."""

    async def start(self) -> None:
        """Start it; a second start is no error.

        Raises:
            ServiceError: its configuration is broken or its port is taken.
        """

    async def stop(self) -> None:
        """Stop it; a second stop is no error."""

    async def reload(self) -> None:
        """Read the configuration again.

        Raises:
            ServiceError: the configuration is broken; the old one stays in use.
        """


class Surroundings(Protocol):
    """What a machine knows of the rest of the world."""

    @property
    def domain(self) -> str:
        """The mail domain."""

    @property
    def clock(self) -> WorldClock:
        """World time."""

    @property
    def machines(self) -> Mapping[str, Machine]:
        """Every machine by its short name."""

    @property
    def authoritative(self) -> Authoritative:
        """The primary name server of the domain."""

    @property
    def resolvers(self) -> tuple[Resolver, ...]:
        """The caching resolvers; the first one is the machines' own."""

    @property
    def provider(self) -> Provider:
        """Somebody else's mail service, which fetchmail empties."""

    @property
    def calls(self) -> Counter[str]:
        """How often each stand-in was called: named in the transcript."""


@dataclass(slots=True)
class Machine:
    """A host and its daemons. `services` has every daemon under each name the systems know it by."""

    host: Host
    world: Surroundings
    postfix: Postfix
    imap: ImapServer
    databases: Databases
    services: dict[str, Service]
    enabled: dict[str, bool] = field(default_factory=dict)
    sites: dict[str, bool] = field(default_factory=dict)
