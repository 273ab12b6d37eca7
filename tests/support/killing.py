"""Kills the program, or its session on the host, at random instants while steps run that each append one line."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING

from runbook_tui.adapters.runs import open_run
from runbook_tui.cli.stored import own_runbook
from runbook_tui.core.fold import fold
from runbook_tui.core.overview import status_json
from tests.e2e.conftest import Night
from tests.support.sshd import operator_key, running_sshd, write_ssh_files
from tests.support.talk import Talk

if TYPE_CHECKING:
    from pathlib import Path

SITTINGS = 5
"""In so many sittings that nobody disturbs a run is done."""


def book(steps: int, name: str) -> str:
    """A runbook of so many steps for `old`, each of which appends one line of its own to one file."""
    front = "---\nrunbook:\n  version: 1\n  hosts:\n    old: {ssh: old.test}\n---\n"
    return f"{front}# Counted {name}\n\n## Phase\n\n" + "".join(
        f"### Step {n} <!-- step: #s{n} -->\n\n``` sh {{.run host=old}}\n"
        f"echo s{n} >> ~/effects; i=0\nwhile [ $i -lt 5 ]; do i=$((i+1)); echo line $i; sleep 0.02; done\n```\n\n"
        for n in range(1, steps + 1)
    )


class Killed:
    """One run that is killed again and again, and what came of it. `longest` are the seconds before a kill."""

    def __init__(self, night: Night, name: str, steps: int, seed: int, longest: float) -> None:
        self.night = night
        self.name = name
        self.steps = steps
        self.longest = longest
        self.chance = random.Random(seed)
        self.kills = 0
        self.sessions = 0
        self.text = night.state.parent / f"{name}.md"
        self.text.write_text(book(steps, name))
        self.told = {f"s{n}": "todo" for n in range(1, steps + 1)}

    @property
    def effects(self) -> Counter[str]:
        """How often each step ran."""
        file = self.night.old.home / "effects"
        return Counter(file.read_text().split()) if file.exists() else Counter()

    @property
    def folder(self) -> Path:
        """The run's folder."""
        return self.night.state / "runs" / self.name

    def records(self) -> list[dict[str, object]]:
        """The journal as it is; a torn last line is none."""
        file = self.folder / "events.jsonl"
        if not file.exists():
            return []
        return [json.loads(line) for line in file.read_text().split("\n")[:-1]]

    def talk(self) -> Talk:
        """Begin the run, or go on with it."""
        begun = (self.folder / "events.jsonl").exists()
        words = ("resume", self.name) if begun else ("run", str(self.text), "--run-id", self.name)
        return Talk(*words, "--plain", state=self.night.state, more=self.night.variables)

    def say_all(self, talk: Talk) -> None:
        """Agree, and do step after step."""
        verb = "retry" if self.current() == "not-run" else "confirm"
        talk.say("yes", verb, "yes", *(["confirm", "yes"] * self.steps))

    def round(self) -> None:
        """One sitting: do what there is to do, kill the session once or more, then the program, each at random."""
        with self.talk() as talk:
            self.say_all(talk)
            # Much is only to be met after a start; a slow machine would hardly ever get there by the clock.
            begun = "(found|running) on old|settled;|not understood"
            if wanted := self.chance.choice(["", f"asks: type yes to run it|{begun}", begun, begun]):
                talk.hear(wanted)
            time.sleep(self.chance.uniform(0, self.longest))
            for _ in range(self.chance.randrange(3)):
                self.sessions += self.night.old.kill_sessions()
                time.sleep(self.chance.uniform(0, self.longest))
            if talk.process.poll() is None:
                os.kill(talk.process.pid, signal.SIGKILL)
                self.kills += 1
        self.look()
        self.judge()

    def finish(self) -> None:
        """Do what is left undisturbed: in the end every step is done, and ran once."""
        for _ in range(SITTINGS):
            if self.current() == "done":
                break
            with self.talk() as talk:
                self.say_all(talk)
                talk.hang_up()
                talk.end()
            self.look()
            self.judge()
        assert self.told == dict.fromkeys(self.told, "done"), self.name

    def judge(self) -> None:
        """See that nothing ran twice, and that what is told as done, not run or still to do agrees with what ran."""
        ran = self.effects
        assert all(count == 1 for count in ran.values()), (self.name, ran)
        for step, state in self.told.items():
            if state in {"done", "todo", "not-run"}:
                assert ran[step] == (state == "done"), (self.name, step, state)

    def current(self) -> str:
        """The state of the first step that is not done."""
        return next((state for state in self.told.values() if state != "done"), "done")

    def look(self) -> None:
        """Take how each step stands from the journal alone, as `status` does."""
        if (self.folder / "events.jsonl").exists():
            folder = open_run(self.night.state, self.name, lock=False)
            records, _, _ = folder.read()
            shown = status_json(fold(own_runbook(folder, records), records))
            self.told = {step["id"]: step["state"] for step in shown["steps"]}

    def ended(self) -> Counter[str]:
        """How the attempts of the whole run ended, by the words of the journal."""
        told: Counter[str] = Counter()
        for record in self.records():
            match record:
                case {"type": "finished", "outcome": outcome}:
                    told[f"ended {outcome}"] += 1
                case {"type": "reconciled", "state": state}:
                    told[f"reconciled: {state}"] += 1
                case {"type": "lost"}:
                    told["unknown"] += 1
        return told


def killed_often(folder: Path, kills: int, steps: int, *, longest: float, seed: int = 0) -> str:
    """Kill the program so often, run after run, each then done to its end; give in a line what came of it."""
    key = operator_key(folder / "operator")
    told: Counter[str] = Counter()
    made = sessions = 0
    with running_sshd(folder / "old", [key.public]) as old:
        files = write_ssh_files(folder / "files", key, {"old.test": old})
        night = Night(old, old, files, folder / "state")
        while made < kills:
            run = Killed(night, f"kill{seed + made}", steps, seed + made, longest)
            while made + run.kills < kills and run.current() != "done":
                run.round()
            run.finish()
            made += run.kills
            sessions += run.sessions
            told += run.ended()
            (old.home / "effects").unlink()
    return f"{made} kills of the program, {sessions} of session processes: {dict(told)}"
