"""The kept connection of every host of a run, and what is known of who answers there."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from runbook_tui.core import events as ev
from runbook_tui.core.errors import HostError, Refused
from runbook_tui.core.model import HostName
from runbook_tui.ports import HostKey, Identity, Link

if TYPE_CHECKING:
    from runbook_tui.core.model import Host
    from runbook_tui.engine.recorder import Recorder
    from runbook_tui.ports import Shell, ShellFactory


@dataclass(frozen=True, slots=True)
class HostView:
    """A host as it stands now.

    `problem` is the last failure's sentence; `offered` a key nobody vouched for yet; `held` says who else has its lock.
    """

    name: HostName
    ssh: str
    link: Link
    identity: Identity | None
    problem: str = ""
    offered: HostKey | None = None
    held: str = ""


class Connections:
    """One shell a host, made when it is first needed, with the key that is pinned for this run."""

    def __init__(self, recorder: Recorder, make_shell: ShellFactory) -> None:
        self._recorder = recorder
        self._make_shell = make_shell
        self._shells: dict[HostName, Shell] = {}
        self._identities: dict[HostName, Identity] = {}
        self._problems: dict[HostName, str] = {}

    def shell(self, name: HostName) -> Shell:
        """Give the host's shell.

        Raises:
            Refused: the run has no such host.
        """
        if name not in self._shells:
            host = self.host(name)
            pinned = self._recorder.state.pins.get(name)
            pin = HostKey(pinned.algorithm, pinned.fingerprint, pinned.key) if pinned else None
            self._shells[name] = self._make_shell(host, pin)
        return self._shells[name]

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
            identity = await self.shell(name).connect()
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

    def offered(self, name: HostName, fingerprint: str) -> HostKey:
        """Give the key an unknown host showed, if `fingerprint` (whole, or its last 6 characters) is its own.

        Raises:
            Refused: the host showed no key that needs trusting, or another one.
        """
        key = self.shell(name).offered_key
        if key is None:
            raise Refused(f"{name} has shown no key that needs trusting", self._problems.get(name, ""))
        if fingerprint.strip() not in {key.fingerprint, key.fingerprint.removeprefix("SHA256:"), key.fingerprint[-6:]}:
            raise Refused("that is not the fingerprint the host showed", f"It showed {key.fingerprint}.")
        return key

    def views(self) -> list[HostView]:
        """Give every host of the run as it stands now."""
        return [self._view(host) for host in self._recorder.state.hosts.values()]

    def _view(self, host: Host) -> HostView:
        shell = self._shells.get(host.name)
        return HostView(
            name=host.name,
            ssh=host.ssh,
            link=shell.link if shell else Link.IDLE,
            identity=self._identities.get(host.name),
            problem="" if shell and shell.link is Link.CONNECTING else self._problems.get(host.name, ""),
            offered=shell.offered_key if shell else None,
        )

    async def close(self) -> None:
        """Close them all."""
        await asyncio.gather(*(shell.close() for shell in self._shells.values()), return_exceptions=True)
