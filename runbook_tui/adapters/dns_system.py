"""Name servers as this machine reaches them; the DNS library is loaded at the first question, off the event loop."""

from __future__ import annotations

import asyncio
import ipaddress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from runbook_tui.adapters.dns_sweep import DnsSweep
    from runbook_tui.core.lookup import Answer, Question


class SystemDns:
    """Implements `ports.Dns`."""

    async def sweep(self, questions: Sequence[Question], deadline: float = 3.0) -> tuple[Answer, ...]:
        """Ask all at once."""
        sweep = await asyncio.to_thread(_load)
        return await sweep.sweep(questions, deadline)

    def is_public(self, address: str) -> bool:
        """Judge by the registry of special addresses."""
        return not ipaddress.ip_address(address).is_private

    async def own_resolvers(self) -> tuple[str, ...]:
        """Give what resolv.conf(5), or this system's counterpart, names; empty when there is none."""
        return await asyncio.to_thread(_own_resolvers)


def _load() -> DnsSweep:
    # Importing takes a tenth of a second, in which no key would be answered.
    from runbook_tui.adapters.dns_sweep import DnsSweep  # noqa: PLC0415

    return DnsSweep()


def _own_resolvers() -> tuple[str, ...]:
    import dns.resolver  # noqa: PLC0415 -- as above

    try:
        return tuple(str(server) for server in dns.resolver.Resolver().nameservers)
    except (dns.resolver.NoResolverConfiguration, OSError):
        return ()
