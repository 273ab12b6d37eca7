"""What a sitting stands on: a clock, the way to hosts, a front end. In life this machine's; a rehearsal has its own."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol

from runbook_tui.adapters.clock import SystemClock
from runbook_tui.adapters.keyring import Keyring
from runbook_tui.adapters.local import LocalShell
from runbook_tui.adapters.net import SystemNet
from runbook_tui.adapters.ssh_target import SshSettings
from runbook_tui.adapters.stored_secrets import StoredSecrets
from runbook_tui.core.model import LOCAL
from runbook_tui.engine.logins import Logins

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from runbook_tui.cli.wishes import Wishes
    from runbook_tui.core.model import Host
    from runbook_tui.engine import Engine
    from runbook_tui.ports import Clock, HostKey, Net, Secrets, Shell, ShellFactory


class FrontEnd(Protocol):
    """What shows the engine and sends it intents."""

    @property
    def broken(self) -> bool:
        """Whether it ended by a fault of its own, which it has shown."""

    async def run(self) -> str:
        """Go on until the run is to be left; give why."""

    async def interrupt(self) -> bool:
        """Obey Ctrl-C or SIGINT; False when the run is to be left."""

    def close(self, why: str) -> None:
        """Say that the run was left; nothing is shown after that."""


class FrontEndFactory(Protocol):
    """Makes the front end inside the running loop; `hung_up` is to be called when nobody can read any more."""

    def __call__(self, engine: Engine, wishes: Wishes, hung_up: Callable[[], None]) -> FrontEnd:
        """Make it; nothing is drawn yet."""


@dataclass(frozen=True, slots=True)
class Stage:
    """`rehearsal` says in words that the hosts are make-believe; empty in life.

    `logins` answers what the logins of its shells ask. `operator` is who sits there where it is not the user this
    machine knows.
    """

    clock: Clock
    shells: ShellFactory
    front_end: FrontEndFactory
    secrets: Secrets
    rehearsal: str = ""
    operator: str = ""
    net: Net = field(default_factory=SystemNet)
    logins: Logins = field(default_factory=Logins)


def life(wishes: Wishes) -> Stage:
    """Give this machine's clock and keyring, the operator's own SSH settings, and the screen or line mode."""
    secrets = secrets_of(wishes)
    logins = Logins(secrets)
    return Stage(SystemClock(), partial(_shell, logins), front_end, secrets, logins=logins)


def secrets_of(wishes: Wishes) -> StoredSecrets:
    """Give the operator's keyring with what `--secrets-fd` brought behind it; nothing is asked before it is used."""
    return StoredSecrets(Keyring(), wishes.given)


def wants_plain(wishes: Wishes, environment: Mapping[str, str]) -> bool:
    """Whether line mode is the front end: asked for, no terminal, or one that cannot draw (STYLE.md F9)."""
    drawable = all(os.isatty(descriptor) for descriptor in (0, 1, 2))
    return wishes.plain or not drawable or environment.get("TERM", "") in {"", "dumb"}


def front_end(engine: Engine, wishes: Wishes, hung_up: Callable[[], None]) -> FrontEnd:
    """Make the screen where it can be drawn, else line mode."""
    if wants_plain(wishes, os.environ):
        from runbook_tui.plain.front import PlainFrontEnd  # noqa: PLC0415

        return PlainFrontEnd(engine, 0, 1, hung_up)
    from runbook_tui.cli.screen import ScreenFrontEnd  # noqa: PLC0415 -- textual only when it is drawn

    return ScreenFrontEnd(engine, mouse=wishes.mouse)


def _shell(logins: Logins, host: Host, pin: HostKey | None) -> Shell:
    if host.name == LOCAL:
        return LocalShell(host)
    # Loaded for the first host that is not this machine: asyncssh takes its time.
    from runbook_tui.adapters.ssh import SshShell  # noqa: PLC0415

    return SshShell(host, pin, SshSettings.from_environment(os.environ), logins)
