"""A book of names in place of name servers, for checks that only need an answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from runbook_tui.adapters.mail_door import SystemDoors
from runbook_tui.adapters.services import SystemServices
from runbook_tui.core.lookup import Answer, Question, Record, Reply, absolute

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from runbook_tui.core.knock import Knock


@dataclass
class Book:
    """Answers every resolver's questions out of a table of (name, type); a name that is not in it does not exist."""

    entries: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)
    resolvers: tuple[str, ...] = ("192.0.2.53", "192.0.2.54")
    silent: frozenset[str] = frozenset()

    async def sweep(self, questions: Sequence[Question], deadline: float = 3.0) -> tuple[Answer, ...]:  # noqa: ARG002
        """Answer all."""
        return tuple(self._answer(question) for question in questions)

    def is_public(self, address: str) -> bool:
        """Every address of the book can be reached."""
        return bool(address)

    async def own_resolvers(self) -> tuple[str, ...]:
        """Give who is asked."""
        return self.resolvers

    def _answer(self, question: Question) -> Answer:
        if question.server in self.silent:
            return Answer(trouble="no answer within 3 s")
        name = absolute(question.name)
        if not any(absolute(known) == name for known, _ in self.entries):
            return Answer(Reply("NXDOMAIN"))
        values = next(
            (found for (known, kind), found in self.entries.items()
             if (absolute(known), kind) == (name, question.rdtype)), (),
        )  # fmt: skip
        return Answer(Reply("NOERROR", answer=tuple(Record(name, question.rdtype, 60, value) for value in values)))


class Doors:
    """Real connections, with port 25 of each address at a port of the test's; others' doors say what they are told."""

    def __init__(self, ports: Mapping[str, int] | None = None, told: Mapping[str, Knock] | None = None) -> None:
        self.ports = dict(ports or {})
        self.told = dict(told or {})
        self._real = SystemDoors(patience=2.0)

    async def knock(self, address: str, port: int = 25) -> Knock:
        """Say what the door does."""
        if address in self.told:
            return self.told[address]
        return await self._real.knock(address, self.ports.get(address, port))


@dataclass
class BookNet:
    """A network of the two."""

    dns: Book
    doors: Doors = field(default_factory=Doors)
    services: SystemServices = field(default_factory=SystemServices)
