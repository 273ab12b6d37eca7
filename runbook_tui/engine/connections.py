"""The kept connection of every host of a run, and what is known of who answers there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.core.errors import HostError, Refused
from runbook_tui.core.model import HostName
from runbook_tui.engine.pins import Pins
from runbook_tui.ports import Identity, KeyRefusal, Link

if TYPE_CHECKING:
    from runbook_tui.core.model import Host
    from runbook_tui.engine.recorder import Recorder
    from runbook_tui.ports import Shell, ShellFactory


@dataclass(frozen=True, slots=True)
class HostView:
    """A host as it stands now.

    `problem` is the last failure's sentence, `refusal` the key it was refused for; `held` says who else has its lock;
    `found` is what its preflight found, a summary first.
    """

    name: HostName
    ssh: str
    link: Link
    identity: Identity | None
    problem: str = ""
    refusal: KeyRefusal | None = None
    held: str = ""
    found: tuple[str, ...] = ()


class Connections:
    """One shell a host, made when it is first needed, with the key that is pinned for this run."""

    def __init__(self, recorder: Recorder, make_shell: ShellFactory) -> None:
        self._recorder = recorder
        self._make_shell = make_shell
        self.pins = Pins(recorder)
        self._shells: dict[HostName, Shell] = {}
        self._identities: dict[HostName, Identity] = {}
        self._problems: dict[HostName, str] = {}
        self._mistaken: dict[HostName, KeyRefusal] = {}
        self._made: dict[HostName, int] = {}

    def shell(self, name: HostName) -> Shell:
        """Give the host's shell.

        Raises:
            Refused: the run has no such host.
        """
        if name not in self._shells:
            self._shells[name] = self._make_shell(self.host(name), None)
        shell = self._shells[name]
        shell.expect(self.pins.expected(name))
        return shell

    def find(self, name: str) -> Shell | None:
        """Give the host's shell, or None when the run has no such host."""
        host = HostName(name)
        return self.shell(host) if host in self._recorder.state.hosts else None

    def host(self, name: HostName) -> Host:
        """Give the host.

        Raises:
            Refused: the run has no such host.
        """
        hosts = self._recorder.state.hosts
        if name not in hosts:
            raise Refused(f"there is no host {name!r}", f"Hosts: {', '.join(hosts)}.")
        return hosts[name]

    async def identify(self, name: HostName) -> Identity:
        """Connect when not connected, and say who answers.

        Raises:
            HostError: it cannot be reached, or is not the one it should be.
        """
        try:
            identity = await self._connect(name)
        except HostError as error:
            title = error.title if error.title.startswith(name) else f"{name}: {error.title}"
            named = HostError(title, error.detail, error.hint)
            self._problems[name] = str(named)
            self._identities.pop(name, None)
            raise named from error
        else:
            self._problems.pop(name, None)
            self._identities[name] = identity
            self._learn(identity)
            return identity
        finally:
            self._recorder.notify()

    async def _connect(self, name: HostName) -> Identity:
        """Connect, and pin the key that answered to the role."""
        shell = self.shell(name)
        self._mistaken.pop(name, None)
        rebound = self._recorder.state.rebound
        moved = rebound.seq if rebound is not None else 0
        if self._made.get(name, 0) != moved:
            # A connection from before an address moved says nothing of who is there now.
            self._made[name] = moved
            await shell.close()
        identity = await shell.connect()
        if (refusal := self.pins.mistaken(identity)) is not None:
            await shell.close()
            self._mistaken[name] = refusal
            raise HostError(
                f"{name} shows the host key of {refusal.role}: both are one machine.",
                f"Its address is {identity.address}, its key {identity.fingerprint}. Nothing was run there.",
                "Look where name and address lead. Hosts that are one machine on purpose need the very same ssh: text.",
            )
        self.pins.learn(identity)
        self._seen(identity, moved)
        return identity

    def _seen(self, identity: Identity, moved: int) -> None:
        """Record that a role showed its own key on a connection made after an address moved."""
        rebound = self._recorder.state.rebound
        if rebound is not None and rebound.seq == moved and identity.host in rebound.waiting:
            self._recorder.happened(
                ev.HostShown(
                    host=identity.host, address=identity.address, algorithm=identity.algorithm,
                    fingerprint=identity.fingerprint,
                )
            )  # fmt: skip

    def _learn(self, identity: Identity) -> None:
        """Record which system the host says it is, where that is not what the run has already."""
        state = self._recorder.state
        written = self.host(identity.host).os
        if identity.system and identity.system != state.systems.get(identity.host, written):
            self._recorder.happened(
                ev.Settled(what=ev.Settlement.OS, subject=identity.host, value=identity.system)
            )

    async def reconnect(self, name: HostName) -> Identity:
        """Close the connection and make a new one.

        Raises:
            HostError: it cannot be reached, or is not the one it should be.
        """
        await self.shell(name).close()
        return await self.identify(name)

    def refusal(self, name: HostName) -> KeyRefusal | None:
        """Give the key for which the last connection to a host was refused."""
        return self._mistaken.get(name) or self.shell(name).refusal

    def views(self) -> list[HostView]:
        """Give every host of the run as it stands now."""
        return [self._view(host) for host in self._recorder.state.hosts.values()]

    def _view(self, host: Host) -> HostView:
        shell = self._shells.get(host.name)
        mistaken = self._mistaken.get(host.name)
        return HostView(
            name=host.name,
            ssh=host.ssh,
            link=Link.REFUSED if mistaken else shell.link if shell else Link.IDLE,
            identity=self._identities.get(host.name),
            problem="" if shell and shell.link in {Link.CONNECTING, Link.UP} else self._problems.get(host.name, ""),
            refusal=mistaken or (shell.refusal if shell else None),
        )

    async def close(self) -> None:
        """Close them all."""
        await asyncio.gather(*(shell.close() for shell in self._shells.values()), return_exceptions=True)
