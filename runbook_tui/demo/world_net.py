"""The network as the checks see it in a rehearsal: the world's name servers and hosts stand for those of life.

Nothing leaves the world: an address that is none of its own is unreachable.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from runbook_tui.adapters.dns_system import SystemDns
from runbook_tui.adapters.mail_door import SystemDoors
from runbook_tui.adapters.services import SystemServices
from runbook_tui.core.contact import Endpoint, Found, Trouble
from runbook_tui.core.knock import Door, Knock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runbook_tui.core.lookup import Answer, Question
    from runbook_tui.demo.facts import Facts

NOT_HERE = "there is no such machine in the rehearsal"


class WorldNet:
    """Implements `ports.Net`."""

    def __init__(self, facts: Facts, ca: str) -> None:
        known = _Known(facts.names, {int(port): real for port, real in facts.ports.items()})
        self.dns = _WorldDns(facts.resolvers, known)
        self.doors = _WorldDoors(known)
        self.services = SystemServices(known.find, ca)


class _Known:
    """The world's names and addresses, and the ports that stand for the well-known ones."""

    def __init__(self, names: Mapping[str, str], ports: Mapping[int, int]) -> None:
        self._names = names
        self._networks = {address.rpartition(".")[0] for address in names.values()}
        self._ports = ports

    def is_ours(self, address: str) -> bool:
        """Whether an address is one of the world's."""
        return address.rpartition(".")[0] in self._networks

    def port(self, port: int) -> int:
        """Give the port that stands for a well-known one."""
        return self._ports.get(port, port)

    async def find(self, name: str, port: int) -> Found:
        """Say where a name or address of the world leads."""
        address = self._names.get(name.rstrip(".").lower(), name)
        if not self.is_ours(address):
            return Found(trouble=Trouble.NO_NAME, said=NOT_HERE)
        return Found((Endpoint(address, self.port(port)),))


class _WorldDns:
    """Implements `ports.Dns`: a public resolver of the runbook is one of the world's, always the same."""

    def __init__(self, resolvers: Sequence[str], known: _Known) -> None:
        self._resolvers = tuple(resolvers)
        self._known = known
        self._system = SystemDns()
        self._stands_for: dict[str, str] = {}

    async def sweep(self, questions: Sequence[Question], deadline: float = 3.0) -> tuple[Answer, ...]:
        """Ask the world's servers all at once."""
        meant = [replace(q, server=self._server(q), port=self._known.port(q.port)) for q in questions]
        return await self._system.sweep(meant, deadline)

    def is_public(self, address: str) -> bool:
        """Whether the world's senders can reach it."""
        return self._known.is_ours(address)

    async def own_resolvers(self) -> tuple[str, ...]:
        """Give the resolver of the operator's machine in the world."""
        return self._resolvers[:1]

    def _server(self, question: Question) -> str:
        if self._known.is_ours(question.server):
            return question.server
        others = self._resolvers[1:]
        return self._stands_for.setdefault(question.server, others[len(self._stands_for) % len(others)])


class _WorldDoors:
    """Implements `ports.MailDoors`."""

    def __init__(self, known: _Known) -> None:
        self._known = known
        self._system = SystemDoors()

    async def knock(self, address: str, port: int = 25) -> Knock:
        """Say what a port of the world does."""
        if not self._known.is_ours(address):
            return Knock(Door.UNREACHABLE, NOT_HERE)
        return await self._system.knock(address, self._known.port(port))
