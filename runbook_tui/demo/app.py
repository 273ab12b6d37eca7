"""The app's side of a rehearsal, run as a child: the same app and runbook as in life, on a stage in the world."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from runbook_tui.adapters.runs import state_dir
from runbook_tui.adapters.ssh import SshShell
from runbook_tui.adapters.ssh_target import SshSettings
from runbook_tui.adapters.state_dir import RUNS_FOLDER, prepare_runs
from runbook_tui.cli import console, shipped
from runbook_tui.cli.sitting import begin, go_on
from runbook_tui.cli.stage import Stage, front_end, wants_plain
from runbook_tui.cli.wishes import Wishes
from runbook_tui.core.errors import ExitCode, StateDirError
from runbook_tui.core.markdown import read
from runbook_tui.core.model import LOCAL
from runbook_tui.demo.auto import OPERATOR, ScriptedOperator
from runbook_tui.demo.clock import WorldClock
from runbook_tui.demo.control import WorldClient
from runbook_tui.demo.facts import CA, CONTROL, VARIABLE, DemoWishes, Facts
from runbook_tui.demo.mistakes import MISTAKES
from runbook_tui.demo.world_net import WorldNet
from runbook_tui.demo.world_secrets import WorldSecrets

if TYPE_CHECKING:
    from collections.abc import Callable

    from runbook_tui.cli.stage import FrontEnd
    from runbook_tui.core.model import Host
    from runbook_tui.engine import Engine
    from runbook_tui.ports import HostKey, Shell

RUNBOOK = "mail-migration"
UNHURRIED = 15.0
"""Real seconds between looks of the live checks where nobody watches them."""
AT_ONCE = 0.2
"""Real seconds between two looks of which the second confirms the first, where a step waits for them."""


class Rehearsing:
    """Puts a stage together from what the world says of itself, and remembers the operator it made."""

    def __init__(self, folder: Path, wishes: DemoWishes) -> None:
        self._folder = folder
        self._wishes = wishes
        self._facts = Facts.load(folder)
        self._clock = WorldClock(self._facts.face, UNHURRIED, AT_ONCE) if wishes.auto else WorldClock(self._facts.face)
        self._operator: ScriptedOperator | None = None

    def sit(self) -> int:
        """Begin the run, or go on with it after the app was killed; give the exit code."""
        ours = Wishes(plain=self._wishes.plain)
        if (state_dir() / RUNS_FOLDER / self._wishes.run).exists():
            code = go_on(self._wishes.run, ours, self._stage())
        else:
            path = shipped.find(RUNBOOK)
            data = shipped.read_bytes(path)
            hosts = {name: address for name, address in self._facts.hosts.items() if name != LOCAL}
            runbook = read(data, name=path.name, hosts=tuple(hosts))
            code = begin(
                path, runbook, data, variables=self._facts.variables, hosts=hosts, run_id=self._wishes.run,
                wishes=ours, stage=self._stage(),
            )  # fmt: skip
        if self._operator is None:
            return code
        report = self._operator.report
        good = report is not None and report.clean and not self._operator.failed
        return code or (ExitCode.OK if good else ExitCode.NOT_GREEN)

    def _stage(self) -> Stage:
        return Stage(
            clock=self._clock,
            shells=self._shell,
            front_end=self._front_end,
            secrets=WorldSecrets(self._facts.passwords, self._facts.variables["domain"]),
            net=WorldNet(self._facts, str(self._folder / CA)),
            rehearsal=f"REHEARSAL: {self._facts.about}. No real server was touched.",
            operator=OPERATOR if self._wishes.auto else "",
        )

    def _shell(self, host: Host, pin: HostKey | None) -> Shell:
        """Reach every host over SSH: `local` is a host of the world too, so that no step touches this machine."""
        operator = self._folder / "operator"
        settings = SshSettings(
            config_files=(operator / "config",), known_hosts_files=(operator / "known_hosts",), home=operator,
            identity_files=(operator / "id_ed25519",), sh=self._facts.sh,
        )  # fmt: skip
        return SshShell(replace(host, ssh=self._facts.hosts[LOCAL]) if host.name == LOCAL else host, pin, settings)

    def _front_end(self, engine: Engine, wishes: Wishes, hung_up: Callable[[], None]) -> FrontEnd:
        world = WorldClient(self._folder / CONTROL, self._clock, self._wishes.rate)
        if self._wishes.auto:
            mistake = MISTAKES.get(self._wishes.mistake)
            self._operator = ScriptedOperator(
                engine, world, self._facts.choices, mistake, say=console.say, progress=console.warn
            )
            return self._operator
        if wants_plain(wishes, os.environ):
            return front_end(engine, wishes, hung_up)
        from runbook_tui.cli.screen import ScreenFrontEnd  # noqa: PLC0415 -- textual only when it is drawn

        return ScreenFrontEnd(engine, mouse=wishes.mouse, rehearsal=world)


def _use_a_writable_state_folder(folder: Path) -> None:
    """Keep the run in the world's folder where the operator's own state folder cannot be written."""
    try:
        prepare_runs(state_dir())
    except StateDirError as error:
        os.environ["MAILRUNBOOK_STATE_DIR"] = str(folder / "state")
        console.warn(f"{error.title}; the run is kept in the rehearsal's folder and goes with it")


def main() -> int:
    """Sit at the world whose folder the environment names; argv's one word is the wishes."""
    folder = Path(os.environ[VARIABLE])
    _use_a_writable_state_folder(folder)
    return Rehearsing(folder, DemoWishes.read(sys.argv[1])).sit()


if __name__ == "__main__":
    sys.exit(console.guarded(lambda: sys.exit(main())))
