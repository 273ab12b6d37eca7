"""What the app must know of a world to sit at it: written into the world's folder once the world is ready."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from runbook_tui.demo.clock import Face

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

FILE = "facts.json"
CONTROL = "control"
"""The name of the control socket in the world's folder: short, for a socket's path ends at 107 bytes."""
CA = "ca.pem"
"""The certificate authority of the world, in its folder."""
VARIABLE = "MAILRUNBOOK_DEMO"
"""The environment variable that names the world's folder to the app and the world."""


@dataclass(frozen=True, slots=True)
class Facts:
    """A world that is up. `about` says in one line what it is made of; `hosts` maps a role to its ssh address.

    `variables` are the runbook's variables and lists as they are in this world, `choices` the alternatives (`alt=`)
    that fit it. `sh` is what runs a script on a host. `passwords` are those of the mailboxes, which the world made up.
    For the checks: `names` maps a name to its address, `resolvers` are addresses, `ports` maps a well-known port (a
    text) to the one that stands for it.
    """

    about: str
    face: Face
    hosts: Mapping[str, str]
    variables: Mapping[str, str]
    choices: Mapping[str, str]
    sh: str = "/bin/sh"
    passwords: Mapping[str, str] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    resolvers: tuple[str, ...] = ()
    ports: Mapping[str, int] = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write them into the world's folder."""
        (folder / FILE).write_text(json.dumps(asdict(self)), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Facts:
        """Read them from the world's folder."""
        values = json.loads((folder / FILE).read_text(encoding="utf-8"))
        return cls(**(values | {"face": Face(**values["face"])}))


@dataclass(frozen=True, slots=True)
class DemoWishes:
    """The options of `mailrunbook demo`. `speed` is world seconds per real second, `rate` mails per real second.

    `run` is the id the run will have; `bare` leaves the machine's own tools unused, for tests.
    """

    auto: bool = False
    tier: str = "auto"
    mistake: str = ""
    speed: float = 0.0
    rate: float = 2.0
    keep: bool = False
    plain: bool = False
    run: str = ""
    bare: bool = False

    def text(self) -> str:
        """Give them as one word for a child's command line."""
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> DemoWishes:
        """Take them from a child's command line."""
        return cls(**json.loads(text))
